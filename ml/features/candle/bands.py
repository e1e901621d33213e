"""Bands, channels, stops and clouds, and where the price stands in them.

Here: family `bands` of `unified_240`.
Not here: extremes of a window (`ranges`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import DAY
from ml.features.candle.indicators import atr, bottom, ema, mean, parabolic, sd, top
from ml.features.candle.series import Columns, back, first_of, flag


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    out = _bollinger(b) | _keltner(b) | _ichimoku(b) | _donchian(b)
    stop = _parabolic(b)
    out |= {
        "psar": stop,
        "psar_trend": np.sign(b.close - stop),
        "psar_distance": (b.close - stop) / b.close,
        "psar_distance_normalized": (b.close - stop) / out["atr"],
    }
    inside = (out["bb_high"] < out["keltner_upper"]) & (out["bb_low"] > out["keltner_lower"])
    squeeze = flag(inside, out["bb_high"], out["keltner_upper"])
    return out | {"volatility_squeeze": squeeze, "volatility_squeeze_duration": mean(squeeze, DAY)}


def _bollinger(b: Bars) -> Columns:
    middle = mean(b.typical, 20)
    width = 2.0 * sd(b.typical, 20)
    high = middle + width
    low = middle - width
    outside = np.maximum(b.close - high, 0.0) + np.minimum(b.close - low, 0.0)
    return {
        "bb_high": high,
        "bb_middle": middle,
        "bb_low": low,
        "bb_width": (high - low) / middle,
        "bb_position": (b.close - low) / (high - low),
        "bb_breakout_upper": flag(b.close > high, high),
        "bb_breakout_lower": flag(b.close < low, low),
        "bb_breakout_strength": outside / b.close,
    }


def _keltner(b: Bars) -> Columns:
    reach = atr(b, 14)
    middle = ema(b.typical, 20)
    upper = middle + 2.0 * reach
    lower = middle - 2.0 * reach
    return {
        "atr": reach,
        "atr_pct": reach / b.close,
        "keltner_middle": middle,
        "keltner_upper": upper,
        "keltner_lower": lower,
        "keltner_position": (b.close - lower) / (upper - lower),
    }


def _ichimoku(b: Bars) -> Columns:
    conversion, base, wide = ((top(b.high, n) + bottom(b.low, n)) / 2.0 for n in (9, 26, 52))
    a = back((conversion + base) / 2.0, 26)
    c = back(wide, 26)
    return {
        "ichimoku_conversion": conversion,
        "ichimoku_base": base,
        "ichimoku_span_a": a,
        "ichimoku_span_b": c,
        "ichimoku_cloud_thickness": (a - c) / b.close,
        "price_vs_cloud": b.close / ((a + c) / 2.0) - 1.0,
    }


def _donchian(b: Bars) -> Columns:
    upper = back(top(b.high, 20), 1)
    lower = back(bottom(b.low, 20), 1)
    return {
        "donchian_upper": upper,
        "donchian_middle": (upper + lower) / 2.0,
        "donchian_lower": lower,
        "donchian_breakout": flag(b.close > upper, upper) - flag(b.close < lower, lower),
    }


def _parabolic(b: Bars) -> F64:
    """Restarted for each day, since a stop never forgets for certain."""
    out = np.full(b.close.size, np.nan)
    for start in range(first_of(b.ts, DAY), b.close.size - DAY, DAY):
        days = slice(start, start + 2 * DAY)
        out[days][DAY:] = parabolic(b.high[days], b.low[days])[DAY:]
    return out
