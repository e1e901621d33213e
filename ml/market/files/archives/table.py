"""CSV archives as such: a format is its columns, and what one row says.

Here: the face of a format, and the cells of a line.
Add here: nothing of one source; a source has a module of its own beside this one.
Not here: grouping rows into messages (`ml.market.files.archives.messages`), events
(`ml.market.files.archives.dialect`).
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, overload
from urllib.parse import unquote

from ml.core.errors import FrameError
from ml.market.decode.events import stamp_ns

BOOK = "book"
TRADE = "trade"
SNAPSHOT = "snapshot"
OTHER = "other"
"""Kinds of message, as `ml.market.venues.dialects` has them."""
CELL = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))')
"""A cell and the comma before it; the csv module refuses cells as large as a whole book."""
Row = dict[str, str]
Word = TypeVar("Word")


class File(NamedTuple):
    """What a file's name and folders say: venue and symbol, and its date where ids count again in each file."""

    venue: str = ""
    symbol: str = ""
    date: str = ""


class Ids(NamedTuple):
    """First and last update id of a book message and the last of the one before; -1 where there are none."""

    first: int = -1
    last: int = -1
    prev: int = -1


class TradeRow(NamedTuple):
    """One trade as a row writes it: price and size are decimal text; `market` is false for a trade outside it."""

    trade_id: str
    side: int
    price: str
    size: str
    market: bool = True


class Rows(Sequence[Row]):
    """The rows of a message: one after the other, or column by column, which is many times as fast.

    Raises:
        ValueError: a row has another number of cells than there are columns, or a quote that does not close.
    """

    def __init__(self, names: tuple[str, ...], lines: list[str]) -> None:
        self.names = names
        self.length = len(lines)
        width = len(names)
        text = ",".join(lines)
        rows = [split(line) for line in lines] if '"' in text else None
        self.cells = [cell for row in rows for cell in row] if rows else text.split(",")
        for k, line in enumerate(lines):
            found = len(rows[k]) if rows else line.count(",") + 1
            if found != width:
                raise ValueError(f"row {k + 1} of the message has {found} cells, not {width}")

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        return self.cells[self.names.index(name) :: len(self.names)]

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, k: int) -> Row: ...
    @overload
    def __getitem__(self, k: slice) -> list[Row]: ...
    def __getitem__(self, k: int | slice) -> Row | list[Row]:
        if isinstance(k, slice):
            return [self[n] for n in range(*k.indices(self.length))]
        first = range(self.length)[k] * len(self.names)
        return dict(zip(self.names, self.cells[first : first + len(self.names)], strict=True))


