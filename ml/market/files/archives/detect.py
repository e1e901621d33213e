"""Which archive a file is, by its first line and its name.

Here: recognising, checking the publisher's checksum, and the order of lines.
Add here: a source's formats.
Not here: what a format says (its source's module).
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np

from ml.core.errors import FrameError
from ml.market.bulk.shapes import I64
from ml.market.decode.clock import MAX_BACK_NS
from ml.market.files.archives import binance_vision, bybit, exploded, gdax, tardis
from ml.market.files.archives.messages import Item, Messages
from ml.market.files.archives.order import UNKNOWN, Key, Order, in_order, ordered
from ml.market.files.archives.table import Format
from ml.market.files.lines import ZIP, Line, Torn, lines, magic
from ml.storage.commit import sha256_file

FORMATS: dict[str, Format] = {
    form.id: form for module in (tardis, exploded, bybit, binance_vision, gdax) for form in module.FORMATS
}


@dataclass(frozen=True)
class Archive:
    """A file of a known format; `form` is None for Bybit's order book, whose lines are frames already.

    `header` is its line of column names, or the topic of such an order book, None where there is none; `above` counts
    the lines before the first row.
    """

    path: Path
    form: Format | None
    header: str | None
    above: int

    def origin(self) -> str:
        """What of the frames does not come from the file's bytes: format, venue and symbol by its path, checksum."""
        if self.form is None:
            return f"{bybit.market(self.path, self.header or '')} {_published(self.path)}"
        file = self.form.file(self.path, () if self.header is None else self.form.names(self.header))
        return f"{self.form.id} {':'.join(file)} {_published(self.path)}"


def recognise(path: Path) -> Archive | None:
    """The archive that a file is; None for what may be a collector's capture.

    Raises:
        FrameError: `unknown_format` for a CSV or zip that is no archive we know, `truncated` or `empty` for one that
            holds no line.
    """
    above = 0
    text = ""
    claims = ".csv" in path.name or magic(path)[:2] == ZIP
    for item in lines(path):
        if len(item) == 3:
            if claims:
                raise item[2]
            return None
        text = item[1].decode(errors="replace").rstrip("\r\n")
        if text and not text.startswith("#"):
            break
        above += 1
    topic = bybit.topic_of(text)
    if topic:
        return Archive(path, None, topic, 0)
    for form in () if '"' in text else FORMATS.values():
        if form.fits(form.names(text)):
            return Archive(path, form, text, above + 1)
    named = binance_vision.by_name(path.name)
    if named is not None and text.partition(",")[0].isdigit():
        return Archive(path, named, None, above)
    if claims:
        raise FrameError("unknown_format", f"{path.name}: no supported archive has the columns {text[:120]!r}")
    return None


def origin(path: Path) -> str:
    """See `Archive.origin`; empty for a capture, the error's text for an archive that cannot be read."""
    if path.suffix == ".parquet":
        return ""
    try:
        archive = recognise(path)
        return archive.origin() if archive else ""
    except FrameError as error:
        return str(error)


def read(archive: Archive) -> Iterator[Item]:
    """The messages of an archive as frames, and what had to be quarantined."""
    try:
        _check(archive.path)
        if archive.form is None:
            yield from bybit.frames(archive.path, archive.header or "", _ordered(archive, bybit.key))
            return
        messages = Messages(archive.path, archive.form, archive.header)
        yield from messages.frames(_ordered(archive, messages.key))
    except FrameError as error:
        yield 0, b"", error


def _rows(archive: Archive) -> Iterator[Line | Torn]:
    return islice(lines(archive.path), archive.above, None)


def _ordered(archive: Archive, key: Callable[[bytes], Key]) -> Iterator[Line | Torn]:
    """The rows of a file in their order, those with an odd time as errors; a file that has lost its order is held."""
    by_time = archive.form is not None and archive.form.any_order
    if in_order(_keys(archive, key), late_ns=0 if by_time else MAX_BACK_NS):
        return _rows(archive)
    order = ordered(_keys(archive, key), by_time=by_time)
    rows = _rows(archive) if (order.rows[1:] > order.rows[:-1]).all() else _held(archive, order.rows)
    return _judged(rows, order)


def _keys(archive: Archive, key: Callable[[bytes], Key]) -> Iterator[Key]:
    return (key(item[1]) for item in _rows(archive) if len(item) == 2)


def _judged(rows: Iterator[Line | Torn], order: Order) -> Iterator[Line | Torn]:
    for position, item in zip(chain(order.rows.tolist(), repeat(UNKNOWN)), rows, strict=False):
        error = order.odd.get(position)
        yield item if error is None else (item[0], item[1], error)


def _held(archive: Archive, order: I64) -> Iterator[Line | Torn]:
    """The rows in an order that is not the file's, over its whole text."""
    text = bytearray()
    offsets = array("q")
    torn = list[Torn]()
    for item in _rows(archive):
        if len(item) == 3:
            torn.append(item)
            continue
        offsets.append(item[0])
        text += item[1]
    starts = np.array(offsets) - offsets[0]
    ends = np.append(starts[1:], len(text))
    for k in order.tolist():
        yield offsets[k], bytes(text[starts[k] : ends[k]])
    yield from torn


def _published(path: Path) -> str:
    """The sha256 that the publisher gave beside a file; empty without one."""
    beside = path.with_name(path.name + ".CHECKSUM")
    return beside.read_text(errors="replace").partition(" ")[0].strip().lower() if beside.is_file() else ""


def _check(path: Path) -> None:
    published = _published(path)
    if published and published != sha256_file(path):
        raise FrameError(
            "checksum", f"{path.name} is not the file whose sha256 begins with {published[:12]}; download both again"
        )
