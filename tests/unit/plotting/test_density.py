"""Rows by minute: every row counts once, in the minute of the UTC day in which it lies."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ml.catalog.tables import TABLES
from ml.core.time import DAY_NS, MINUTE
from ml.plotting.density import MINUTES, TIMES, by_minute, picture

DAY = 1_741_046_400 * 10**9


@given(st.lists(st.integers(1, 3 * DAY_NS - 1), max_size=40))
def test_rows_are_counted_as_a_loop_counts_them(offsets):
    """Days are laid over one another; rows without a time are left out."""
    rows = pl.DataFrame({"ts": [DAY + ns for ns in offsets] + [0]}, schema={"ts": pl.Int64})
    expected = np.zeros(MINUTES, np.int64)
    for ns in offsets:
        expected[ns % DAY_NS // MINUTE] += 1
    assert by_minute(rows.iter_slices(3), "ts").tolist() == expected.tolist()


def test_a_hole_is_seen():
    """The picture depends on the counts alone, and is small."""
    full = np.full(MINUTES, 60)
    holed = full.copy()
    holed[600:700] = 0
    assert picture(full) == picture(full) != picture(holed)
    assert len(picture(holed)) < 30_000


def test_the_times_are_columns_of_their_tables():
    """Else the picture of a table would fail when it is stored."""
    for table, column in TIMES.items():
        assert column in TABLES[table].schema, table
