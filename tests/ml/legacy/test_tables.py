"""Parquet files and columns from strangers."""

import polars as pl
import pytest

from ml.errors import SourceRefused
from ml.legacy.tables import load, typed


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    """With what the reader says about it."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceRefused) as refused:
        load(tmp_path / "a.parquet")
    assert refused.value.reason == "bad_parquet"


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([True, None], pl.Boolean(), [True, None]),
        ([None, None], pl.Boolean(), [None, None]),
        (["True", "false", "x"], pl.Boolean(), [True, False, None]),
        (["1.5", "x"], pl.Float64(), [1.5, None]),
        ([3.0, None], pl.Int64(), [3, None]),
    ],
)
def test_a_column_gets_its_type(values, dtype, expected):
    """What cannot be read is null."""
    assert typed(pl.DataFrame({"a": values}), "a", dtype).to_list() == expected


def test_a_missing_column_is_null():
    """Older files lack what later ones have."""
    assert typed(pl.DataFrame({"a": [1, 2]}), "b", pl.Float64()).to_list() == [None, None]