class Format(ABC):
    """One kind of CSV file. Each subclass says what a row of it means; times are ns UTC.

    Any of its methods may raise one of `ml.market.decode.parse_errors.UNFIT` for a row that does not have the form.
    """

    id: str
    kind: str
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()
    spelt: dict[str, str] = {}  # noqa: RUF012 - a constant of the class: other spellings of column names
    own: tuple[str, ...] = ()
    """Columns that say nothing of a row's message: times, venue, symbol and type follow from the others alone."""
    grouped = False
    """Several rows may make one message; else each row is one."""
    whole_days = False
    """A file holds every trade of the dates in its name."""
    clock = ""
    """The column whose times are in the order of the rows: of receipt where that is kept; empty where there is none."""
    counter = ""
    """The column whose ids count up with time; empty where there is none."""
    first = ""
    """The column of the first of the ids that a row of `counter` holds together; empty where there is none."""
    any_order = False
    """Files may be in another order than that of time, and nothing but time tells it."""
    _kept: "tuple[list[str], str | None, Rows] | None" = None
    """Lines and header of the last message that was read, and its rows."""

    def fits(self, names: tuple[str, ...]) -> bool:
        """Whether a header is this format's: all its columns, and no other than the optional."""
        return len(set(names)) == len(names) and set(self.columns) <= set(names) <= {*self.columns, *self.optional}

    def leading(self, names: tuple[str, ...]) -> int:
        """How many columns at the start of a row say all of its message; 0 where they do not stand together."""
        first = len(names) - len(self.own)
        return first if self.grouped and self.own and set(names[first:]) == set(self.own) else 0

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """What the path says; raises FrameError where it must say more."""
        return File()

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """Venue and symbol of a row; raises FrameError for a venue that is not known."""
        return file.venue, file.symbol

    @abstractmethod
    def event_ts(self, row: Row) -> int:
        """When the venue says that it happened."""

    def latest(self, rows: "Rows") -> int:
        """The latest event time of a message."""
        return max(map(self.event_ts, rows))

    def clock_ns(self, text: str) -> int:
        """A time of the column `clock` as ns UTC."""
        return stamp_ns(int(text))

    def recv_ts(self, row: Row, file: File) -> int:
        """When the collector received it; the event time where the archive does not keep that."""
        return self.event_ts(row)

    def send_ts(self, row: Row) -> int:
        """When the venue sent it; 0 where the archive does not keep that."""
        return 0

    def message(self, row: Row) -> Hashable:
        """What the rows of one message have in common; asked only where rows are grouped."""
        return None

    def type(self, row: Row) -> str:
        """What the message is, for a format that has several; a snapshot must be `snapshot`."""
        return ""

    def kind_of(self, doc: dict[str, Any]) -> str:
        """The kind of a message."""
        return self.kind

    def ids(self, row: Row) -> Ids:
        """Update ids of a book message."""
        return Ids()

    def levels(self, rows: "Rows") -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks of a book message, as (price, size) texts; asked only of formats that hold books."""
        raise FrameError("bad_frame", f"{self.id} holds no book")

    def trade(self, row: Row, position: int, doc: dict[str, Any]) -> TradeRow:
        """The trade on a row, the `position`-th of its message; asked only of formats that hold trades."""
        raise FrameError("bad_frame", f"{self.id} holds no trades")

    def rows(self, doc: dict[str, Any]) -> "Rows":
        """The rows of a message by column; raises FrameError if one could not be read when it was made.

        Time, ids and levels of a message are asked for one after the other: the last answer is kept.
        """
        if "unread" in doc:
            raise FrameError("bad_frame", str(doc["unread"]))
        header = doc.get("columns")
        given: list[str] = doc["rows"]
        if self._kept is None or self._kept[0] is not given or self._kept[1] != header:
            names = self.names(header) if header is not None else self.unnamed(len(split(given[0])))
            self._kept = given, header, Rows(names, given)
        return self._kept[2]

    def names(self, header: str) -> tuple[str, ...]:
        """The column names of a header line, spelt our way."""
        return _names(header, tuple(self.spelt.items()))

    def unnamed(self, count: int) -> tuple[str, ...]:
        """The column names of a file without header that has so many columns."""
        return (self.columns + self.optional)[:count]


def one_of(words: dict[str, Word], text: str, column: str) -> Word:
    """What a cell stands for that holds one of a few words.

    Raises:
        FrameError: `bad_frame` for any other word.
    """
    if text not in words:
        raise FrameError("bad_frame", f"{column} is {text!r}, not one of {', '.join(words)}")
    return words[text]


def whole_number(text: str, column: str) -> int:
    """A cell that holds an integer.

    Raises:
        FrameError: `bad_frame` for anything else.
    """
    try:
        return int(text)
    except ValueError:
        raise FrameError("bad_frame", f"{column} is {text!r}, not a whole number") from None


def spelled(name: str) -> str:
    """A file's name with its symbol as the venue writes it: programs that download keep the escapes of an address."""
    return unquote(name)


def split(line: str) -> list[str]:
    """The cells of a CSV line.

    Raises:
        ValueError: a quote that does not close.
    """
    if '"' not in line:
        return line.split(",")
    found = list(CELL.finditer(line))
    if sum(cell.end() - cell.start() for cell in found) != len(line):
        raise ValueError("a quote in the line does not close")
    return [(cell[1] or "").replace('""', '"') or cell[2] or "" for cell in found]


@lru_cache(maxsize=64)
def _names(header: str, spelt: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    other = dict(spelt)
    return tuple(other.get(name, name) for name in (name.strip() for name in split(header)))
