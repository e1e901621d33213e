"""GDAX (now Coinbase) level-2: exploded updates with a snapshot in two files, and raw messages as CSV.

Formats: https://github.com/timothyyu/gdax-orderbook-ml (CSV written by pandas from
https://docs.cdp.coinbase.com/exchange/docs/websocket-channels level2 and matches). Times are ISO 8601 in ms; there are
no update ids. A snapshot has no time: it holds for the next update.
"""

import re
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from ml.core.errors import FrameError
from ml.market.decode.events import BUY, SELL
from ml.market.files.archives.table import (
    BOOK,
    OTHER,
    SNAPSHOT,
    TRADE,
    File,
    Format,
    Row,
    Rows,
    TradeRow,
    one_of,
    spelled,
)

VENUE = "coinbase-spot"
NAME = re.compile(r"(?P<product>.+?)_(?P<date>\d{8}).*")
PRODUCT = re.compile(
    r"(?P<base>.+)-(?P<quote>[^-]+)|(?P<joined>[^-]+)(?P<currency>usdc|usdt|usd|eur|gbp|btc|eth)", re.IGNORECASE
)
"""Any product with its hyphen; without it, as the collector names its files, one quoted in a usual currency."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SIZE_DECIMALS = 8
SURE_DIGITS = 15
"""Digits of a decimal that survive a binary float."""
NOISE = Decimal("1e-10")
RELATIVE_NOISE = Decimal(2) ** -51
"""More than binary floats can be off, of sizes below 100 000 and of larger ones."""
TAKER = {"buy": SELL, "sell": BUY}
"""A match names the maker's side; the aggressor took the other."""


class _Gdax(Format):
    """What the files have in common; their names begin with product and date."""

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """Symbol and date by the name."""
        named = NAME.fullmatch(spelled(path.name))
        product = PRODUCT.fullmatch(named["product"]) if named else None
        if product is None:
            raise FrameError("no_symbol", f"{path.name} is not named <product>_<YYYYMMDD>..., such as BTC-USD_20180424")
        base = product["base"] or product["joined"]
        quote = product["quote"] or product["currency"]
        return File(VENUE, f"{base}-{quote}".upper(), "")

    def event_ts(self, row: Row) -> int:
        """The venue's time."""
        return iso_ns(row["time"])


