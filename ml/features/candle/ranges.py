"""Ranges: the extremes of an interval, where the price stands between them, and their shape.

Here: family `ranges` of `unified_240`.
Not here: channels and bands (`bands`).
"""

import numpy as np

from ml.candles.bars import Bars
from ml.features.candle.columns import DAY, EXTREMES
from ml.features.candle.indicators import bottom, top
from ml.features.candle.series import Columns, back, flag

NEAR = 0.005


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    out: Columns = {}
    for n in EXTREMES:
        high = top(b.high, n)
        low = bottom(b.low, n)
        out |= {
            f"local_high_{n}": high,
            f"local_low_{n}": low,
            f"distance_from_high_{n}": b.close / high - 1.0,
            f"distance_from_low_{n}": b.close / low - 1.0,
            f"position_in_range_{n}": (b.close - low) / (high - low),
        }
    return out | _day(b) | _shape(b, out)


def _day(b: Bars) -> Columns:
    high = top(b.high, DAY)
    low = bottom(b.low, DAY)
    return {
        "daily_high": high,
        "daily_low": low,
        "daily_range": (high - low) / b.close,
        "position_in_daily_range": (b.close - low) / (high - low),
        "near_daily_high": flag(b.close > (1.0 - NEAR) * high, high),
        "near_daily_low": flag(b.close < (1.0 + NEAR) * low, low),
        "long_liquidation_risk": top((b.open - b.low) / b.open, DAY),
        "short_liquidation_risk": top((b.high - b.open) / b.open, DAY),
    }


def _shape(b: Bars, done: Columns) -> Columns:
    high = done["local_high_20"]
    low = done["local_low_20"]
    higher = np.sign(high - back(high, 20))
    lower = np.sign(low - back(low, 20))
    floor = back(low, 1)
    half = top(b.high, 10) - bottom(b.low, 10)
    return {
        "uptrend_structure": flag((higher > 0) & (lower > 0), higher, lower),
        "downtrend_structure": flag((higher < 0) & (lower < 0), higher, lower),
        "spring_pattern": flag((b.low < floor) & (b.close > floor), floor),
        "fractal_dimension": 1.0 + np.log2((half + back(half, 10)) / (high - low)),
    }
