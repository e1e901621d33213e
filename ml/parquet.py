"""How a table's columns are written, so that a level update takes few bytes and the same frame always the same.

Here: encodings and compression, see docs/decisions/008.
Not here: how a file comes to stand in its place (`ml.store`).
"""

from typing import Any, BinaryIO

import polars as pl

ROW_GROUP = 1 << 18
LEVEL = 3
SPLIT = ("price",)
"""Integer columns that are smaller byte by byte than in a dictionary."""


def write(frame: pl.DataFrame, sink: BinaryIO) -> None:
    """Write a frame as parquet with page checksums; the bytes depend on the frame alone."""
    import pyarrow.parquet as pq

    arrow = frame.rechunk().to_arrow()
    pq.write_table(arrow, sink, row_group_size=ROW_GROUP, write_page_checksum=True, **_encoding(frame))


def _encoding(frame: pl.DataFrame) -> dict[str, Any]:
    """How columns are written: in dictionaries, but for raw bytes and for columns of SPLIT.

    Raw bytes do not repeat: looking for their dictionary takes longer than all the rest, and makes the file larger.
    """
    split = [name for name in SPLIT if frame.schema.get(name) == pl.Int64]
    repeating = [name for name, dtype in frame.schema.items() if name not in split and dtype != pl.Binary]
    return {
        "compression": "zstd",
        "compression_level": LEVEL,
        "use_dictionary": repeating,
        "column_encoding": dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
    }
