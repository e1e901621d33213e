"""Binance USD-M futures: diff depth, trades, and the REST depth snapshot.

Formats: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
(`<symbol>@depth`, `@trade`) and `GET /fapi/v1/depth`. The simulated venue speaks the same dialect with stream names
that start with `sim/`.
"""

from typing import Any

from ml.errors import FrameError
from ml.instruments import Instrument, to_units
from ml.market.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.venues.levels import add_levels

VENUES = ("binance-usdm", "sim")
SIM_PREFIX = "sim/"
KINDS = {"depthUpdate": "book", "trade": "trade"}


def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame; the symbol is None for a REST snapshot, which does not name it.

    Raises:
        FrameError: `unknown_frame` if it is none of Binance's, `wrong_venue` if it is of another Binance market.
    """
    if "lastUpdateId" in doc:
        return VENUES[0], None
    stream, data = doc.get("stream"), doc.get("data")
    if not isinstance(stream, str) or not isinstance(data, dict) or not isinstance(data.get("s"), str):
        raise FrameError("unknown_frame", f"no {{stream, data}} with a symbol: {str(doc)[:80]}")
    if data.get("e") == "depthUpdate" and ("pu" not in data or "ps" in data):
        raise FrameError("wrong_venue", f"{stream} is not a USD-M stream: its diffs have no pu, or name a pair")
    return VENUES[1] if stream.startswith(SIM_PREFIX) else VENUES[0], data["s"]


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`."""
    return "snapshot" if "lastUpdateId" in doc else KINDS.get(doc["data"].get("e"), "other")


def event_ts(doc: dict[str, Any]) -> int:
    """Transaction time in ns UTC.

    Raises:
        FrameError: `bad_frame` if there is none.
    """
    data = doc.get("data", doc)
    stamp = data.get("T")
    if not isinstance(stamp, int) or stamp <= 0:
        raise FrameError("bad_frame", f"transaction time T is {stamp!r}")
    return stamp_ns(stamp)


def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and prints of one frame; an unfit print comes as its error. Other kinds give neither.

    Raises:
        FrameError: a field is missing or a number is unfit.
    """
    try:
        match kind(doc):
            case "snapshot":
                return [_snapshot(doc, instrument)], []
            case "book":
                return [_diff(doc["data"], instrument)], []
            case "trade":
                return [], [_trade(doc["data"], instrument)]
            case _:
                return [], []
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FrameError("bad_frame", f"{type(error).__name__}: {error}") from error


def _snapshot(doc: dict[str, Any], instrument: Instrument) -> BookMessage:
    last = int(doc["lastUpdateId"])
    message = BookMessage(True, stamp_ns(int(doc.get("T", 0))), stamp_ns(int(doc.get("E", 0))), last, last, -1)
    return add_levels(message, doc["bids"], doc["asks"], instrument)


def _diff(data: dict[str, Any], instrument: Instrument) -> BookMessage:
    message = BookMessage(
        False, stamp_ns(int(data["T"])), stamp_ns(int(data["E"])), int(data["U"]), int(data["u"]), int(data["pu"])
    )
    return add_levels(message, data["b"], data["a"], instrument)


def _trade(data: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(data["p"], instrument.price_decimals)
    size = to_units(data["q"], instrument.size_decimals)
    market = data.get("X", "MARKET")
    if market != "MARKET" or price <= 0 or size <= 0:
        return FrameError("off_market", f"trade {data['t']}: type {market}, price {data['p']}, size {data['q']}")
    # m: the buyer was the maker, so the aggressor sold
    return Trade(stamp_ns(int(data["T"])), str(data["t"]), SELL if data["m"] else BUY, price, size)
