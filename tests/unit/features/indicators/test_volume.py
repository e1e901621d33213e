"""Volume indicators against TA-Lib, or a loop where it has none."""

import numpy as np
import pytest
import talib

from ml.features.indicators import volume
from tests.oracles import indicators as slow


def test_running_levels(same, candles):
    """OBV and A/D from row 0 on."""
    _, high, low, close, size = candles
    same(volume.obv, (close, size), talib.OBV(close, size), scale=size.sum())
    same(volume.accumulation, (high, low, close, size), talib.AD(high, low, close, size), scale=size.sum())


def test_chaikin_oscillator(same, candles):
    """Both averages begin with the first row."""
    _, high, low, close, size = candles
    expected = talib.ADOSC(high, low, close, size, 3, 10)
    line = talib.AD(high, low, close, size)
    same(volume.chaikin_oscillator, (line, 3, 10), expected, scale=size.mean() * 10)


def test_mfi(candles):
    """As TA-Lib, which calls flows below 1 nothing: prices are given in a smaller unit."""
    _, high, low, close, size = (column * 1e6 for column in candles)
    out = np.empty(close.size)
    typical = (high + low + close) / 3
    volume.mfi(typical, size, 14, np.empty(close.size), np.empty(close.size), out)
    expected = talib.MFI(high, low, close, size, 14)
    np.testing.assert_allclose(out[14:], expected[14:], rtol=1e-8, atol=1e-8)
    assert np.isnan(out[:14]).all()
    np.testing.assert_allclose(out, slow.mfi(typical.tolist(), size.tolist(), 14), rtol=1e-8, atol=1e-8)


def test_windows(same, candles):
    """CMF and VWAP against loops."""
    _, high, low, close, size = candles
    lists = [column.tolist() for column in (high, low, close, size)]
    same(volume.cmf, (high, low, close, size, 20), slow.cmf(*lists, 20), spare=1, scale=1)
    same(volume.vwap, (close * size, size, 20), slow.vwap((close * size).tolist(), lists[3], 20), spare=1)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_volume_indices(same, candles, sign):
    """NVI and PVI."""
    _, _, _, close, size = candles
    expected = slow.volume_index(close.tolist(), size.tolist(), sign, 1_000.0)
    same(volume.volume_index, (close, size, sign, 1_000.0), expected)


def test_price_volume_trend_force_and_ease(same, candles):
    """What moves per volume."""
    _, high, low, close, size = candles
    lists = [column.tolist() for column in (high, low, close, size)]
    traded = size > 0
    same(volume.pvt, (close, size), slow.pvt(lists[2], lists[3]), scale=size.sum() * 1e-3)
    same(volume.force, (close, size, 13), slow.force(lists[2], lists[3], 13), spare=1, scale=close[0] * size.mean())
    out = np.empty(close.size)
    volume.ease(high, low, size, out)
    if traded.all():
        np.testing.assert_allclose(out, slow.ease(lists[0], lists[1], lists[3]), rtol=1e-8, atol=1e-15)
