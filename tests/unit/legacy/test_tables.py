"""Parquet files and columns of unknown origin."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import SourceRefused
from ml.legacy.tables import fit, load


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    """With what the reader says about it."""
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceRefused) as refused:
        load(tmp_path / "a.parquet")
    assert refused.value.reason == "bad_parquet"


TEXT = pl.String()
FLOAT = pl.Float64()
INTEGER = pl.Int64()
FLAG = pl.Boolean()
NAN = float("nan")
INFINITE = float("inf")


@pytest.mark.parametrize(
    ("values", "dtype", "expected", "invalid"),
    [
        ([True, None], FLAG, [True, None], []),
        ([None, None], FLAG, [None, None], []),
        (["True", " false ", "x", "1"], FLAG, [True, False, None, True], [2]),
        ([1, 0, 2], FLAG, [True, False, None], [2]),
        ([1.0, NAN, 0.5], FLAG, [True, None, None], [2]),
        (["1.5", "x", "", None], FLOAT, [1.5, None, None, None], [1, 2]),
        ([1.5, NAN, -INFINITE], FLOAT, [1.5, None, None], []),
        (["nan", "inf"], FLOAT, [None, None], []),
        ([[1.0], None], FLOAT, [None, None], [0]),
        ([datetime(2025, 1, 1, tzinfo=UTC)], FLOAT, [None], [0]),
        ([b"1", b"\xff"], FLOAT, [1.0, None], [1]),
        ([3.0, 3.5, 1e300, None], INTEGER, [3, None, None, None], [1, 2]),
        (["3", "3.0", "3.5"], INTEGER, [3, 3, None], [2]),
        (["WEAK", "", None], TEXT, ["WEAK", "", None], []),
        ([3, None], TEXT, ["3", None], []),
        ([0.5, NAN], TEXT, ["0.5", None], []),
        ([["a", "b"], []], TEXT, ['["a","b"]', "[]"], []),
        ([b"\xff", b"a"], TEXT, [None, "a"], [0]),
    ],
)
def test_a_column_gets_its_type(values, dtype, expected, invalid):
    """Text stays text, and no number is rounded into another; the rows of what does not fit are named."""
    fitted = fit(pl.Series("a", values), dtype)
    assert (fitted.values.to_list(), fitted.invalid, fitted.values.dtype) == (expected, invalid, dtype)


CELLS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.floats()),
    st.lists(st.none() | st.booleans()),
    st.lists(st.none() | st.text(max_size=5)),
    st.lists(st.none() | st.binary(max_size=3)),
    st.lists(st.none() | st.lists(st.integers(0, 9), max_size=2)),
)


@given(CELLS, st.sampled_from([TEXT, FLOAT, INTEGER, FLAG]))
def test_no_value_is_lost_without_a_count(values, dtype):
    """Whatever a column holds: each value that was there is there, or counted for exactly one reason."""
    fitted = fit(pl.Series("a", values, strict=False), dtype)
    there = sum(value is not None for value in values)
    assert there == fitted.values.count() + len(fitted.invalid) + fitted.nan + fitted.infinite
    assert fitted.values.len() == len(values)
