"""Capture files: lines of raw frames, compressed or not; the one door for them and for public archives.

Here: the formats that collectors write, and reading them without losing a byte.
Add here: another collector's line format.
Not here: public archives (`ml.market.files.archives`), what the frames say (`ml.market.venues`), which order files have
(`ml.market.files.capture_sequence`).

Formats:
* stamped: `<local time, s ms us or ns> <json>`, as hftbacktest's collector writes;
* sealed: parquet of the table `captures`, as our own capture writes; the offset is the row number;
* wrapped: `{"t": "recv", "conn": ..., "ts": <local seconds>, "data": "<json>"}` with `connect` lines that give the
  connection's address, and `http` lines with the answer from a `url`, such as a snapshot of the book, as cryptofeed's
  raw capture writes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from ml.core.errors import CaptureError, FrameError, StoreError
from ml.core.prefetch import prefetch
from ml.market.bulk.frames import Frames, of_frames, of_lines
from ml.market.decode.events import RawFrame, known_ns, stamp_ns
from ml.market.decode.parse_errors import guarded
from ml.market.files.archives import detect
from ml.market.files.lines import Line, Torn, pieces, split
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform

TOGETHER = 1 << 14
SUFFIXES = (".parquet", ".gz", ".zst", ".jsonl", ".txt", ".log", ".zip", ".csv", ".data")


def find(folder: Path) -> list[Path]:
    """All capture files below a folder, sorted by path.

    Raises:
        CaptureError: no such folder, or no capture file in it.
    """
    if not folder.is_dir():
        raise CaptureError(f"{folder} is not a directory. Name the directory that contains the capture files.")
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in SUFFIXES)
    if not paths:
        raise CaptureError(f"{folder} contains no capture file. Expected: files that end in {', '.join(SUFFIXES)}.")
    return paths


def expand(given: Iterable[Path]) -> list[Path]:
    """Files as they are given, and for each directory the capture files below it.

    Raises:
        CaptureError: a directory holds no capture file.
    """
    return [path for one in given for path in (find(one) if one.is_dir() else [one])]


def read(path: Path) -> Iterator[RawFrame | Torn]:
    """All frames of a file in line order; a line that is none comes as (offset, line, error).

    A file that ends in the middle of its compression gives what could be read, then one `truncated` error; an empty
    file gives one `empty` error, an archive of unknown columns or with a wrong checksum one error of its own.
    """
    if path.suffix == ".parquet":
        yield from _sealed(path)
        return
    try:
        archive = detect.recognise(path)
    except FrameError as error:
        yield 0, b"", error
        return
    yield from _collected(pieces(path), {}) if archive is None else detect.read(archive)


def columns(path: Path) -> Iterator[Frames | Torn]:
    """The same as `read`, many frames at a time."""
    if path.suffix != ".parquet" and not _is_archive(path):
        connections: dict[str, str] = {}
        for item in prefetch(pieces(path)):
            plain = of_lines(*item, stamped=True) if len(item) == 2 else None
            yield from [plain] if plain is not None else _together(_collected([item], connections))
        return
    yield from _together(read(path))


def _is_archive(path: Path) -> bool:
    try:
        return detect.recognise(path) is not None
    except FrameError:
        return True  # one that cannot be read, as `read` will say


def _together(given: Iterable[RawFrame | Torn]) -> Iterator[Frames | Torn]:
    """Frames in columns, and between them what is none."""
    held: list[RawFrame] = []
    for item in given:
        if isinstance(item, RawFrame):
            held.append(item)
        if held and (len(held) == TOGETHER or not isinstance(item, RawFrame)):
            yield of_frames(held)
            held = []
        if not isinstance(item, RawFrame):
            yield item
    if held:
        yield of_frames(held)


def _collected(given: Iterable[Line | Torn], connections: dict[str, str]) -> Iterator[RawFrame | Torn]:
    for item in given:
        if len(item) == 3:
            yield item
            continue
        for offset, line in split(*item):
            try:
                frame = _frame(line, offset, connections)
                if frame is not None:
                    yield frame
            except FrameError as error:
                yield offset, line, error


def _sealed(path: Path) -> Iterator[RawFrame | Torn]:
    try:
        rows = conform(pl.read_parquet(path.read_bytes()), SCHEMAS["captures"], path.name)
    except (pl.exceptions.PolarsError, StoreError) as error:
        yield 0, b"", FrameError("truncated", f"{path.name} is no capture file: {error}")
        return
    for offset, (conn, recv_ts, payload) in enumerate(rows.select("conn", "recv_ts", "payload").iter_rows()):
        yield RawFrame(offset, conn, recv_ts, payload)


@guarded
def _frame(line: bytes, offset: int, connections: dict[str, str]) -> RawFrame | None:
    """The frame on a line; None for a line that is the collector's own note."""
    if line[:1] == b"{":
        return _wrapped(line, offset, connections)
    stamp, space, payload = line.rstrip(b"\r\n").partition(b" ")
    if not (space and stamp.isdigit() and payload):
        raise FrameError("bad_json", "no local stamp before the JSON text")
    return RawFrame(offset, "", stamp_ns(int(stamp)), payload)


def _wrapped(line: bytes, offset: int, connections: dict[str, str]) -> RawFrame | None:
    try:
        note: dict[str, Any] = orjson.loads(line)
        kind = note["t"]
        conn = str(note.get("conn", ""))
        if kind == "connect":
            connections[conn] = str(note["addr"])
        if kind not in ("recv", "http"):
            return None
        if kind == "http":
            connections = {conn: str(note["url"])}
        # the stamp is float seconds: its microseconds are exact, more is noise
        return RawFrame(
            offset, connections.get(conn, conn), known_ns(round(note["ts"] * 1e6) * 1000), note["data"].encode()
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise FrameError("bad_json", f"not a collector's line: {error}") from error
