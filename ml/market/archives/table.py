"""CSV archives as such: a format is its columns, and what one row says.

Here: the face of a format, and grouping the rows of a file into messages, each a frame with its lines unchanged.
Add here: nothing of one source; a source has a module of its own beside this one.
Not here: which format a file has (`ml.market.archives.door`), events (`ml.market.archives.dialect`).

The payload of a frame is `{"archive": <format>, "symbol": ..., "rows": [<line>, ...]}`, with `columns` where the file
has a header, `type` where it says what the message is, and `date` where ids count anew in each file.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ml.errors import FrameError
from ml.market.events import RawFrame

BOOK, TRADE, SNAPSHOT, OTHER = "book", "trade", "snapshot", "other"
"""Kinds of message, as `ml.market.venues.dialects` has them."""
UNFIT = (KeyError, TypeError, ValueError, IndexError, OverflowError, ArithmeticError)
"""What reading a number or a time from the text of a row may raise."""
CELL = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))')
"""A cell and the comma before it; the csv module refuses cells as large as a whole book."""
Row = dict[str, str]
Line = tuple[int, bytes]
Torn = tuple[int, bytes, FrameError]
Item = RawFrame | Torn


class File(NamedTuple):
    """What a file's name and folders say: venue and symbol, and its date where ids count anew in each file."""

    venue: str = ""
    symbol: str = ""
    date: str = ""


class Ids(NamedTuple):
    """First and last update id of a book message and the last of the one before; -1 where there are none."""

    first: int = -1
    last: int = -1
    prev: int = -1


class Print(NamedTuple):
    """One print as a row writes it: price and size are decimal text; `market` is false for a print outside it."""

    trade_id: str
    side: int
    price: str
    size: str
    market: bool = True


class Format:
    """One kind of CSV file. Each subclass says what a row of it means; times are ns UTC.

    Any of its methods may raise one of `UNFIT` for a row that does not have the form.
    """

    id: str
    kind: str
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()
    spelt: dict[str, str] = {}  # noqa: RUF012 - a constant of the class: other spellings of column names
    grouped = False
    """Several rows may make one message; else each row is one."""
    any_order = False
    """Files may be in another order than that of time."""

    def fits(self, names: tuple[str, ...]) -> bool:
        """Whether a header is this format's: all its columns, and no other than the optional."""
        return len(set(names)) == len(names) and set(self.columns) <= set(names) <= {*self.columns, *self.optional}

    def file(self, path: Path, names: tuple[str, ...]) -> File:
        """What the path says; raises FrameError where it must say more."""
        return File()

    def place(self, row: Row, file: File) -> tuple[str, str]:
        """Venue and symbol of a row; raises FrameError for a venue that is not known."""
        return file.venue, file.symbol

    def event_ts(self, row: Row) -> int:
        """When the venue says that it happened."""
        raise NotImplementedError

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

    def levels(self, rows: list[Row]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks of a book message, as (price, size) texts."""
        raise NotImplementedError

    def print(self, row: Row, position: int, doc: dict[str, Any]) -> Print:
        """The print on a row, which is the `position`-th of its message."""
        raise NotImplementedError

    def rows(self, doc: dict[str, Any]) -> list[Row]:
        """The rows of a message by column."""
        header = doc.get("columns")
        given: list[str] = doc["rows"]
        cells = [split(line) for line in given]
        names = self.names(header) if header is not None else self.unnamed(len(cells[0]))
        return [dict(zip(names, row, strict=True)) for row in cells]

    def names(self, header: str) -> tuple[str, ...]:
        """The column names of a header line, spelt our way."""
        return _names(header, tuple(self.spelt.items()))

    def unnamed(self, count: int) -> tuple[str, ...]:
        """The column names of a file without header that has so many columns."""
        return (self.columns + self.optional)[:count]


@dataclass
class _Message:
    """The rows of one message so far."""

    offset: int
    venue: str
    symbol: str
    common: Hashable
    type: str
    recv_ts: int
    lines: list[str] = field(default_factory=list)


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


class Messages:
    """The messages of one file, made of its lines below the header.

    A row that cannot be read spoils the message that it stands in, which the decoder then sets aside; where a row is a
    message it is set aside at once. Where the file is torn, a note of the loss goes before the error.

    Raises:
        FrameError: the path does not say what it must, such as the symbol.
    """

    def __init__(self, path: Path, form: Format, header: str | None) -> None:
        self.name, self.form, self.header = path.name, form, header
        self.names = None if header is None else form.names(header)
        self.file = form.file(path, self.names or ())
        self.open: _Message | None = None

    def frames(self, given: Iterable[Line | Torn]) -> Iterator[Item]:
        """Frames and refused lines, in the order of the file."""
        for item in given:
            if len(item) == 2:
                yield from self._line(*item)
                continue
            last = self.open
            yield from self._end()
            if last is not None:
                loss = orjson.dumps({"loss": "bad_frame", "symbol": last.symbol})
                yield RawFrame(item[0], f"{last.venue} {self.name}", last.recv_ts, loss)
            yield item
        yield from self._end()

    def recv_ts(self, line: bytes) -> int:
        """Receive time of a line; 0 where it cannot be read."""
        try:
            return self._read(0, line.decode(errors="replace").rstrip("\r\n")).recv_ts
        except (*UNFIT, FrameError):
            return 0

    def _line(self, offset: int, line: bytes) -> Iterator[Item]:
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            return
        try:
            read = self._read(offset, text)
        except (*UNFIT, FrameError) as error:
            if self.open is not None and self.form.grouped:
                self.open.lines.append(text)
                return
            yield offset, line, unfit(error)
            return
        if self.open is not None and self.open.common == read.common:
            self.open.recv_ts = max(self.open.recv_ts, read.recv_ts)
        else:
            yield from self._end()
            self.open = read
        self.open.lines.append(text)

    def _read(self, offset: int, text: str) -> _Message:
        cells, form = split(text), self.form
        row = dict(zip(self.names or form.unnamed(len(cells)), cells, strict=True))
        venue, symbol = form.place(row, self.file)
        common = (venue, symbol, form.message(row) if form.grouped else offset)
        return _Message(offset, venue, symbol, common, form.type(row), form.recv_ts(row, self.file))

    def _end(self) -> Iterator[RawFrame]:
        message, self.open = self.open, None
        if message is None:
            return
        said = {"type": message.type, "date": self.file.date, "columns": self.header}
        doc: dict[str, Any] = {"archive": self.form.id, "symbol": message.symbol}
        doc |= {name: value for name, value in said.items() if value}
        payload = orjson.dumps(doc | {"rows": message.lines})
        yield RawFrame(message.offset, f"{message.venue} {self.name}", message.recv_ts, payload)


def unfit(error: Exception) -> FrameError:
    """The reason for setting aside what raised an error."""
    return error if isinstance(error, FrameError) else FrameError("bad_frame", f"{type(error).__name__}: {error}")


@lru_cache(maxsize=64)
def _names(header: str, spelt: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    other = dict(spelt)
    return tuple(other.get(name, name) for name in (name.strip() for name in split(header)))
