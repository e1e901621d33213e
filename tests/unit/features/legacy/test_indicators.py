"""Corners of the indicators, and that their memory ends where the table says."""

import numpy as np
import pytest

from ml.candles.bars import intervals_of
from ml.features.legacy.indicators import compute, smoothed, window
from tests.support.candles import candle_frame
from tests.support.legacy_days import MINUTE, PAIR, flat


def of(candles, begun, smooth):
    (stretch,) = intervals_of(candles, PAIR, MINUTE)
    return compute(stretch.bars, begun, smooth)


@pytest.mark.parametrize(("begun", "smooth", "adx"), [(200, False, 0.0), (100, True, 0.0)])
def test_a_market_that_did_not_move(begun, smooth, adx):
    """What theirs gave where nothing happened."""
    found = {name: column[-1] for name, column in of(flat(260), begun, smooth).items()}
    wanted = {"rsi_14": 100, "rsi_28": 100, "stochastic_k": 50, "stochastic_d": 50, "williams_r": -50, "cci": 0}
    wanted |= {"mfi": 100, "cmf": 0, "plus_di": 25, "minus_di": 25, "adx": adx, "bollinger_pct": 0.5, "macd": 0}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    assert (found["aroon_up"], found["aroon_down"]) == (4.0, 4.0)


@pytest.mark.parametrize(("begun", "smooth"), [(200, False), (100, True)])
def test_what_was_kept_no_longer_is_forgotten(begun, smooth):
    """Candles before the kept ones change no value, the oldest kept one changes the averages."""
    candles = candle_frame(begun + 50, step=MINUTE)
    whole, alone, shorter = (of(candles[first:], begun, smooth) for first in (0, 50, 51))
    for name, column in whole.items():
        assert alone[name][-1] == pytest.approx(column[-1], rel=1e-9, abs=1e-12), name
    assert np.isnan(shorter["ema_50"][-1])


def test_smoothed_begins_with_a_mean():
    """Then each value has its weight."""
    values = [np.array([x]) for x in (1.0, 3.0, 5.0, 1.0)]
    assert [y[0] for y in smoothed(values, 2, 0.5)] == [2.0, 3.5, 2.25]


def test_a_window_is_oldest_first():
    """NaN before there are enough."""
    old, new = window(np.array([1.0, 2.0, 3.0]), 2)
    np.testing.assert_array_equal(old, [np.nan, 1.0, 2.0])
    np.testing.assert_array_equal(new, [1.0, 2.0, 3.0])
