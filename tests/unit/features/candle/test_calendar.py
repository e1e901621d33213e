"""Family `calendar` of `unified_240` against the oracle."""

import polars as pl
import pytest

from ml.features.candle import columns
from ml.features.candle.build import build
from ml.features.candle.columns import STEP, WEEK
from tests.support.candles import PAIR


@pytest.mark.parametrize("column", columns.CALENDAR, ids=lambda column: column.id)
def test_as_the_oracle(as_the_oracle, column):
    """Every value from the declared look-back on."""
    as_the_oracle(column)


def test_a_known_moment(both):
    """2025-01-01 12:00 UTC was a Wednesday's noon: Asia slept, Europe traded, America did not yet."""
    row = both.ours.filter(ts=1_735_732_800 * 10**9).row(0, named=True)
    assert (row["hour"], row["minute"], row["dayofweek"], row["is_weekend"]) == (12, 0, 2, 0)
    assert (row["asian_session"], row["european_session"], row["american_session"]) == (0, 1, 0)


def test_no_column_tells_one_week_from_another(both):
    """The same week of another year has the same columns: none is an absolute time."""
    later = both.candles.with_columns(pl.col("ts") + 52 * WEEK * STEP)
    names = [column.id for column in columns.CALENDAR]
    assert build(later, PAIR).select(names).equals(both.ours.select(names))
