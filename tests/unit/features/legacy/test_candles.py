"""Corners of the columns of a minute: candles without a range, volume or body."""

import numpy as np
import pytest

from ml.candles.bars import intervals_of
from ml.features.legacy.candles import compute, otherwise
from tests.oracles.legacy import engulfing
from tests.support.legacy_days import MINUTE, PAIR, flat


def of(candles):
    (stretch,) = intervals_of(candles, PAIR, MINUTE)
    return compute(stretch.bars)


def test_a_candle_that_did_not_move():
    """What stands where nothing happened, as theirs."""
    found = {name: column[-1] for name, column in of(flat(30)).items()}
    shape = {"upper_shadow": 0, "lower_shadow": 0, "body_size": 0, "doji_strength": 0, "hammer_strength": 0}
    assert {name: found[name] for name in shape} == shape
    assert (found["volume_ma_ratio"], found["volume_change_rate"], found["realized_volatility"]) == (1, 0, 0)
    assert found["volume_weighted_price"] == found["close"] == 1.0
    assert np.isnan(found["vwap"])


@pytest.mark.parametrize(
    ("before", "now", "sign"),
    [((10, 8), (7, 11), 1), ((8, 10), (11, 7), -1), ((10, 8), (8, 11), 0), ((8, 10), (7, 11), 0), ((9, 9), (8, 11), 0)],
)
def test_engulfing(before, now, sign):
    """A body beyond the whole body of the opposite candle before; touching is not beyond."""
    import polars as pl

    prices = np.array([before, now]) * 100
    candles = flat(2).with_columns(
        open=pl.Series(prices[:, 0]),
        close=pl.Series(prices[:, 1]),
        high=pl.Series(prices.max(axis=1)),
        low=pl.Series(prices.min(axis=1)),
    )
    found = of(candles)["engulfing_strength"][1]
    bars = [{"open": o, "close": c} for o, c in (before, now)]
    assert found == pytest.approx(engulfing(*bars))
    assert np.sign(found) == sign


def test_otherwise_takes_what_is_no_number():
    """NaN and infinity alike."""
    assert otherwise(np.array([1.0, np.nan, np.inf]), 7.0).tolist() == [1.0, 7.0, 7.0]
