"""Bands, channels, stops and clouds, and where the price stands in them.

Here: family `bands` of `unified_240`.
Not here: extremes of a window (`ranges`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import DAY
from ml.features.candle.series import Columns, back, ema, first_of, flag, mean, room
from ml.features.indicators import trend, volatility


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
    high, middle, low = room(b.close, 3)
    volatility.bollinger(b.typical, 20, 2.0, high, middle, low)
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
    atr, upper, lower, spare = room(b.close, 4)
    volatility.atr(b.high, b.low, b.close, 14, spare, atr)
    middle = ema(b.typical, 20)
    volatility.keltner(middle, atr, 2.0, upper, lower)
    return {
        "atr": atr,
        "atr_pct": atr / b.close,
        "keltner_middle": middle,
        "keltner_upper": upper,
        "keltner_lower": lower,
        "keltner_position": (b.close - lower) / (upper - lower),
    }


def _ichimoku(b: Bars) -> Columns:
    conversion, base, wide, spare = room(b.close, 4)
    for line, n in ((conversion, 9), (base, 26), (wide, 52)):
        trend.middle(b.high, b.low, n, spare, line)
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
    upper, lower = room(b.close, 2)
    volatility.donchian(b.high, b.low, 20, upper, lower)
    return {
        "donchian_upper": upper,
        "donchian_middle": (upper + lower) / 2.0,
        "donchian_lower": lower,
        "donchian_breakout": flag(b.close > upper, upper) - flag(b.close < lower, lower),
    }


def _parabolic(b: Bars) -> F64:
    """Begun again for each day, since a stop never forgets for certain."""
    out = np.full(b.close.size, np.nan)
    for start in range(first_of(b.ts, DAY), b.close.size - DAY, DAY):
        high = b.high[start : start + 2 * DAY]
        low = b.low[start : start + 2 * DAY]
        stop = np.empty(high.size)
        trend.parabolic(high, low, 0.02, 0.2, stop)
        out[start + DAY : start + 2 * DAY] = stop[DAY:]
    return out
