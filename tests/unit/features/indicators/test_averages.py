"""Recursive averages against TA-Lib."""

import numpy as np
import pytest
import talib

from ml.features.indicators import averages
from tests.support.candles import walk


@pytest.mark.parametrize("n", [2, 10, 50])
def test_ema(same, candles, n):
    """The first value is the mean of n."""
    same(averages.ema, (candles[3], n), talib.EMA(candles[3], n))


def test_macd(same, candles):
    """TA-Lib shows no line before there is a signal."""
    line, trigger, histogram = talib.MACD(candles[3], 12, 26, 9)
    scale = candles[3].mean()
    given = [np.empty(candles[3].size) for _ in range(3)]
    averages.macd(candles[3], 12, 26, 9, *given)
    for found, wanted in zip(given, (line, trigger, histogram), strict=True):
        np.testing.assert_allclose(found[33:], wanted[33:], rtol=1e-8, atol=1e-10 * scale)
    assert np.isnan(given[1][:33]).all()
    assert np.isnan(given[0][:25]).all()


def test_ppo(same, candles):
    """In percent of the slow average."""
    same(averages.ppo, (candles[3], 12, 26), talib.PPO(candles[3], 12, 26, matype=1), spare=1, scale=0.1)


def test_trix(same, candles):
    """Three averages, each of the one before."""
    same(averages.trix, (candles[3], 15), talib.TRIX(candles[3], 15), spare=1, scale=0.01)


def test_a_row_does_not_depend_on_what_follows():
    """Bit for bit, wherever among four rows the array ends; and it may be written over."""
    x = walk(100)[3]
    whole = np.empty(100)
    averages.smooth(x, 5, 0.3, 2, whole)
    for rows in range(1, 100):
        out = x[:rows].copy()
        averages.smooth(out, 5, 0.3, 2, out)
        np.testing.assert_array_equal(out, whole[:rows])


def test_row_by_row():
    """Four at a time give what one at a time gives."""
    x = walk(103)[3]
    out = np.empty(103)
    y = 99.0
    averages.follow(x, 0.3, y, out)
    for value, found in zip(x, out, strict=True):
        y = 0.3 * value + 0.7 * y
        np.testing.assert_allclose(found, y, rtol=1e-14)


@pytest.mark.parametrize("name", ["ema", "wilder"])
def test_short_arrays_have_no_value(name):
    """Fewer rows than the first mean takes."""
    out = np.full(4, 7.0)
    getattr(averages, name)(np.ones(4), 5, out)
    assert np.isnan(out).all()
