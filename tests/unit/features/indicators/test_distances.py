"""Deviations of a window against numpy."""

import numpy as np
import pytest

from ml.features.indicators import distances, rolling


@pytest.mark.parametrize("name", ["deviation", "mean_deviation"])
@pytest.mark.parametrize("n", [2, 7, 20])
def test_deviations(candles, name, n):
    """Around the window's own mean, also over the seams of chunks."""
    x = candles[3]
    mean = np.empty(x.size)
    out = np.empty(x.size)
    rolling.sma(x, n, mean)
    getattr(distances, name)(x, n, mean, out)
    away = np.lib.stride_tricks.sliding_window_view(x, n) - mean[n - 1 :, None]
    expected = np.sqrt((away**2).mean(axis=1)) if name == "deviation" else np.abs(away).mean(axis=1)
    np.testing.assert_allclose(out[n - 1 :], expected, rtol=1e-9)
    assert np.isnan(out[: n - 1]).all()


@pytest.mark.parametrize("name", ["deviation", "mean_deviation"])
def test_equal_values_do_not_deviate(name):
    """Not even by the last bit of a mean: what divides by it must find nothing there."""
    x = np.full(300, 0.1)
    mean = np.empty(300)
    out = np.empty(300)
    rolling.sma(x, 7, mean)
    getattr(distances, name)(x, 7, mean, out)
    assert set(out[6:]) == {0.0}
