"""Tardis CSV: `incremental_book_L2`, `trades` and `book_snapshot_<N>`.

Formats: https://docs.tardis.dev/downloadable-csv-files/data-types. Stamps are microseconds; both clocks are kept. A run
of rows with `is_snapshot` true replaces the book. There are no update ids.
"""

import re
from collections.abc import Hashable
from typing import Any

from ml.core.errors import FrameError
from ml.market.decode.events import BUY, SELL, stamp_ns
from ml.market.files.archives.table import BOOK, TRADE, File, Format, Row, Rows, TradeRow, one_of, whole_number

VENUES = {
    "binance": "binance-spot",
    "binance-futures": "binance-usdm",
    "binance-delivery": "binance-coinm",
    "bybit-spot": "bybit-spot",
    "okex": "okx-spot",
    "okex-swap": "okx-swap",
    "coinbase": "coinbase-spot",
    "deribit": "deribit",
    "bitmex": "bitmex",
}
"""Tardis exchange -> our venue; `bybit` holds two, which the symbol tells apart."""
INVERSE = re.compile(r".+USD([FGHJKMNQUVXZ]\d{2})?")
SIDES = {"buy": BUY, "sell": SELL}
COMMON = ("exchange", "symbol", "timestamp", "local_timestamp")
LEVEL = re.compile(r"(asks|bids)\[(\d+)\]\.(price|amount)")


def bybit_contract(symbol: str) -> str:
    """The venue of one of Bybit's contracts."""
    return "bybit-inverse" if INVERSE.fullmatch(symbol) else "bybit-linear"


class _Tardis(Format):
    """What all files of Tardis have in common."""

    clock = "local_timestamp"

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """Venue and symbol of a row, which names both; raises FrameError for an exchange that is not known."""
        exchange = row["exchange"]
        symbol = row["symbol"]
        if exchange == "bybit":
            return bybit_contract(symbol), symbol
        if exchange not in VENUES or not symbol:
            known = ", ".join([*VENUES, "bybit"])
            raise FrameError("wrong_venue", f"exchange {exchange!r} is not supported; supported are {known}")
        return VENUES[exchange], symbol

    def event_ts(self, row: Row) -> int:
        """The exchange's time."""
        return stamp_ns(whole_number(row["timestamp"], "timestamp"))

    def latest(self, rows: Rows) -> int:
        """Rows of a message have few times, most often one."""
        return max([stamp_ns(whole_number(stamp, "timestamp")) for stamp in set(rows.column("timestamp"))])

    def recv_ts(self, row: Row, file: File) -> int:
        """The collector's time."""
        return stamp_ns(whole_number(row["local_timestamp"], "local_timestamp"))


class Incremental(_Tardis):
    """One row per level; the rows of a message share the collector's time, a snapshot is a run of rows."""

    id = "tardis-incremental-book-l2"
    kind = BOOK
    grouped = True
    columns = (*COMMON, "is_snapshot", "side", "price", "amount")
    own = ("side", "price", "amount")

    def message(self, row: Row) -> Hashable:
        """One for a run of snapshot rows, else the collector's time."""
        return "snapshot" if self.type(row) else row["local_timestamp"]

    def type(self, row: Row) -> str:
        """`snapshot` or nothing."""
        return one_of({"true": "snapshot", "false": ""}, row["is_snapshot"].lower(), "is_snapshot")

    def levels(self, rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks."""
        found: dict[str, list[tuple[str, str]]] = {"bid": [], "ask": []}
        for side, price, amount in zip(*map(rows.column, ("side", "price", "amount")), strict=True):
            one_of(found, side, "side").append((price, amount))
        return found["bid"], found["ask"]


class BookSnapshots(_Tardis):
    """One row the best N levels of both sides, after each change; nothing tells what changed."""

    id = "tardis-book-snapshot"
    kind = BOOK
    columns = (*COMMON, *(f"{side}[0].{what}" for side in ("asks", "bids") for what in ("price", "amount")))

    def fits(self, names: tuple[str, ...]) -> bool:
        """Whether a header holds levels and nothing else."""
        return set(self.columns) <= set(names) and all(map(LEVEL.fullmatch, set(names) - set(COMMON)))

    def type(self, row: Row) -> str:
        """Each row is a snapshot."""
        return "snapshot"

    def levels(self, rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks; levels that the book does not have are empty cells."""
        (row,) = rows
        found: dict[str, list[tuple[str, str]]] = {"bids": [], "asks": []}
        for side, levels in found.items():
            for k in range(len(row)):
                if not row.get(f"{side}[{k}].price"):
                    break
                levels.append((row[f"{side}[{k}].price"], row[f"{side}[{k}].amount"]))
        return found["bids"], found["asks"]


class Trades(_Tardis):
    """One row a trade; rows that arrived at once are one message."""

    id = "tardis-trades"
    kind = TRADE
    grouped = True
    columns = (*COMMON, "id", "side", "price", "amount")
    own = ("id", "side", "price", "amount")

    def message(self, row: Row) -> Hashable:
        """The collector's time."""
        return row["local_timestamp"]

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade; where the exchange gives it no id, the collector's time and its position make one."""
        if row["side"] not in SIDES:
            raise FrameError("bad_frame", f"trade {row['id']}: aggressor is {row['side']!r}, neither buy nor sell")
        trade_id = row["id"] or f"{row['local_timestamp']}-{position}"
        return TradeRow(trade_id, SIDES[row["side"]], row["price"], row["amount"])


FORMATS = (Incremental(), Trades(), BookSnapshots())
