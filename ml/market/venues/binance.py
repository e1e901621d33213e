"""Binance spot, USD-M and COIN-M futures: diff depth, partial depth, trades, and the REST depth snapshot.

Formats: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
(`<symbol>@depth`, `@depth5`, `@trade`, `@aggTrade`) and `GET /fapi/v1/depth`; the same for spot and COIN-M, whose sizes
are in contracts. The simulated venue speaks the USD-M dialect with stream names that start with `sim/`.

The name of the stream says what a message is: partial depth looks like a diff, and is the whole book to that depth.
Spot's partial depth has no time, so it is not read.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ml.core.errors import FrameError
from ml.core.instruments import Instrument, to_units
from ml.market.bulk.shapes import BOOK, OTHER, TRADE, Shape
from ml.market.decode.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.decode.parse_errors import guarded, whole
from ml.market.venues.levels import Levels, add_levels

USDM = "binance-usdm"
SIM = "sim"
SPOT = "binance-spot"
COINM = "binance-coinm"
VENUES = (USDM, SIM, SPOT, COINM)
SIM_PREFIX = "sim/"
STREAMS = {"depthUpdate": "depth", "trade": "trade", "aggTrade": "aggTrade"}
"""The streams that are read, by the event that they send."""
KINDS = {"depth": "book", "trade": "trade", "aggTrade": "trade"}
PARTIAL = re.compile(r"depth\d+")
COINM_TYPE = 2
"""What `st` says of a symbol of COIN-M."""
COINM_SYMBOL = re.compile(r".+USD_(?:PERP|\d{6})")
DATED_SYMBOL = re.compile(r".+_\d{6}")
ADDRESS = re.compile(r"\w+://(f|d|)(?:data-)?(?:stream|api)[\w-]*[.]binance[.](?:com|vision)(?:[:/?]|$)")
BY_ADDRESS = {"f": USDM, "d": COINM, "": SPOT}
_TOUCH = '"b":"<text>","B":"<text>","a":"<text>","A":"<text>"'
_PRINT = '"t":<id>,"p":"<price>","q":"<size>"'
_PAIR = '"ps":"<text>",'


def _futures(symbol: str, pair: str = "", symbol_type: str = "") -> tuple[tuple[int, str, str, str], ...]:
    named = f'"s":"{symbol}",'
    return (
        (
            OTHER,
            "bookTicker",
            "",
            f'"e":"bookTicker","u":<int>,{named}{pair}{_TOUCH},"T":<int>,"E":<int>{symbol_type}',
        ),
        (
            TRADE,
            "trade",
            "",
            f'"e":"trade","E":<int>,"T":<event>,{named}{_PRINT},"X":"MARKET","m":<maker>{symbol_type}',
        ),
        (
            BOOK,
            "depth",
            "<speed>",
            f'"e":"depthUpdate","E":<send>,"T":<event>,{named}{pair}"U":<first>,"u":<last>,"pu":<prev>,'
            f'"b":<bids>,"a":<asks>{symbol_type}',
        ),
    )


_SPOT = (
    (OTHER, "bookTicker", "", '"u":<int>,"s":"<symbol>",' + _TOUCH),
    (TRADE, "trade", "", '"e":"trade","E":<int>,"s":"<symbol>",' + _PRINT + ',"T":<event>,"m":<maker>,"M":true'),
    (
        BOOK,
        "depth",
        "<speed>",
        '"e":"depthUpdate","E":<send>,"s":"<symbol>","U":<first>,"u":<last>,"b":<bids>,"a":<asks>',
    ),
)
SHAPES = tuple(
    Shape(venue, kind, f'{{"stream":"{prefix}<name>@{stream}{speed}","data":{{{text}}}}}', stream)
    for venue, prefix, messages in (
        (USDM, "", _futures("<plain>")),
        (USDM, "", _futures("<symbol>", _PAIR, ',"st":1')),
        (SIM, SIM_PREFIX, _futures("<symbol>")),
        (SPOT, "", _SPOT),
        (COINM, "", _futures("<symbol>", _PAIR, ',"st":2')),
        (COINM, "", _futures("<from><base>_<text><to>", _PAIR)),
    )
    for kind, stream, speed, text in messages
)
"""What the streams write, and what those of futures wrote before 2026: then the symbol alone told COIN-M."""


@lru_cache(maxsize=256)
def venue_of(conn: str) -> str | None:
    """The market that a connection names, by our own capture or by its address; None where it names none."""
    named = conn.partition(" ")[0]
    found = ADDRESS.match(conn)
    return named if named in VENUES else BY_ADDRESS[found[1]] if found else None


def market_of(symbol: str) -> str | None:
    """The market of futures that a symbol names: `BTCUSD_PERP`, `BTCUSD_250627`, `BTCUSDT_250627`."""
    return COINM if COINM_SYMBOL.fullmatch(symbol) else USDM if DATED_SYMBOL.fullmatch(symbol) else None


def may_write(venue: str, symbol: str) -> bool:
    """Whether a market may have such a symbol; those of COIN-M all say that they are its."""
    market = market_of(symbol)
    return market == venue or (market is None and venue != COINM)


@guarded
def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame.

    The connection names the venue, else the symbol, else the fields tell it; see `guessed`. The symbol is None for a
    REST snapshot whose address is not on record, and for what is not of one symbol.

    Raises:
        FrameError: `unknown_frame` if it is none of Binance's, `wrong_venue` if the connection is of another market.
    """
    named = venue_of(conn)
    if "lastUpdateId" in doc:
        return named or (USDM if "T" in doc else SPOT), _asked(conn)
    stream = doc.get("stream")
    data = doc.get("data")
    symbol = data.get("s") if isinstance(data, dict) else None
    if not isinstance(stream, str) or data is None or (not isinstance(symbol, str) and _is_of_symbol(doc)):
        raise FrameError("unknown_frame", f"no {{stream, data}} with a symbol: {str(doc)[:80]}")
    if not isinstance(symbol, str):
        return named or SPOT, None
    venue = _market(doc)[0]
    if named is not None and data.get("e") == "depthUpdate" and venue != named:
        raise FrameError("wrong_venue", f"{stream} came over a connection of {named}, its diffs are those of {venue}")
    return named or venue, symbol


