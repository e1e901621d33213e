"""The depth grid: every lot at its distance, blank where the book is unknown."""

import numpy as np
import polars as pl
import pytest

from ml.plotting.depth import COLUMNS, ROWS, depth_grid
from ml.tables.schemas import LEVELS
from tests.support.scenario import INSTRUMENT
from tests.unit.plotting.test_plots import samples


def test_every_lot_is_at_its_distance():
    """Each column is one moment: all sizes, bids below the mid, asks above it, in quote currency and hours."""
    hours, distances, grid = depth_grid(samples(4 * COLUMNS), INSTRUMENT)
    assert grid.shape == (ROWS, COLUMNS) == (len(distances), len(hours))
    np.testing.assert_array_equal(grid.sum(axis=0), 2 * LEVELS * 5)
    np.testing.assert_array_equal(grid[distances < 0].sum(axis=0), LEVELS * 5)
    assert (distances[0], distances[-1]) == (-LEVELS / 10, LEVELS / 10)
    assert (hours[0], hours[1] - hours[0]) == pytest.approx((1 / 3600, 4 / 3600))


def test_it_is_blank_where_the_book_is_unknown():
    """An unknown book is not an empty one."""
    gap = pl.int_range(pl.len()).is_between(100, 149)
    names = [name for name in samples().columns if name.startswith(("bid", "ask"))]
    frame = samples(COLUMNS).with_columns(*(pl.when(~gap).then(n).alias(n) for n in names), valid=~gap)
    _, _, grid = depth_grid(frame, INSTRUMENT)
    blank = np.isin(np.arange(COLUMNS), np.arange(100, 150))
    np.testing.assert_array_equal(np.isnan(grid).all(axis=0), blank)
    np.testing.assert_array_equal(np.isnan(grid).any(axis=0), blank)
