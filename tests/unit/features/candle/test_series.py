"""The small parts from which the columns are made."""

import numpy as np
import pytest

from ml.features.candle.columns import DAY, STEP
from ml.features.candle.series import back, change, first_of, flag


def test_back_and_change():
    """What was n rows ago, NaN where there was nothing; also of fewer rows than n."""
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(back(x, 2), [np.nan, np.nan, 1.0])
    np.testing.assert_array_equal(back(x, 5), [np.nan] * 3)
    np.testing.assert_array_equal(change(x, 1), [np.nan, 1.0, 1.0])


@pytest.mark.parametrize("rows", [4, 16, DAY])
def test_the_first_whole_stretch_of_the_grid(rows):
    """A candle opens an interval if the one before it closed on the grid of the interval."""
    for shift in range(rows):
        ts = (np.arange(2 * rows) + shift + 1) * STEP
        first = first_of(ts, rows)
        assert 0 <= first < rows
        assert (ts[first] - STEP) % (rows * STEP) == 0


def test_a_flag_of_what_is_not_known_is_not_known():
    """Neither yes nor no."""
    x = np.array([np.nan, 1.0, -1.0])
    np.testing.assert_array_equal(flag(x > 0, x), [np.nan, 1.0, 0.0])
