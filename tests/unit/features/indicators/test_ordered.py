"""Ranks and smallest values of a window, against sorting."""

from statistics import NormalDist

import numpy as np
import pytest

from ml.features.indicators import ordered
from tests.support.candles import walk


def test_rank_among_those_before():
    """Equal values are not smaller."""
    x = np.round(walk(700)[3], 1)
    out = np.empty(700)
    ordered.rank_before(x, 30, out)
    assert np.isnan(out[:30]).all()
    np.testing.assert_allclose(out[30:], [(x[i - 30 : i] < x[i]).mean() for i in range(30, 700)])


@pytest.mark.parametrize("n", [5, 40])
def test_smallest_of_a_window(n):
    """The fifth smallest and the mean of five, also among equal values and after NaN."""
    x = np.round(walk(900)[3], 1)
    last = np.empty(900)
    mean = np.empty(900)
    x[[3, 400]] = np.nan
    ordered.smallest(x, n, np.empty(5), last, mean)
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(x, n), axis=1)
    broken = np.isnan(windows).any(axis=1)
    np.testing.assert_allclose(last[n - 1 :], np.where(broken, np.nan, windows[:, 4]))
    np.testing.assert_allclose(mean[n - 1 :], np.where(broken, np.nan, windows[:, :5].mean(axis=1)))
    assert np.isnan(last[: n - 1]).all()


def test_normal_share():
    """Against the standard library."""
    z = np.linspace(-4, 4, 41)
    out = np.empty(41)
    ordered.normal_share(z, out)
    normal = NormalDist()
    np.testing.assert_allclose(out, [normal.cdf(v) - normal.cdf(-v) for v in z], atol=1e-12)
