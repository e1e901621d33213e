"""Ranges and bands against TA-Lib, or a loop where it has none."""

import numpy as np
import talib

from ml.features.indicators import volatility
from tests.oracles import indicators as slow


def test_true_range_and_atr(same, candles):
    """Smoothed by Wilder from the second row on."""
    _, high, low, close, _ = candles
    same(volatility.true_range, (high, low, close), talib.TRANGE(high, low, close), scale=close[0])
    same(volatility.atr, (high, low, close, 14), talib.ATR(high, low, close, 14), spare=1, scale=1e-3)


def test_bollinger(same, candles):
    """Two population deviations around a mean of twenty."""
    same(volatility.bollinger, (candles[3], 20, 2.0), talib.BBANDS(candles[3], 20, 2, 2), outputs=3)


def test_keltner(same, candles):
    """A line and a width, as they are given."""
    _, high, low, close, _ = candles
    line = talib.EMA(close, 20)
    reach = talib.ATR(high, low, close, 14)
    expected = slow.keltner(line.tolist(), reach.tolist(), 2)
    same(volatility.keltner, (line, reach, 2.0), expected, outputs=2)


def test_donchian(same, candles):
    """The rows before, not this one."""
    _, high, low, _, _ = candles
    expected = slow.donchian(high.tolist(), low.tolist(), 20)
    same(volatility.donchian, (high, low, 20), expected, outputs=2)


def test_range_estimators(same, candles):
    """Parkinson and Garman-Klass."""
    opened, high, low, close, _ = candles
    lists = [column.tolist() for column in (opened, high, low, close)]
    same(volatility.parkinson, (high, low, 20), slow.parkinson(lists[1], lists[2], 20), spare=1)
    out = np.empty(close.size)
    spare = np.empty(close.size)
    volatility.garman_klass(opened, high, low, close, 20, spare, out)
    np.testing.assert_allclose(out, slow.garman_klass(*lists, 20), rtol=1e-6)
