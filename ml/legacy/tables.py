"""Parquet files from strangers, and columns of any type.

Here: reading a file, casting a column to what it should be.
Not here: our own tables (`ml.store`).
"""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ml.errors import SourceRefused


def load(path: Path) -> pl.DataFrame:
    """A file as a frame.

    Raises:
        SourceRefused: it cannot be read.
    """
    try:
        frame = pl.from_arrow(pq.ParquetFile(path).read())
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise SourceRefused("bad_parquet", f"it cannot be read: {error}") from error
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table reads as a frame, never as a series
    return frame


def typed(raw: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Series:
    """A column as the type it should have; null where it is missing, or a value is nothing of the kind."""
    if name not in raw.columns:
        return pl.repeat(None, raw.height, dtype=dtype, eager=True).alias(name)
    values = raw[name]
    if dtype == pl.Boolean and values.dtype == pl.String:
        return values.str.to_lowercase().replace_strict(["true", "false"], [True, False], default=None).alias(name)
    if dtype == pl.Boolean and values.dtype == pl.Null:
        return values.cast(pl.Boolean)
    return values.cast(dtype, strict=False)
