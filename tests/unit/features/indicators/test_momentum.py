"""Oscillators against TA-Lib, or a loop where it has none."""

import numpy as np
import pytest
import talib

from ml.features.indicators import momentum
from tests.oracles import indicators as slow
from tests.support.candles import walk


@pytest.mark.parametrize(("name", "reference"), [("momentum", talib.MOM), ("roc", talib.ROC)])
def test_changes(same, candles, name, reference):
    """Over ten rows."""
    same(getattr(momentum, name), (candles[3], 10), reference(candles[3], 10), scale=candles[3][0])


@pytest.mark.parametrize("n", [2, 14, 28])
def test_rsi(same, candles, n):
    """Smoothed by Wilder from the first n changes on."""
    same(momentum.rsi, (candles[3], n), talib.RSI(candles[3], n), scale=1)


def test_stochastic(same, candles):
    """%K 14, 3 and %D 3; TA-Lib shows no %K before there is a %D, and 0 without a range, which we do not know."""
    _, high, low, close, _ = candles
    k = np.empty(close.size)
    d = np.empty(close.size)
    momentum.stochastic(high, low, close, 14, 3, 3, k, d)
    expected = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    assert np.isnan(k[:15]).all()
    assert np.isnan(d[:17]).all()
    for found, wanted in zip((k, d), expected, strict=True):
        known = ~np.isnan(found[17:])
        assert known.mean() > 0.99
        np.testing.assert_allclose(found[17:][known], wanted[17:][known], rtol=1e-8, atol=1e-8)


def test_williams_and_raw_stochastic(same, candles):
    """%R is raw %K less 100."""
    _, high, low, close, _ = candles
    same(momentum.williams_r, (high, low, close, 14), talib.WILLR(high, low, close, 14), spare=1, scale=1)
    raw, _ = talib.STOCHF(high, low, close, 14, 1, 0)
    same(momentum.raw_stochastic, (high, low, close, 14), raw, spare=1, scale=1)


def test_cci(same, candles):
    """Of the typical price."""
    _, high, low, close, _ = candles
    same(momentum.cci, ((high + low + close) / 3, 20), talib.CCI(high, low, close, 20), spare=1, scale=1)


def test_aroon(same, candles):
    """TA-Lib gives down before up; whole numbers of rows are equal to the last bit."""
    _, high, low, _, _ = candles
    down, up = talib.AROON(high, low, 25)
    same(momentum.aroon, (high, low, 25), (up, down), outputs=2)


def test_ultimate_oscillator(same, candles):
    """Windows of 7, 14 and 28."""
    _, high, low, close, _ = candles
    same(momentum.ultimate, (high, low, close, 7), talib.ULTOSC(high, low, close, 7, 14, 28), spare=4, scale=1)


def test_balance_of_power():
    """The body as a share of the range."""
    opened, high, low, close, _ = walk()
    out = np.empty(close.size)
    momentum.balance_of_power(opened, high, low, close, out)
    np.testing.assert_allclose(out, talib.BOP(opened, high, low, close), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ["window_rsi", "efficiency"])
def test_windowed(same, candles, name):
    """What TA-Lib has not, against a loop."""
    same(getattr(momentum, name), (candles[3], 14), getattr(slow, name)(candles[3].tolist(), 14), spare=1, scale=1)
