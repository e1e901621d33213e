"""OKX V5 public channels: order book and trades; swaps and spot by the instrument's name.

Formats: https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel and
`ws-trades-channel`. Sizes of swaps are in contracts. The checksum is 0 since 2026 and is not read. Asks come first.
"""

from collections.abc import Sequence
from typing import Any

from ml.core.errors import FrameError
from ml.core.instruments import Instrument, to_units
from ml.market.bulk.shapes import BOOK, OTHER, TRADE, Shape
from ml.market.decode.events import BUY, SELL, BookMessage, Trade, stamp_ns
from ml.market.decode.parse_errors import guarded, whole
from ml.market.venues.levels import Levels, add_levels, kind_of

VENUES = ("okx-swap", "okx-spot")
SIDES = {"buy": BUY, "sell": SELL}
KINDS = {
    "books": "book",
    "books-l2-tbt": "book",
    "books50-l2-tbt": "book",
    "books5": "book",
    "trades": "trade",
    "trades-all": "trade",
}
WHOLE = "books5"
"""The channel that writes five levels per side each time, without an action."""
_NAMES = (("okx-swap", "<from><part>-<part>-SWAP<to>"), ("okx-spot", "<from><part>-<part><to>"))
_BEST = '[["<text>","<text>","<text>","<text>"]]'
_MESSAGES = (
    (OTHER, "bbo-tbt", f'"data":[{{"asks":{_BEST},"bids":{_BEST},"ts":"<text>","seqId":<int>}}]'),
    (
        BOOK,
        "books",
        '"action":"update","data":[{"asks":<asks4>,"bids":<bids4>,"ts":"<send>","checksum":<int>,"seqId":<last>,'
        '"prevSeqId":<prev>}]',
    ),
    (
        TRADE,
        "trades",
        '"data":[{"instId":"<text>","tradeId":"<id>","px":"<price>","sz":"<size>","side":"<taker>","ts":"<event>",'
        '"count":"<text>","source":"<text>","seqId":<int>}]',
    ),
)
SHAPES = tuple(
    Shape(venue, kind, f'{{"arg":{{"channel":"{channel}","instId":"{name}"}},{text}}}', channel)
    for venue, name in _NAMES
    for kind, channel, text in _MESSAGES
)
"""What the channels write since 2026; snapshots, and changes with a checksum below 0, are left to `parse`."""


@guarded
def route(doc: dict[str, Any], conn: str) -> tuple[str, str | None]:
    """Venue and symbol of a frame; `BTC-USDT-SWAP` is a swap, `BTC-USDT` is spot; None for what is not of one symbol.

    Raises:
        FrameError: `unknown_frame` without an instrument, `wrong_venue` for dated futures and options.
    """
    symbol = doc["arg"].get("instId") if isinstance(doc.get("arg"), dict) else None
    if symbol is None and kind(doc) == "other" and isinstance(doc["arg"].get("channel"), str):
        return VENUES[0], None
    if not isinstance(symbol, str):
        raise FrameError("unknown_frame", f"no arg with an instId: {str(doc)[:80]}")
    parts = symbol.split("-")
    if len(parts) == 2:
        return VENUES[1], symbol
    if len(parts) == 3 and parts[2] == "SWAP":
        return VENUES[0], symbol
    raise FrameError("wrong_venue", f"{symbol} is neither a swap nor a spot pair")


def kind(doc: dict[str, Any]) -> str:
    """The kind of a frame that `route` accepted, see `dialects`.

    Books from before June 2023 have no ids: nothing shows that one of their messages is missing.
    """
    found = kind_of(doc["arg"].get("channel"), KINDS)
    return "other" if found == "book" and _unnumbered(doc) else found


def stream(doc: dict[str, Any]) -> str:
    """The name of a frame's channel."""
    name = str(doc["arg"].get("channel"))
    return f"{name} without seqId, as before June 2023" if name in KINDS and kind(doc) == "other" else name


def begins(doc: dict[str, Any]) -> bool:
    """Whether a book message replaces the book."""
    return doc["arg"]["channel"] == WHOLE or doc.get("action") == "snapshot"


@guarded
def event_ts(doc: dict[str, Any]) -> int:
    """Matching-engine time in ns UTC, the latest of the frame.

    Raises:
        FrameError: `bad_frame` if there is none.
    """
    stamp = max(int(entry["ts"]) for entry in doc["data"])
    if stamp <= 0:
        raise FrameError("bad_frame", f"event time is {stamp}")
    return stamp_ns(stamp)


@guarded
def outline(doc: dict[str, Any]) -> list[BookMessage]:
    """The book messages of a frame without their levels: ids and times.

    Raises:
        FrameError: a field is missing or of the wrong type.
    """
    if kind(doc) != "book":
        return []
    found: list[BookMessage] = []
    for entry in doc["data"]:
        if doc["arg"]["channel"] == WHOLE:  # its ids count messages of another channel than the changes'
            sent = stamp_ns(int(entry["ts"]))
            found.append(BookMessage(True, sent, sent, -1, -1, -1))
            continue
        begins = doc["action"] == "snapshot"
        ts = stamp_ns(int(entry["ts"]))
        sequence = whole(entry["seqId"])
        # a snapshot follows nothing, and says so by -1 or not at all
        prev = whole(entry.get("prevSeqId", -1) if begins else entry["prevSeqId"])
        found.append(BookMessage(begins, ts, ts, sequence, sequence, prev))
    return found


@guarded
def sides(doc: dict[str, Any]) -> list[tuple[Levels, Levels]]:
    """Bids and asks of each book message of a frame, as they are written.

    Raises:
        FrameError: there are none.
    """
    if kind(doc) != "book":
        return []
    return [(_pairs(entry["bids"]), _pairs(entry["asks"])) for entry in doc["data"]]


@guarded
def parse(doc: dict[str, Any], instrument: Instrument) -> tuple[list[BookMessage], list[Trade | FrameError]]:
    """Book messages and trades of one frame; an invalid trade is returned as its error. Other channels give neither.

    Raises:
        FrameError: a field is missing or a number is invalid.
    """
    match kind(doc):
        case "book":
            both = zip(outline(doc), sides(doc), strict=True)
            return [_whole(message, bids, asks, instrument) for message, (bids, asks) in both], []
        case "trade":
            return [], [_trade(entry, instrument) for entry in doc["data"]]
        case _:
            return [], []


def _unnumbered(doc: dict[str, Any]) -> bool:
    data = doc.get("data")
    entries = data if isinstance(data, list) else []
    books = [entry for entry in entries if isinstance(entry, dict) and "asks" in entry and "bids" in entry]
    return bool(books) and not any("seqId" in entry or "prevSeqId" in entry for entry in books)


def _whole(message: BookMessage, bids: Levels, asks: Levels, instrument: Instrument) -> BookMessage:
    return add_levels(add_levels(message, (), asks, instrument), bids, (), instrument)


def _pairs(levels: Sequence[Sequence[str]]) -> Levels:
    # a level is price, size, a field that is always 0, and the number of orders
    return [(level[0], level[1]) for level in levels]


def _trade(entry: dict[str, Any], instrument: Instrument) -> Trade | FrameError:
    price = to_units(entry["px"], instrument.price_decimals)
    size = to_units(entry["sz"], instrument.size_decimals)
    if price <= 0 or size <= 0:
        return FrameError("off_market", f"trade {entry['tradeId']}: price {entry['px']}, size {entry['sz']}")
    return Trade(stamp_ns(int(entry["ts"])), str(entry["tradeId"]), SIDES[entry["side"]], price, size)
