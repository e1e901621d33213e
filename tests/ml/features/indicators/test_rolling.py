"""Windows against TA-Lib and numpy, at every length around a block's edge."""

import numpy as np
import pytest
import talib

from ml.features.indicators import rolling
from tests.candles import walk
from tests.oracles.indicators import over

TALIB = {"sma": talib.SMA, "weighted": talib.WMA, "highest": talib.MAX, "lowest": talib.MIN}


@pytest.mark.parametrize("n", [2, 5, 20, 50])
@pytest.mark.parametrize("name", TALIB)
def test_as_talib(same, candles, name, n):
    """Means and extremes of a window."""
    same(getattr(rolling, name), (candles[3], n), TALIB[name](candles[3], n))


@pytest.mark.parametrize("rows", [1, 4, 5, 6, 9, 10, 11, 23])
@pytest.mark.parametrize(("name", "value"), [("total", sum), ("highest", max), ("lowest", min)])
def test_short_arrays(name, value, rows):
    """Fewer rows than a window, a block, two blocks: every row is written."""
    x, out = walk(rows)[3], np.full(rows, 7.0)
    getattr(rolling, name)(x, 5, out)
    np.testing.assert_allclose(out, over(5, value, x.tolist()), rtol=1e-12)


@pytest.mark.parametrize(("name", "pick"), [("since_highest", np.argmax), ("since_lowest", np.argmin)])
def test_positions_of_extremes(name, pick):
    """The newest of equal values counts."""
    x, out = np.round(walk(500)[3]), np.empty(500)
    getattr(rolling, name)(x, 7, out)
    expected = [pick(x[i - 6 : i + 1][::-1]) for i in range(6, 500)]
    np.testing.assert_array_equal(out[6:], expected)


@pytest.mark.parametrize("name", ["total", "sma", "highest", "lowest"])
def test_nothing_remembers_what_left_the_window(name):
    """A value a billion times the others is gone without a trace once it left."""
    x = walk(300)[3]
    spoiled, out, clean = x.copy(), np.empty(300), np.empty(300)
    spoiled[100] = 1e12
    getattr(rolling, name)(spoiled, 20, out)
    getattr(rolling, name)(x, 20, clean)
    np.testing.assert_array_equal(out[120:], clean[120:])


def test_a_hole_spoils_its_windows_and_no_other():
    """NaN in, NaN out, for as long as the window holds it."""
    x, out = walk(100)[3], np.empty(100)
    x[50] = np.nan
    rolling.total(x, 7, out)
    assert np.flatnonzero(np.isnan(out)).tolist() == [*range(6), *range(50, 57)]
