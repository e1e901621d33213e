"""Windows against TA-Lib and numpy, at every length around a block's edge."""

import numpy as np
import pytest
import talib

from ml.features.indicators import rolling
from tests.oracles.indicators import over
from tests.support.candles import walk

TALIB = {"sma": talib.SMA, "weighted": talib.WMA}


@pytest.mark.parametrize("n", [2, 5, 20, 50])
@pytest.mark.parametrize("name", TALIB)
def test_as_talib(same, candles, name, n):
    """Means of a window."""
    same(getattr(rolling, name), (candles[3], n), TALIB[name](candles[3], n))


@pytest.mark.parametrize("n", [1, 2, rolling.FEW, rolling.FEW + 1])
@pytest.mark.parametrize("blocks", [0.2, 1, 1.2, 2, 2.1, 4.6, 800])
def test_short_arrays(n, blocks):
    """Fewer rows than a window, a block, two blocks, a chunk: every row is written."""
    rows = max(round(blocks * n), 1)
    x = walk(rows)[3]
    out = np.full(rows, 7.0)
    rolling.total(x, n, out)
    np.testing.assert_allclose(out, over(n, sum, x.tolist()), rtol=1e-12)


@pytest.mark.parametrize("n", [3, 20])
@pytest.mark.parametrize("name", ["total", "weighted"])
def test_a_row_does_not_depend_on_what_follows(name, n):
    """Bit for bit, wherever the array ends: in a block, at its edge, in a chunk."""
    x = walk(1_100)[3]
    whole = np.empty(1_100)
    getattr(rolling, name)(x, n, whole)
    for rows in (1, n - 1, n, n + 1, 2 * n - 1, 2 * n, 511 + n, 512 + n, 1_099):
        out = np.empty(rows)
        getattr(rolling, name)(x[:rows], n, out)
        np.testing.assert_array_equal(out, whole[:rows])


@pytest.mark.parametrize("name", ["total", "sma", "weighted"])
def test_nothing_remembers_what_left_the_window(name):
    """A value a billion times the others is gone without a trace once it left."""
    x = walk(300)[3]
    spoiled = x.copy()
    out = np.empty(300)
    clean = np.empty(300)
    spoiled[100] = 1e12
    getattr(rolling, name)(spoiled, 20, out)
    getattr(rolling, name)(x, 20, clean)
    np.testing.assert_array_equal(out[120:], clean[120:])


@pytest.mark.parametrize("n", [rolling.FEW, 11])
def test_a_hole_spoils_its_windows_and_no_other(n):
    """NaN in, NaN out, for as long as the window holds it."""
    x = walk(100)[3]
    out = np.empty(100)
    x[50] = np.nan
    rolling.total(x, n, out)
    assert np.flatnonzero(np.isnan(out)).tolist() == [*range(n - 1), *range(50, 50 + n)]
