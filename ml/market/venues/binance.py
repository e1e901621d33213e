"""Binance spot, USD-M and COIN-M futures: diff depth, trades, and the REST depth snapshot.

Formats: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
(`<symbol>@depth`, `@trade`) and `GET /fapi/v1/depth`; the same for spot and COIN-M, whose sizes are in contracts. The
simulated venue speaks the USD-M dialect with stream names that start with `sim/`.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from ml.errors import FrameError
from ml.instruments import Instrument, to_units
from ml.market.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.shapes import BOOK, OTHER, TRADE, Shape
from ml.market.unfit import guarded, whole
from ml.market.venues.levels import Levels, add_levels, kind_of

USDM, SIM, SPOT, COINM = "binance-usdm", "sim", "binance-spot", "binance-coinm"
VENUES = (USDM, SIM, SPOT, COINM)
SIM_PREFIX = "sim/"
KINDS = {"depthUpdate": "book", "trade": "trade"}
COINM_TYPE = 2
"""What `st` says of a symbol of COIN-M."""
_TOUCH = '"b":"<text>","B":"<text>","a":"<text>","A":"<text>"'
_PRINT = '"s":"<symbol>","t":<id>,"p":"<price>","q":"<size>"'
_PAIR = '"ps":"<text>",'


def _futures(pair: str = "", symbol_type: str = "") -> tuple[tuple[int, str], ...]:
    return (
        (OTHER, f'"e":"bookTicker","u":<int>,"s":"<symbol>",{pair}{_TOUCH},"T":<int>,"E":<int>{symbol_type}'),
        (TRADE, f'"e":"trade","E":<int>,"T":<event>,{_PRINT},"X":"MARKET","m":<maker>{symbol_type}'),
        (
            BOOK,
            f'"e":"depthUpdate","E":<send>,"T":<event>,"s":"<symbol>",{pair}"U":<first>,"u":<last>,"pu":<prev>,'
            f'"b":<bids>,"a":<asks>{symbol_type}',
        ),
    )


_SPOT = (
    (OTHER, '"u":<int>,"s":"<symbol>",' + _TOUCH),
    (TRADE, '"e":"trade","E":<int>,' + _PRINT + ',"T":<event>,"m":<maker>,"M":true'),
    (BOOK, '"e":"depthUpdate","E":<send>,"s":"<symbol>","U":<first>,"u":<last>,"b":<bids>,"a":<asks>'),
)
SHAPES = tuple(
    Shape(venue, kind, '{"stream":"' + prefix + '<stream>","data":{' + text + "}}")
    for venue, prefix, messages in (
        (USDM, "", _futures()),
        (USDM, "", _futures(_PAIR, ',"st":1')),
        (SIM, SIM_PREFIX, _futures()),
        (SPOT, "", _SPOT),
        (COINM, "", _futures(_PAIR, ',"st":2')),
    )
    for kind, text in messages
)
"""What the streams write, and what those of USD-M wrote before 2026; a pair without type is left to `route`."""


@guarded
def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame; the symbol is None for a REST snapshot whose address is not on record.

    The connection names the venue where our own capture made it; else the fields tell it.

    Raises:
        FrameError: `unknown_frame` if it is none of Binance's, `wrong_venue` if the connection is of another market.
    """
    named = conn.partition(" ")[0]
    if "lastUpdateId" in doc:
        symbol = parse_qs(urlsplit(conn.partition(" ")[2]).query).get("symbol", [None])[0]
        return (named, symbol) if named in VENUES else (USDM, None)
    stream, data = doc.get("stream"), doc.get("data")
    if not isinstance(stream, str) or not isinstance(data, dict) or not isinstance(data.get("s"), str):
        raise FrameError("unknown_frame", f"no {{stream, data}} with a symbol: {str(doc)[:80]}")
    venue = SIM if stream.startswith(SIM_PREFIX) else _market(data)
    if named in VENUES and data.get("e") == "depthUpdate" and venue != named:
        raise FrameError("wrong_venue", f"{stream} came over a connection of {named}, its diffs are those of {venue}")
    return named if named in VENUES else venue, data["s"]


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`."""
    return "snapshot" if "lastUpdateId" in doc else kind_of(doc["data"].get("e"), KINDS)


@guarded
def event_ts(doc: dict[str, Any]) -> int:
    """Transaction time in ns UTC; the send time for diffs of spot, which have no other.

    Raises:
        FrameError: `bad_frame` if there is none.
    """
    data = doc.get("data", doc)
    stamp = data.get("E" if data.get("e") == "depthUpdate" and "pu" not in data else "T")
    if not isinstance(stamp, int) or stamp <= 0:
        raise FrameError("bad_frame", f"transaction time T is {stamp!r}")
    return stamp_ns(stamp)


@guarded
def outline(doc: dict[str, Any]) -> list[BookMessage]:
    """The book messages of a frame without their levels: ids and times.

    Raises:
        FrameError: a field is missing or of the wrong type.
    """
    match kind(doc):
        case "snapshot":
            last = whole(doc["lastUpdateId"])
            return [BookMessage(True, stamp_ns(int(doc.get("T", 0))), stamp_ns(int(doc.get("E", 0))), last, last, -1)]
        case "book":
            data = doc["data"]
            sent, prev = stamp_ns(int(data["E"])), whole(data.get("pu", -1))
            engine = stamp_ns(int(data["T"])) if prev >= 0 else sent
            return [BookMessage(False, engine, sent, whole(data["U"]), whole(data["u"]), prev)]
        case _:
            return []


@guarded
def sides(doc: dict[str, Any]) -> list[tuple[Levels, Levels]]:
    """Bids and asks of each book message of a frame, as they are written.

    Raises:
        FrameError: there are none.
    """
    match kind(doc):
        case "snapshot":
            return [(doc["bids"], doc["asks"])]
        case "book":
            return [(doc["data"]["b"], doc["data"]["a"])]
        case _:
            return []


@guarded
def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and prints of one frame; an unfit print comes as its error. Other kinds give neither.

    Raises:
        FrameError: a field is missing or a number is unfit.
    """
    match kind(doc):
        case "snapshot" | "book":
            return [add_levels(outline(doc)[0], *sides(doc)[0], instrument)], []
        case "trade":
            return [], [_trade(doc["data"], instrument)]
        case _:
            return [], []


def _market(data: dict[str, Any]) -> str:
    """Which Binance market writes such fields: since 2026 `st` says it of most frames of futures.

    Where it does not, the pair does, which COIN-M always names and quotes in USD; diffs of futures name the id before
    them.
    """
    if "st" in data:
        return COINM if data["st"] == COINM_TYPE else USDM
    if "ps" in data:
        return COINM if str(data["ps"]).endswith("USD") else USDM
    futures = {"depthUpdate": "pu", "trade": "X", "bookTicker": "E", "None": "pu"}.get(str(data.get("e")), "e")
    return USDM if futures in data else SPOT


def _trade(data: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(data["p"], instrument.price_decimals)
    size = to_units(data["q"], instrument.size_decimals)
    market = data.get("X", "MARKET")
    if market != "MARKET" or price <= 0 or size <= 0:
        return FrameError("off_market", f"trade {data['t']}: type {market}, price {data['p']}, size {data['q']}")
    # m: the buyer was the maker, so the aggressor sold
    return Trade(stamp_ns(int(data["T"])), str(data["t"]), SELL if data["m"] else BUY, price, size)
