"""Bybit V5 public streams: order book and trades; linear, inverse and spot by the connection's address.

Formats: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and `/trade`. Spot and linear share topic
names; only the address of the connection tells them apart.
"""

from typing import Any

from ml.errors import FrameError
from ml.instruments import Instrument, to_units
from ml.market.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.venues.levels import Levels, add_levels

VENUES = ("bybit-linear", "bybit-spot", "bybit-inverse")
SIDES = {"Buy": BUY, "Sell": SELL}
KINDS = {"orderbook": "book", "publicTrade": "trade"}


def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame.

    Raises:
        FrameError: `unknown_frame` without a topic, `wrong_venue` if the address names no known market.
    """
    topic = doc.get("topic")
    if not isinstance(topic, str):
        raise FrameError("unknown_frame", f"no topic: {str(doc)[:80]}")
    symbol, named = topic.rpartition(".")[2], conn.partition(" ")[0]
    if named in VENUES:
        return named, symbol
    market = conn.rpartition("/")[2]
    if f"bybit-{market}" not in VENUES:
        raise FrameError("wrong_venue", f"connection {conn!r} is neither /linear, /spot nor /inverse")
    return f"bybit-{market}", symbol


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`."""
    return KINDS.get(doc["topic"].partition(".")[0], "other")


def event_ts(doc: dict[str, Any]) -> int:
    """Matching-engine time in ns UTC: `cts` of a book message, the latest `T` of a trade message.

    Raises:
        FrameError: `bad_frame` if there is none.
    """
    try:
        stamp = max(entry["T"] for entry in doc["data"]) if kind(doc) == "trade" else doc.get("cts", doc["ts"])
    except (KeyError, TypeError, ValueError) as error:
        raise FrameError("bad_frame", f"no event time: {type(error).__name__}: {error}") from error
    if not isinstance(stamp, int) or stamp <= 0:
        raise FrameError("bad_frame", f"event time is {stamp!r}")
    return stamp_ns(stamp)


def outline(doc: dict[str, Any]) -> list[BookMessage]:
    """The book messages of a frame without their levels: ids and times.

    Raises:
        FrameError: a field is missing or of the wrong type.
    """
    if kind(doc) != "book":
        return []
    try:
        update = int(doc["data"]["u"])
        # `u` counts messages by one; u = 1 is the snapshot after a restart of the service
        snapshot = doc["type"] == "snapshot" or update == 1
        return [BookMessage(snapshot, event_ts(doc), stamp_ns(int(doc["ts"])), update, update, -1)]
    except (KeyError, TypeError, ValueError) as error:
        raise FrameError("bad_frame", f"{type(error).__name__}: {error}") from error


def sides(doc: dict[str, Any]) -> list[tuple[Levels, Levels]]:
    """Bids and asks of each book message of a frame, as they are written.

    Raises:
        FrameError: there are none.
    """
    try:
        return [(doc["data"]["b"], doc["data"]["a"])] if kind(doc) == "book" else []
    except (KeyError, TypeError) as error:
        raise FrameError("bad_frame", f"{type(error).__name__}: {error}") from error


def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and prints of one frame; an unfit print comes as its error. Other topics give neither.

    Raises:
        FrameError: a field is missing or a number is unfit.
    """
    try:
        match kind(doc):
            case "book":
                return [add_levels(outline(doc)[0], *sides(doc)[0], instrument)], []
            case "trade":
                return [], [_trade(entry, instrument) for entry in doc["data"]]
            case _:
                return [], []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FrameError("bad_frame", f"{type(error).__name__}: {error}") from error


def _trade(entry: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(entry["p"], instrument.price_decimals)
    size = to_units(entry["v"], instrument.size_decimals)
    if price <= 0 or size <= 0:
        return FrameError("off_market", f"trade {entry['i']}: price {entry['p']}, size {entry['v']}")
    return Trade(stamp_ns(int(entry["T"])), str(entry["i"]), SIDES[entry["S"]], price, size)
