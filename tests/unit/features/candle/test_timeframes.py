"""Family `timeframes` of `unified_240` against the oracle."""

import numpy as np
import polars as pl
import pytest

from ml.candles.bars import Bars
from ml.candles.from_trades import PRICES
from ml.features.candle import columns
from ml.features.candle.build import build
from ml.features.candle.columns import STEP
from ml.features.candle.timeframes import coarser
from tests.support.candles import PAIR, walk


@pytest.mark.parametrize("column", columns.TIMEFRAMES, ids=lambda column: column.id)
def test_as_the_oracle(as_the_oracle, column):
    """Every value from the declared look-back on."""
    as_the_oracle(column)


@pytest.mark.parametrize(("rows", "first"), [(23, 3), (24, 0), (5, 3), (2, 3), (0, 0)])
def test_a_coarse_candle_is_four_fine_ones(rows, first):
    """First open, extremes, last close, sums; what is left over at either end is in none."""
    opened, high, low, close, volume = (x[:rows] for x in walk(30))
    ts = np.arange(rows) * STEP
    found = coarser(Bars(ts, opened, high, low, close, volume, volume * close), first, 4)
    groups = [slice(at, at + 4) for at in range(first, rows - 3, 4)]
    parts = [(ts[g][-1], opened[g][0], max(high[g]), min(low[g]), close[g][-1], sum(volume[g])) for g in groups]
    for column, expected in zip(found, [*zip(*parts, strict=True)] or [[]] * 6, strict=False):
        np.testing.assert_allclose(column, expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "k"), columns.FRAMES.items())
def test_only_closed_candles_count(both, name, k):
    """A coarse column changes in the row whose close is the coarse candle's, and stays until the next."""
    changed = both.ours.filter(pl.col(f"close_position_{name}").diff() != 0)["ts"]
    assert len(changed) > 100
    assert set(changed % (k * STEP)) == {0}


def test_an_open_candle_does_not_count(both):
    """Other prices in the three quarters of an hour that is not over change nothing on the hour's scale."""
    row = int(np.flatnonzero(both.candles["ts"].to_numpy() % (4 * STEP) == 0)[-1])
    inside = pl.int_range(pl.len()).is_between(row + 1, row + 3)
    changed = both.candles.with_columns(pl.when(inside).then(pl.col(p) * 2).otherwise(p) for p in PRICES)
    names = [column.id for column in columns.TIMEFRAMES]
    rows = build(changed, PAIR).select(names)
    assert rows[row : row + 4].equals(both.ours.select(names)[row : row + 4])
    assert row + 4 >= rows.height or not rows[row + 4].equals(both.ours.select(names)[row + 4])
