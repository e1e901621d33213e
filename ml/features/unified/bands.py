"""Bands, channels, stops and clouds, and where the price stands in them.

Here: family `bands` of `unified_240`.
Not here: extremes of a window (`ranges`).
"""

import numpy as np

from ml.bars import F64, Bars
from ml.features.indicators import trend, volatility
from ml.features.indicators.averages import ema_settles
from ml.features.unified.series import DAY, WILDER_14, Column, Columns, back, ema, first_of, flag, mean, room

KELTNER = max(ema_settles(20), WILDER_14)
COLUMNS = (
    Column("bb_middle", "mean p, 20, p = (h + l + c) / 3", "quote", 20),
    Column("bb_high", "bb_middle + 2 sd p, 20", "quote", 20),
    Column("bb_low", "bb_middle - 2 sd p, 20", "quote", 20),
    Column("bb_width", "(bb_high - bb_low) / bb_middle", "1", 20),
    Column("bb_position", "(c - bb_low) / (bb_high - bb_low)", "1", 20),
    Column("bb_breakout_upper", "c > bb_high", "flag", 20),
    Column("bb_breakout_lower", "c < bb_low", "flag", 20),
    Column("bb_breakout_strength", "how far c is outside, / c; negative below", "1", 20),
    Column("atr", "ATR 14 of Wilder", "quote", WILDER_14),
    Column("atr_pct", "atr / c", "1", WILDER_14),
    Column("psar", "parabolic SAR .02, .2, begun at 00:00 UTC of the day before", "quote", 2 * DAY),
    Column("psar_trend", "sign(c - psar)", "1", 2 * DAY),
    Column("psar_distance", "(c - psar) / c", "1", 2 * DAY),
    Column("psar_distance_normalized", "(c - psar) / atr", "1", WILDER_14),
    Column("ichimoku_conversion", "(max h + min l) / 2, 9", "quote", 9),
    Column("ichimoku_base", "(max h + min l) / 2, 26", "quote", 26),
    Column("ichimoku_span_a", "(conversion_26 + base_26) / 2: the cloud as drawn now", "quote", 52),
    Column("ichimoku_span_b", "(max h + min l) / 2 of 52, 26 candles ago", "quote", 78),
    Column("ichimoku_cloud_thickness", "(span_a - span_b) / c", "1", 78),
    Column("price_vs_cloud", "c / ((span_a + span_b) / 2) - 1", "1", 78),
    Column("keltner_middle", "EMA p, 20", "quote", ema_settles(20)),
    Column("keltner_upper", "keltner_middle + 2 atr", "quote", KELTNER),
    Column("keltner_lower", "keltner_middle - 2 atr", "quote", KELTNER),
    Column("keltner_position", "(c - keltner_lower) / (4 atr)", "1", KELTNER),
    Column("donchian_upper", "max h of the 20 candles before", "quote", 21),
    Column("donchian_middle", "(donchian_upper + donchian_lower) / 2", "quote", 21),
    Column("donchian_lower", "min l of the 20 candles before", "quote", 21),
    Column("donchian_breakout", "1 if c > donchian_upper, -1 if c < donchian_lower, else 0", "1", 21),
    Column("volatility_squeeze", "Bollinger inside Keltner", "flag", KELTNER),
    Column("volatility_squeeze_duration", "share of the last 96 candles in a squeeze", "1", KELTNER + DAY),
)


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
    a, c = back((conversion + base) / 2.0, 26), back(wide, 26)
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
    """Begun anew for each day, since a stop never forgets for certain."""
    out = np.full(b.close.size, np.nan)
    for start in range(first_of(b.ts, DAY), b.close.size - DAY, DAY):
        high, low = b.high[start : start + 2 * DAY], b.low[start : start + 2 * DAY]
        stop = np.empty(high.size)
        trend.parabolic(high, low, 0.02, 0.2, stop)
        out[start + DAY : start + 2 * DAY] = stop[DAY:]
    return out
