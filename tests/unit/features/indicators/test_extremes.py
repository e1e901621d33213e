"""Extremes of a window against TA-Lib and lists."""

import numpy as np
import pytest
import talib

from ml.features.indicators import extremes
from tests.oracles.indicators import over
from tests.support.candles import walk

TALIB = {"highest": talib.MAX, "lowest": talib.MIN}
VALUES = {
    "highest": max,
    "lowest": min,
    "since_highest": lambda window: window[::-1].index(max(window)),
    "since_lowest": lambda window: window[::-1].index(min(window)),
}
each = pytest.mark.parametrize("name", VALUES)


@pytest.mark.parametrize("n", [2, 5, 20, 50])
@pytest.mark.parametrize("name", TALIB)
def test_as_talib(same, candles, name, n):
    """Values."""
    same(getattr(extremes, name), (candles[3], n), TALIB[name](candles[3], n))


@each
@pytest.mark.parametrize("rows", [1, 4, 5, 6, 9, 10, 11, 23])
def test_short_arrays(name, rows):
    """Fewer rows than a window, a block, two blocks: every row is written."""
    x = walk(rows)[3]
    out = np.full(rows, 7.0)
    getattr(extremes, name)(x, 5, out)
    np.testing.assert_array_equal(out, over(5, VALUES[name], x.tolist()))


@each
@pytest.mark.parametrize("n", [1, 2, 7, 26])
def test_among_equal_values(name, n):
    """The newest of equal values counts."""
    x = np.round(walk(500)[3])
    out = np.empty(500)
    getattr(extremes, name)(x, n, out)
    np.testing.assert_array_equal(out, over(n, VALUES[name], x.tolist()))


@each
def test_nothing_remembers_what_left_the_window(name):
    """A value a billion times the others is gone without a trace once it left."""
    x = walk(300)[3]
    spoiled = x.copy()
    out = np.empty(300)
    clean = np.empty(300)
    spoiled[100] = 1e12
    getattr(extremes, name)(spoiled, 20, out)
    getattr(extremes, name)(x, 20, clean)
    np.testing.assert_array_equal(out[120:], clean[120:])
