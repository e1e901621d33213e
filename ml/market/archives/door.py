"""Which archive a file is, by its first line and its name.

Here: recognising, checking the publisher's checksum, and the order of lines.
Add here: a source's formats.
Not here: what a format says (its source's module).
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from ml.errors import FrameError
from ml.market.archives import binance_vision, bybit, exploded, gdax, tardis
from ml.market.archives.messages import Item, Messages
from ml.market.archives.table import Format
from ml.market.lines import ZIP, Line, Torn, lines, magic
from ml.store import sha256_file

FORMATS: dict[str, Format] = {
    form.id: form for module in (tardis, exploded, bybit, binance_vision, gdax) for form in module.FORMATS
}


@dataclass(frozen=True)
class Archive:
    """A file of a known format; `form` is None for Bybit's order book, whose lines are frames already.

    `header` is its line of column names, None where there is none; `above` counts the lines before the first row.
    """

    path: Path
    form: Format | None
    header: str | None
    above: int

    def origin(self) -> str:
        """What of the frames does not come from the file's bytes: format, venue and symbol by its path, checksum."""
        if self.form is None:
            return f"{bybit.market(self.path)} {_published(self.path)}"
        file = self.form.file(self.path, () if self.header is None else self.form.names(self.header))
        return f"{self.form.id} {':'.join(file)} {_published(self.path)}"


def recognise(path: Path) -> Archive | None:
    """The archive that a file is; None for what may be a collector's capture.

    Raises:
        FrameError: `unknown_format` for a CSV or zip that is no archive we know, `truncated` or `empty` for one that
            holds no line.
    """
    above, text = 0, ""
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
    if _is_stream(text):
        return Archive(path, None, None, 0)
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
    """The messages of an archive as frames, and what had to be set aside."""
    try:
        _check(archive.path)
        if archive.form is None:
            yield from bybit.frames(archive.path, lines(archive.path))
            return
        messages = Messages(archive.path, archive.form, archive.header)
        yield from messages.frames(_rows(archive) if not archive.form.any_order else _by_time(archive, messages))
    except FrameError as error:
        yield 0, b"", error


def _rows(archive: Archive) -> Iterator[Line | Torn]:
    return islice(lines(archive.path), archive.above, None)


def _by_time(archive: Archive, messages: Messages) -> Iterable[Line | Torn]:
    """The rows in the order of time; only those of a file that is in another order are held in memory."""
    stamps = array("q", (messages.recv_ts(item[1]) for item in _rows(archive)))
    if all(earlier <= later for earlier, later in zip(stamps, islice(stamps, 1, None), strict=False)):
        return _rows(archive)
    pairs = list(zip(stamps, _rows(archive), strict=True))
    if pairs[0][0] > pairs[-1][0]:
        pairs.reverse()  # a file that runs backwards: prints of one time were also written backwards
    return [item for _, item in sorted(pairs, key=lambda pair: (len(pair[1]) == 3, pair[0]))]


def _is_stream(text: str) -> bool:
    """Whether a line is a message of Bybit's stream as it is, without a collector's stamp."""
    if not text.startswith("{"):
        return False
    try:
        return str(orjson.loads(text).get("topic")).startswith("orderbook.")
    except orjson.JSONDecodeError:
        return False


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
