"""Parquet files of unknown origin, and columns of any type.

Here: reading a file, and bringing a column to the type that it should have, with the values that do not fit.
Not here: our own tables (`ml.storage.commit`).
"""

from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ml.core.errors import SourceRefused


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


class Fitted(NamedTuple):
    """A column in its type.

    Null are the values that were null, those that are NaN or infinite, which are counted, and those of another kind,
    whose rows are in `invalid`.
    """

    values: pl.Series
    invalid: list[int]
    nan: int
    infinite: int


def fit(values: pl.Series, dtype: pl.DataType) -> Fitted:
    """A column as text, float64, int64 or boolean; text that reads as a number or a boolean is one."""
    plain = _plain(values)
    number = _parsed(plain, dtype) if plain.dtype == pl.String and dtype != pl.String else plain
    nan = infinite = pl.repeat(False, number.len(), dtype=pl.Boolean, eager=True)
    if number.dtype.is_float():
        nan = number.is_nan().fill_null(value=False)
        infinite = number.is_infinite().fill_null(value=False)
        number = pl.select(pl.when(~(nan | infinite)).then(number)).to_series()
    fitted = _cast(number, dtype)
    invalid = values.is_not_null() & fitted.is_null() & ~(nan | infinite)
    return Fitted(fitted.alias(values.name), invalid.arg_true().to_list(), int(nan.sum()), int(infinite.sum()))


def text_of(value: Any) -> str | None:
    """A value as text: text stays, anything else becomes JSON; None where bytes are no text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value if value is None or isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _plain(values: pl.Series) -> pl.Series:
    """Numbers and booleans as they are, anything else as text."""
    if values.dtype.is_decimal():
        return values.cast(pl.Float64)
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values
    if values.dtype.is_nested() or isinstance(values.dtype, pl.Binary | pl.Object):
        return pl.Series(values.name, [text_of(value) for value in values.to_list()], dtype=pl.String)
    return values.cast(pl.String)


def _parsed(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    plain = text.str.strip_chars()
    if dtype == pl.Boolean:
        plain = plain.str.to_lowercase().replace({"true": "1", "false": "0"})
    return plain.cast(pl.Float64, strict=False)


def _cast(number: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Only what the type can say: no fraction becomes an integer, no other number than 0 and 1 a boolean."""
    if dtype == pl.Boolean and number.dtype != pl.Boolean:
        return number.replace_strict([0, 1], [False, True], default=None, return_dtype=pl.Boolean)
    if dtype == pl.Int64 and number.dtype.is_float():
        return pl.select(pl.when(number == number.round()).then(number)).to_series().cast(pl.Int64, strict=False)
    return number.cast(dtype, strict=False)
