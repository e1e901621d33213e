"""Rows of a CSV archive grouped into messages, each a frame with its lines unchanged.

Here: which rows make a message, and what becomes of one that cannot be read.
Not here: what a row says (`ml.market.files.archives.table`), which format a file has
(`ml.market.files.archives.detect`).

The payload of a frame is `{"archive": <format>, "symbol": ..., "rows": [<line>, ...]}`, with `columns` where the file
has a header, `type` where it says what the message is, and `date` where ids count again in each file,
`unread` where a row could not be read, and `covers` in the first one of a UTC date of which the file holds every trade.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ml.core.errors import FrameError
from ml.core.time import DAY_NS, date_of
from ml.market.decode.events import RawFrame, known_ns
from ml.market.decode.parse_errors import UNFIT, invalid, whole
from ml.market.files.archives.order import OUT_OF_ORDER, Key
from ml.market.files.archives.table import OTHER, TRADE, Format, split
from ml.market.files.lines import Line, Torn

Item = RawFrame | Torn
NAMED_DATE = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
"""A month or a day in a file's name."""


@dataclass
class _Message:
    """The rows of one message so far."""

    offset: int
    venue: str
    symbol: str
    common: Hashable
    type: str
    recv_ts: int
    head: bytes | None = None
    """The cells with which each further row of the message begins; None where nothing but reading a row tells."""
    lines: list[str] = field(default_factory=list)
    unread: str = ""


class Messages:
    """The messages of one file, made of its lines below the header.

    A row that cannot be read spoils the book message that it stands in, which the decoder then quarantines; any other
    row is quarantined alone. Where rows are lost, a note of the loss goes before the error: of books or of trades.

    Raises:
        FrameError: the path does not say what it must, such as the symbol.
    """

    def __init__(self, path: Path, form: Format, header: str | None) -> None:
        self.name = path.name
        self.form = form
        self.header = header
        self.names = None if header is None else form.names(header)
        self.file = form.file(path, self.names or ())
        self.leading = 0 if self.names is None else form.leading(self.names)
        """So many cells at the start of a row say all of its message."""
        names = self.names or form.columns + form.optional
        self.keys = [names.index(name) for name in (form.clock, form.counter, form.first) if name]
        """Columns of the time and the ids by which rows are ordered, as far as there are any."""
        self.open: _Message | None = None
        self.last: _Message | None = None
        """The message before what was lost."""
        dates = NAMED_DATE.findall(path.name)
        self.whole_date = dates[-1] if dates and form.whole_days else None
        self.day = 0

    def frames(self, given: Iterable[Line | Torn]) -> Iterator[Item]:
        """Frames and refused lines, in the order of the file."""
        for item in given:
            if len(item) == 2:
                if not self._goes_on(item[1]):
                    yield from self._line(*item)
                continue
            if item[2].reason == OUT_OF_ORDER and self._spoilt(item[1].decode(errors="replace"), item[2]):
                continue
            # where rows are counted, those behind show whether the odd one was theirs
            if item[2].reason != OUT_OF_ORDER or not self.form.counter:
                yield from self._lost(item[0])
            yield item
        yield from self._end()

    def _lost(self, offset: int) -> Iterator[Item]:
        """Rows may be missing from here on."""
        self.last = self.open or self.last
        yield from self._end()
        if self.last is not None and self.form.kind != OTHER:
            lost = {"books": self.form.kind != TRADE, "trades": self.form.kind == TRADE}
            loss = orjson.dumps({"loss": "bad_frame", "symbol": self.last.symbol} | lost)
            yield RawFrame(offset, f"{self.last.venue} {self.name}", self.last.recv_ts, loss)

    def key(self, line: bytes) -> Key:
        """By what a line is ordered."""
        if not self.keys:
            return Key()
        try:
            cells = split(line.decode(errors="replace").rstrip("\r\n"))
            if len(cells) != len(self.names or self.form.unnamed(len(cells))):
                return Key()
            stamp, *ids = (cells[k] for k in self.keys)
            return Key(self.form.clock_ns(stamp), *map(whole, ids))
        except (*UNFIT, FrameError):
            return Key()

    def _spoilt(self, text: str, error: FrameError) -> bool:
        """Have a row spoil the book message around it; false where it stands alone."""
        if self.open is None or not self.form.grouped or self.form.kind == TRADE:
            return False
        self.open.lines.append(text.rstrip("\r\n"))
        self.open.unread = error.detail
        return True

    def _goes_on(self, line: bytes) -> bool:
        """Take a row that begins like the last one, so that reading it would tell the same of its message."""
        message = self.open
        if message is None or message.head is None or not line.startswith(message.head):
            return False
        if line.count(b",") != len(self.names or ()) - 1 or b'"' in line:
            return False
        message.lines.append(line.decode(errors="replace").rstrip("\r\n"))
        return True

    def _line(self, offset: int, line: bytes) -> Iterator[Item]:
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            return
        try:
            read = self._read(offset, text)
        except (*UNFIT, FrameError) as error:
            if self._spoilt(text, invalid(error)):
                return
            if self.form.whole_days:
                yield from self._lost(offset)
            yield offset, line, invalid(error)
            return
        if self.open is not None and self.open.common == read.common:
            self.open.recv_ts = max(self.open.recv_ts, read.recv_ts)
            self.open.head = read.head
        else:
            yield from self._end()
            self.open = read
        self.open.lines.append(text)

    def _read(self, offset: int, text: str) -> _Message:
        cells = split(text)
        form = self.form
        names = self.names or form.unnamed(len(cells))
        if len(names) != len(cells):
            raise FrameError("bad_frame", f"the row has {len(cells)} cells, not {len(names)}")
        row = dict(zip(names, cells, strict=True))
        venue, symbol = form.place(row, self.file)
        common = (venue, symbol, form.message(row) if form.grouped else offset)
        recv_ts = known_ns(form.recv_ts(row, self.file))
        head = ",".join([*cells[: self.leading], ""]).encode() if self.leading and '"' not in text else None
        return _Message(offset, venue, symbol, common, form.type(row), recv_ts, head)

    def _end(self) -> Iterator[RawFrame]:
        message = self.open
        self.open = None
        if message is None:
            return
        said = {"type": message.type, "date": self.file.date, "columns": self.header, "unread": message.unread}
        said["covers"] = self._covers(message.recv_ts)
        doc: dict[str, Any] = {"archive": self.form.id, "symbol": message.symbol}
        doc |= {name: value for name, value in said.items() if value}
        payload = orjson.dumps(doc | {"rows": message.lines})
        yield RawFrame(message.offset, f"{message.venue} {self.name}", message.recv_ts, payload)

    def _covers(self, ts: int) -> str:
        """The date of the first message of a date of which the file holds every trade, else nothing."""
        if self.whole_date is None or ts // DAY_NS <= self.day:
            return ""
        date = date_of(ts)
        if not date.startswith(self.whole_date):
            return ""
        self.day = ts // DAY_NS
        return date
