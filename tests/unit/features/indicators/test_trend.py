"""Trend indicators against TA-Lib."""

import numpy as np
import pytest
import talib

from ml.features.indicators import rolling, trend


@pytest.mark.parametrize("n", [2, 14])
def test_directional_movement(same, candles, n):
    """+DI, -DI and ADX in one pass."""
    _, high, low, close, _ = candles
    expected = [f(high, low, close, n) for f in (talib.PLUS_DI, talib.MINUS_DI, talib.ADX)]
    same(trend.directional, (high, low, close, n), expected, outputs=3, scale=1)


def test_adxr(same, candles):
    """The mean of two ADX, n - 1 rows apart."""
    _, high, low, close, _ = candles
    same(trend.rated, (talib.ADX(high, low, close, 14), 14), talib.ADXR(high, low, close, 14), scale=1)


def test_parabolic(same, candles):
    """Every reversal in the same row."""
    _, high, low, _, _ = candles
    same(trend.parabolic, (high, low, 0.02, 0.2), talib.SAR(high, low, 0.02, 0.2))


@pytest.mark.parametrize("n", [9, 26, 52])
def test_middle(same, candles, n):
    """Ichimoku's lines."""
    same(trend.middle, (candles[1], candles[2], n), talib.MIDPRICE(candles[1], candles[2], n), spare=1)


def test_slope(same, candles):
    """Of a least-squares line."""
    mean = np.empty(candles[3].size)
    rolling.sma(candles[3], 20, mean)
    expected = talib.LINEARREG_SLOPE(candles[3], 20)
    same(trend.slope, (candles[3], 20, mean), expected, scale=candles[3][0] * 1e-3)
