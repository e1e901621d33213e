"""Bybit V5 public streams: order book and trades; linear, inverse and spot by the connection's address.

Formats: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and `/trade`. Spot and linear share topic
names; only the address of the connection tells them apart.
"""

from typing import Any

from ml.core.errors import FrameError
from ml.core.instruments import Instrument, to_units
from ml.market.bulk.shapes import BOOK, OTHER, Shape
from ml.market.decode.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.decode.parse_errors import guarded, whole
from ml.market.venues.levels import Levels, add_levels, kind_of

VENUES = ("bybit-linear", "bybit-spot", "bybit-inverse")
SIDES = {"Buy": BUY, "Sell": SELL}
KINDS = {"orderbook": "book", "publicTrade": "trade"}
_BOOK = '"topic":"orderbook.<depth>.<symbol>"'
_TICKER = '"topic":"tickers.<symbol>"'
_LEVELS = '"data":{"s":"<text>","b":<bids>,"a":<asks>,"u":<last>,"seq":<int>}'
_PRICES = '"data":{"symbol":"<text>"<fields>}'
_CANDLE = (
    '"topic":"kline.<int>.<symbol>","data":[{"start":<int>,"end":<int>,"interval":"<text>","open":"<text>",'
    '"close":"<text>","high":"<text>","low":"<text>","volume":"<text>","turnover":"<text>","confirm":false,'
    '"timestamp":<int>}],"ts":<int>'
)
_MESSAGES = (
    (BOOK, "orderbook.", _BOOK + ',"type":"delta","ts":<send>,' + _LEVELS + ',"cts":<event>'),
    (BOOK, "orderbook.", _BOOK + ',"type":"delta","ts":<send>,"cts":<event>,' + _LEVELS),
    (OTHER, "tickers", _TICKER + ',"type":"<text>",' + _PRICES + ',"cs":<int>,"ts":<int>'),
    (OTHER, "kline", _CANDLE + ',"type":"<text>"'),
)
_SPOT = (
    (BOOK, "orderbook.", _BOOK + ',"ts":<send>,"type":"delta",' + _LEVELS + ',"cts":<event>'),
    (OTHER, "tickers", _TICKER + ',"ts":<int>,"type":"<text>","cs":<int>,' + _PRICES),
    (OTHER, "kline", '"type":"<text>",' + _CANDLE),
)
SHAPES = tuple(
    Shape(venue, kind, "{" + text + "}", stream)
    for venue in VENUES
    for kind, stream, text in (_SPOT + _MESSAGES if venue == "bybit-spot" else _MESSAGES)
)
"""All but snapshots and trades, which are left to `parse`: a message holds several trades, whose ids do not grow."""


@guarded
def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame.

    Raises:
        FrameError: `unknown_frame` without a topic, `wrong_venue` if the address names no known market.
    """
    topic = doc.get("topic")
    if not isinstance(topic, str):
        raise FrameError("unknown_frame", f"no topic: {str(doc)[:80]}")
    symbol = topic.rpartition(".")[2]
    named = conn.partition(" ")[0]
    if named in VENUES:
        return named, symbol
    market = conn.rpartition("/")[2]
    if f"bybit-{market}" not in VENUES:
        raise FrameError("wrong_venue", f"connection {conn!r} is neither /linear, /spot nor /inverse")
    return f"bybit-{market}", symbol


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`; the book with retail orders is another one."""
    named, _, rest = doc["topic"].partition(".")
    return kind_of(named, KINDS) if named != "orderbook" or rest[:1].isdecimal() else "other"


def stream(doc: dict[str, Any]) -> str:
    """The name of a frame's stream: `orderbook.200`, `publicTrade`; `kline` for candles of any length."""
    named, _, rest = doc["topic"].partition(".")
    return f"{named}.{rest.partition('.')[0]}" if named == "orderbook" else named


def begins(doc: dict[str, Any]) -> bool:
    """Whether a book message replaces the book."""
    return doc.get("type") == "snapshot"


@guarded
def event_ts(doc: dict[str, Any]) -> int:
    """Matching-engine time in ns UTC: `cts` of a book message, the latest `T` of a trade message.

    Raises:
        FrameError: `bad_frame` if there is none.
    """
    stamp = max(entry["T"] for entry in doc["data"]) if kind(doc) == "trade" else doc.get("cts", doc["ts"])
    if not isinstance(stamp, int) or stamp <= 0:
        raise FrameError("bad_frame", f"event time is {stamp!r}")
    return stamp_ns(stamp)


@guarded
def outline(doc: dict[str, Any]) -> list[BookMessage]:
    """The book messages of a frame without their levels: ids and times.

    Raises:
        FrameError: a field is missing or of the wrong type.
    """
    if kind(doc) != "book":
        return []
    update = whole(doc["data"]["u"])
    # `u` counts messages by one; u = 1 is the snapshot after a restart of the service
    snapshot = doc["type"] == "snapshot" or update == 1
    return [BookMessage(snapshot, event_ts(doc), stamp_ns(int(doc["ts"])), update, update, -1)]


@guarded
def sides(doc: dict[str, Any]) -> list[tuple[Levels, Levels]]:
    """Bids and asks of each book message of a frame, as they are written.

    Raises:
        FrameError: there are none.
    """
    return [(doc["data"]["b"], doc["data"]["a"])] if kind(doc) == "book" else []


@guarded
def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and trades of one frame; an invalid trade is returned as its error. Other topics give neither.

    Raises:
        FrameError: a field is missing or a number is invalid.
    """
    match kind(doc):
        case "book":
            return [add_levels(outline(doc)[0], *sides(doc)[0], instrument)], []
        case "trade":
            return [], [_trade(entry, instrument) for entry in doc["data"]]
        case _:
            return [], []


def _trade(entry: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(entry["p"], instrument.price_decimals)
    size = to_units(entry["v"], instrument.size_decimals)
    if price <= 0 or size <= 0:
        return FrameError("off_market", f"trade {entry['i']}: price {entry['p']}, size {entry['v']}")
    return Trade(stamp_ns(int(entry["T"])), str(entry["i"]), SIDES[entry["S"]], price, size)