def guessed(doc: dict[str, Any], conn: str) -> bool:
    """Whether the venue of a frame that `route` accepted is a guess: several markets write such a frame.

    The other frames of its file tell then.
    """
    return venue_of(conn) is None and ("lastUpdateId" in doc or not _market(doc)[1])


def stream(doc: dict[str, Any]) -> str:
    """The name of a frame's stream: `depth@100ms`, `aggTrade`; for what is not read, the event that it sends."""
    if "lastUpdateId" in doc:
        return "snapshot"
    if read := _read(doc):
        return read
    name = _named(doc["stream"]) or doc["stream"]
    event = _event(doc)
    if event == "" and PARTIAL.match(name):
        return f"{name} (a partial book without a time)"
    return name if event == "" or event in STREAMS else event


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`."""
    if "lastUpdateId" in doc:
        return "snapshot"
    name = _read(doc).partition("@")[0]
    return "book" if PARTIAL.fullmatch(name) else KINDS.get(name, "other")


def begins(doc: dict[str, Any]) -> bool:
    """Whether a book message replaces the book."""
    return PARTIAL.match(_read(doc)) is not None


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
            sent = stamp_ns(int(data["E"]))
            prev = whole(data.get("pu", -1))
            engine = stamp_ns(int(data["T"])) if prev >= 0 else sent
            if PARTIAL.match(_read(doc)):  # the ids count messages of another stream than the diffs'
                return [BookMessage(True, engine, sent, -1, -1, -1)]
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
    """Book messages and trades of one frame; an invalid trade is returned as its error. Other kinds give neither.

    Raises:
        FrameError: a field is missing or a number is invalid.
    """
    match kind(doc):
        case "snapshot" | "book":
            return [add_levels(outline(doc)[0], *sides(doc)[0], instrument)], []
        case "trade":
            return [], [_trade(doc["data"], instrument)]
        case _:
            return [], []


def _asked(conn: str) -> str | None:
    """The symbol in the address of a REST answer."""
    return parse_qs(urlsplit(conn.rpartition(" ")[2]).query).get("symbol", [None])[0]


@lru_cache(maxsize=4096)
def _named(name: str) -> str:
    """A stream's name without its symbol; empty where it is no stream of one symbol."""
    return "" if name.startswith("!") else name.partition("@")[2]


def _event(doc: dict[str, Any]) -> str:
    """What a frame says that it is; empty where it does not."""
    data = doc.get("data")
    event = data.get("e") if isinstance(data, dict) else None
    return event if isinstance(event, str) else ""


def _read(doc: dict[str, Any]) -> str:
    """The name of a stream that is read, empty for any other; the name and the event agree."""
    known = STREAMS.get(_event(doc), "")
    name = _named(doc["stream"]) or known
    plain = name.partition("@")[0]
    return name if plain == known or (known == "depth" and PARTIAL.fullmatch(plain)) else ""


def _is_of_symbol(doc: dict[str, Any]) -> bool:
    """Whether a frame must name its symbol: its stream or its event is one that is read."""
    return _named(doc["stream"]).partition("@")[0] in KINDS or _event(doc) in STREAMS


def _market(doc: dict[str, Any]) -> tuple[str, bool]:
    """Which market writes a frame, and whether no other does.

    The symbol tells the dated and the perpetual of COIN-M. Since 2026 `st` says it of most frames of futures; where it
    does not, the pair does, which COIN-M always names and quotes in USD. Diffs of futures name the id before them.
    """
    data = doc["data"]
    if doc["stream"].startswith(SIM_PREFIX):
        return SIM, True
    by_symbol = market_of(data["s"])
    if by_symbol is not None:
        return by_symbol, True
    if "st" in data:
        return COINM if data["st"] == COINM_TYPE else USDM, True
    if "ps" in data:
        return COINM if str(data["ps"]).endswith("USD") else USDM, True
    match data.get("e"):
        case "depthUpdate":
            return USDM if "pu" in data else SPOT, True
        case "trade":
            return USDM if "X" in data else SPOT, "X" in data or "M" in data
        case "bookTicker":
            return USDM if "E" in data else SPOT, "E" in data
        case None:
            return SPOT, _named(doc["stream"]) == "bookTicker"  # that of futures names its event
        case "aggTrade":
            return SPOT if "M" in data else USDM, False
        case "24hrTicker":
            return SPOT if "x" in data else USDM, False
        case other:
            return SPOT if other == "avgPrice" else USDM, False


def _trade(data: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(data["p"], instrument.price_decimals)
    size = to_units(data["q"], instrument.size_decimals)
    # aggregated trades are counted apart; their ids read as those of the archives
    market = data.get("X", "MARKET")
    number = f"agg-{data['a']}" if data["e"] == "aggTrade" else data["t"]
    if market != "MARKET" or price <= 0 or size <= 0:
        detail = f"trade {number}: type {market}, price {data['p']}, size {data['q']}"
        return FrameError("off_market", detail, str(number))
    # m: the buyer was the maker, so the aggressor sold
    return Trade(stamp_ns(int(data["T"])), str(number), SELL if data["m"] else BUY, price, size)