class Updates(_Gdax):
    """One row per level that changed; consecutive rows of the same time are one message."""

    id = "gdax-l2update"
    kind = BOOK
    clock = "time"
    grouped = True
    columns = ("side", "price", "size", "time")

    def message(self, row: Row) -> Hashable:
        """The time."""
        return row["time"]

    def clock_ns(self, text: str) -> int:
        """The venue's time."""
        return iso_ns(text)

    def levels(self, rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks."""
        found: dict[str, list[tuple[str, str]]] = {"buy": [], "sell": []}
        for row in rows:
            one_of(found, row["side"], "side").append((row["price"], without_noise(row["size"])))
        return found["buy"], found["sell"]


class Snapshots(Updates):
    """One row per level of one side of the book; a file is one message."""

    id = "gdax-snapshot"
    kind = SNAPSHOT
    clock = ""
    columns = ("side", "price", "size")

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """Symbol and date by the name."""
        named = NAME.fullmatch(spelled(path.name))
        date = named["date"] if named else ""
        return super().file(path, names)._replace(date=f"{date[:4]}-{date[4:6]}-{date[6:]}")

    def message(self, row: Row) -> Hashable:
        """All rows are one message."""
        return None

    def event_ts(self, row: Row) -> int:
        """There is none."""
        return 0

    def recv_ts(self, row: Row, file: File) -> int:
        """Midnight of the file's date: before all updates of that day."""
        return iso_ns(f"{file.date}T00:00:00Z")


class Messages(_Gdax):
    """One row per message of the stream, its lists as Python writes them; the row's id holds the second of receipt."""

    id = "gdax-raw"
    kind = BOOK
    clock = "_id"
    columns = (
        "_id",
        "asks",
        "bids",
        "changes",
        "channels",
        "maker_order_id",
        "message",
        "price",
        "product_id",
        "reason",
        "sequence",
        "side",
        "size",
        "taker_order_id",
        "time",
        "trade_id",
        "type",
    )
    kinds = {"snapshot": SNAPSHOT, "l2update": BOOK, "match": TRADE}  # noqa: RUF012
    """`last_match` is a trade from before the connection."""

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """The product, which answers do not name."""
        return file.venue, row["product_id"] or file.symbol

    def type(self, row: Row) -> str:
        """The message's own type."""
        return row["type"]

    def kind_of(self, doc: dict[str, Any]) -> str:
        """By its type."""
        return self.kinds.get(doc.get("type", ""), OTHER)

    def event_ts(self, row: Row) -> int:
        """The venue's time; 0 for a snapshot, which has none."""
        return iso_ns(row["time"]) if row["time"] else 0

    def recv_ts(self, row: Row, file: File) -> int:
        """Seconds, from the first four bytes of the id."""
        try:
            return self.clock_ns(row["_id"])
        except ValueError:
            raise FrameError(
                "bad_frame", f"_id is {row['_id']!r}, whose first eight digits are no hexadecimal number"
            ) from None

    def clock_ns(self, text: str) -> int:
        """The same, of a cell."""
        return int(text[:8], 16) * 10**9

    def levels(self, rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks."""
        (row,) = rows
        if row["type"] == "snapshot":
            bids, asks = (literal(row, column, 2) for column in ("bids", "asks"))
            return [(price, size) for price, size in bids], [(price, size) for price, size in asks]
        found: dict[str, list[tuple[str, str]]] = {"buy": [], "sell": []}
        for side, price, size in literal(row, "changes", 3):
            one_of(found, side, "side").append((price, size))
        return found["buy"], found["sell"]

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """A trade; pandas made its id a float."""
        return TradeRow(
            row["trade_id"].removesuffix(".0"), one_of(TAKER, row["side"], "side"), row["price"], row["size"]
        )


FORMATS = (Updates(), Snapshots(), Messages())


def iso_ns(text: str) -> int:
    """An ISO 8601 time with its zone as ns UTC.

    >>> iso_ns("2018-04-24T03:52:17.202Z")
    1524541937202000000

    Raises:
        FrameError: `bad_frame` for any other text.
    """
    try:
        return (datetime.fromisoformat(text) - EPOCH) // MICROSECOND * 1000
    except (ValueError, TypeError):
        raise FrameError("bad_frame", f"time is {text!r}, not a time of ISO 8601 with its zone") from None


def without_noise(text: str) -> str:
    """A size without what binary floats added to its eight decimals; any other text as it is.

    >>> without_noise("0.11244000000000001")
    '0.11244000'
    """
    if len(text) <= SURE_DIGITS and len(text.partition(".")[2]) <= SIZE_DECIMALS:
        return text
    try:
        number = Decimal(text)
        rounded = round(number, min(SIZE_DECIMALS, SURE_DIGITS - 1 - number.adjusted()))
    except (ArithmeticError, ValueError):
        return text  # no number, or one far too large, as whoever converts it will say
    return f"{rounded:f}" if abs(number - rounded) <= max(NOISE, abs(number) * RELATIVE_NOISE) else text


def literal(row: Row, column: str, width: int) -> list[list[str]]:
    """A cell that holds a list of lists of so many texts, as Python writes it.

    Raises:
        FrameError: `bad_frame` if it holds anything else.
    """
    try:
        found = orjson.loads(row[column].replace("'", '"'))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, list) or any(not isinstance(one, list) or len(one) != width for one in found):
        raise FrameError("bad_frame", f"{column} is {row[column][:60]!r}, not a list of lists of {width} texts")
    return found
