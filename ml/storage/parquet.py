"""Encoding of parquet files: few bytes per level update, and the same bytes for the same rows.

This module defines encodings and compression (docs/decisions/008) and writes and reads tables in parts. Publishing a
file belongs to `ml.storage.commit`.
"""

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from ml.core.errors import StoreError

ROW_GROUP = 1 << 18
RAW_GROUP = 1 << 15
"""Rows of a group; fewer where they hold raw bytes, some of which are long."""
LEVEL = 3
RAW_LEVEL = 1
"""Of compression; a higher one makes raw bytes no smaller."""
SPLIT = ("price",)
"""Integer columns that are smaller byte by byte than in a dictionary."""
RISING = ("arrival", "recv_ts", "offset")
"""Integer columns that hardly repeat where a row is a frame: smaller as differences."""
THREADS = 2
"""That read a file back."""
CLOCKS = ("ts", "event_ts", "start_ts", "recv_ts")


class Parts(NamedTuple):
    """A table that need not be held: frames of its schema, one after the other.

    `counted` is what is to be shown of it, `notes` is stored in the file beside the rows; both are complete once the
    last frame has been taken.
    """

    schema: pl.Schema
    frames: Iterable[pl.DataFrame]
    counted: Mapping[str, Any] = MappingProxyType({})
    notes: Mapping[str, str] = MappingProxyType({})


class Content(NamedTuple):
    """What a table holds: columns, rows, first and last time (ns UTC, of the first time column) and a hash by group."""

    schema: pl.Schema
    rows: int
    min_ts: int | None
    max_ts: int | None
    hashes: list[int]


class Stored:
    """A stored table, a group of rows at a time. It is one file from first to last, whatever takes its place.

    Args:
        path: of the file.
        verify: whether the checksum of each page is verified.

    Raises:
        StoreError: the file is missing or damaged; so do its methods.
    """

    def __init__(self, path: Path, verify: bool = False) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not path.exists():
            raise StoreError(f"{path} does not exist. Materialize its asset.")
        self.path = path
        with _readable(path):
            self._file: Any = pq.ParquetFile(pa.OSFile(str(path)), page_checksum_verification=verify)
            self.schema = _frame(pa.Table.from_batches([], self._file.schema_arrow)).schema
        self.groups: int = self._file.metadata.num_row_groups
        self.rows: int = self._file.metadata.num_rows

    def note(self, name: str) -> str:
        """What was stored beside the rows under a name.

        Raises:
            StoreError: the file has no such note.
        """
        text = (self._file.metadata.metadata or {}).get(name.encode())
        if text is None:
            raise StoreError(f"{self.path} has no note {name!r}: older code made it. Materialize its asset again.")
        return text.decode()

    def group(self, number: int, *columns: str) -> pl.DataFrame:
        """One group of rows, of all columns or of some."""
        with _readable(self.path):
            return _frame(self._file.read_row_group(number, list(columns) or None))

    def parts(self, *columns: str) -> Iterator[pl.DataFrame]:
        """All rows in order, of all columns or of some."""
        return (self.group(number, *columns) for number in range(self.groups))

    def parts_that_may_hold(self, column: str, text: str) -> Iterator[pl.DataFrame]:
        """Groups of rows, but for those of which the file's own statistics say that a column has no such text."""
        at = self._file.schema_arrow.get_field_index(column)
        for number in range(self.groups):
            known = self._file.metadata.row_group(number).column(at).statistics
            if known is None or not known.has_min_max or known.min <= text <= known.max:
                yield self.group(number)


def write(table: Parts, sink: BinaryIO) -> Content:
    """Write a table as parquet with page checksums; the bytes depend on rows and notes alone, not on its parts."""
    import pyarrow.parquet as pq

    schema = pl.DataFrame(schema=table.schema).to_arrow().schema
    content = Content(table.schema, 0, None, None, [])
    with pq.ParquetWriter(sink, schema, write_page_checksum=True, **_encoding(table.schema)) as writer:
        for group in _groups(table):
            writer.write_table(group.rechunk().to_arrow(), ROW_GROUP)
            content = _joined(content, _content(group))
        if table.notes:
            writer.add_key_value_metadata(dict(table.notes))
    return content


def content_of(path: Path) -> Content:
    """What a stored file holds, with the checksum of each page verified.

    Raises:
        StoreError: the file is missing or damaged.
    """
    nothing = Content(Stored(path).schema, 0, None, None, [])
    with ThreadPoolExecutor(THREADS) as threads:
        shares = list(threads.map(partial(_contents, path), range(THREADS)))
    groups = sum(len(share) for share in shares)
    return reduce(_joined, (shares[n % THREADS][n // THREADS] for n in range(groups)), nothing)


def _groups(table: Parts) -> Iterator[pl.DataFrame]:
    """The table's rows in groups of one size; a table without rows has one group without rows."""
    size = RAW_GROUP if pl.Binary in table.schema.values() else ROW_GROUP
    held = pl.DataFrame(schema=table.schema)
    first = True
    for part in table.frames:
        held = held.vstack(part) if held.height else part
        while held.height >= size:
            yield held[:size]
            held = held[size:]
            first = False
    if held.height or first:
        yield held


def _contents(path: Path, first: int) -> list[Content]:
    """Of one group of rows in THREADS."""
    stored = Stored(path, verify=True)
    return [_content(stored.group(number)) for number in range(first, stored.groups, THREADS)]


def _content(group: pl.DataFrame) -> Content:
    clock = next((name for name in CLOCKS if name in group.columns), None)
    times: tuple[Any, Any] = (group[clock].min(), group[clock].max()) if clock else (None, None)
    return Content(group.schema, group.height, *times, [zlib.crc32(group.hash_rows().to_numpy().data)])


def _joined(content: Content, more: Content) -> Content:
    first, last = ([t for t in times if t is not None] for times in zip(content[2:4], more[2:4], strict=True))
    rows = content.rows + more.rows
    hashes = content.hashes + more.hashes
    return Content(content.schema, rows, min(first, default=None), max(last, default=None), hashes)


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """What a reader says of a damaged file, as an error of ours."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}. Materialize it again, or restore it from a backup."
        ) from error


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table reads as a frame, never as a series
    return frame


def _encoding(schema: pl.Schema) -> dict[str, Any]:
    """How columns are written: in dictionaries, but for raw bytes and for columns of SPLIT and RISING.

    Raw bytes do not repeat: looking for their dictionary takes longer than all the rest, and makes the file larger.
    """
    raw = [name for name, dtype in schema.items() if dtype == pl.Binary]
    numbers = [name for name, dtype in schema.items() if dtype == pl.Int64]
    plain = {name: "BYTE_STREAM_SPLIT" for name in SPLIT if name in numbers}
    plain |= {name: "DELTA_BINARY_PACKED" for name in RISING if name in numbers and raw}
    return {
        "compression": "zstd",
        "compression_level": {name: RAW_LEVEL if name in raw else LEVEL for name in schema},
        "use_dictionary": [name for name in schema if name not in plain and name not in raw],
        "column_encoding": plain,
    }
