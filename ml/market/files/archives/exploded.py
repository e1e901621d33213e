"""Binance streams as exploded CSV: one row per level of a diff, or a trade, with all fields of the message.

Formats: https://github.com/DanielLasota/Binance-Data-Processor (difference depth stream, trade stream); a block of
lines that start with `#` may stand before the header. Stamps are ms or us. Both clocks and the update ids are kept, but
no snapshot.
"""

from collections.abc import Hashable
from typing import Any

from ml.core.errors import FrameError
from ml.market.decode.events import BUY, SELL, stamp_ns
from ml.market.files.archives.binance_vision import COINM
from ml.market.files.archives.table import BOOK, TRADE, File, Format, Ids, Row, Rows, TradeRow, one_of, whole_number

COMMON = ("TimestampOfReceive", "Stream", "EventType", "EventTime")
PREVIOUS = "FinalUpdateIdInLastStream"
MAKER = {"0": BUY, "1": SELL, "False": BUY, "True": SELL}
"""The buyer was the maker -> the aggressor sold."""


class _Exploded(Format):
    """What both files have in common; spot has no transaction time in its diffs."""

    clock = "TimestampOfReceive"

    def event_ts(self, row: Row) -> int:
        """The transaction time; on spot the send time."""
        column = "TransactionTime" if row.get("TransactionTime") else "EventTime"
        return stamp_ns(whole_number(row[column], column))

    def recv_ts(self, row: Row, file: File) -> int:
        """The collector's time."""
        return stamp_ns(whole_number(row["TimestampOfReceive"], "TimestampOfReceive"))

    def send_ts(self, row: Row) -> int:
        """When the venue sent it."""
        return stamp_ns(whole_number(row["EventTime"], "EventTime"))

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """The fields tell the market, as in the stream.

        Raises:
            FrameError: `bad_frame` where the row's stream is that of another symbol.
        """
        if row["Stream"].partition("@")[0].lower() != row["Symbol"].lower():
            raise FrameError("bad_frame", f"Symbol {row['Symbol']!r} contradicts Stream {row['Stream']!r}")
        if COINM.fullmatch(row["Symbol"]):
            return "binance-coinm", row["Symbol"]
        spot = PREVIOUS not in row if "IsAsk" in row else "XUnknownParameter" not in row
        return ("binance-spot" if spot else "binance-usdm"), row["Symbol"]


class Depth(_Exploded):
    """Level changes; the rows of a diff share its ids."""

    id = "binance-exploded-depth"
    kind = BOOK
    grouped = True
    columns = (*COMMON, "Symbol", "FirstUpdateId", "FinalUpdateId", "IsAsk", "Price", "Quantity")
    optional = ("TransactionTime", PREVIOUS, "PSUnknownField")

    def message(self, row: Row) -> Hashable:
        """A diff that was received twice is two messages."""
        return row["TimestampOfReceive"], row["FirstUpdateId"], row["FinalUpdateId"]

    def ids(self, row: Row) -> Ids:
        """Update ids as in the stream."""
        first, last = (whole_number(row[name], name) for name in ("FirstUpdateId", "FinalUpdateId"))
        before = row.get(PREVIOUS)
        return Ids(first, last, whole_number(before, PREVIOUS) if before else -1)

    def levels(self, rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks."""
        found: dict[str, list[tuple[str, str]]] = {"0": [], "1": []}
        for row in rows:
            one_of(found, row["IsAsk"], "IsAsk").append((row["Price"], row["Quantity"]))
        return found["0"], found["1"]


class Trades(_Exploded):
    """One row a trade; on futures a type other than MARKET is a trade outside the market."""

    id = "binance-exploded-trades"
    kind = TRADE
    columns = (*COMMON, "TransactionTime", "Symbol", "TradeId", "Price", "Quantity", "IsBuyerMarketMaker")
    optional = ("XUnknownParameter", "MUnknownParameter")

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade."""
        inside = row.get("XUnknownParameter", "MARKET") == "MARKET"
        side = one_of(MAKER, row["IsBuyerMarketMaker"], "IsBuyerMarketMaker")
        return TradeRow(row["TradeId"], side, row["Price"], row["Quantity"], inside)


FORMATS = (Depth(), Trades())
