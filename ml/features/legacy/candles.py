"""The predecessor's columns of the last closed minute: shape, volatility, volume, patterns.

Here: the twenty-four of them that candles allow.
Not here: what they are and what is wrong with them (`candle_columns`), indicators (`indicators`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.indicators import garman_klass, mean, parkinson, sd, total
from ml.features.candle.series import Columns, back, change

SMALLEST_BODY = 0.001


@np.errstate(all="ignore")  # a formula that divides by nothing has no value
def compute(b: Bars) -> Columns:
    """Columns by name, f64 (rows,), of one interval of candles of a minute."""
    return _shape(b) | _volatility(b) | _volume(b) | _pair(b)


def otherwise(x: F64, value: float | F64) -> F64:
    """X where it is a number, else the value."""
    return np.where(np.isfinite(x), x, value)


def _shape(b: Bars) -> Columns:
    reach = b.high - b.low
    body = np.abs(b.close - b.open)
    lower = otherwise((np.minimum(b.open, b.close) - b.low) / reach, 0.0)
    size = otherwise(body / reach, 0.0)
    return {
        "open": b.open,
        "high": b.high,
        "low": b.low,
        "close": b.close,
        "volume": b.volume,
        "typical_price": b.typical,
        "high_low_range": reach / b.close,
        "close_open_diff": (b.close - b.open) / b.open,
        "upper_shadow": otherwise((b.high - np.maximum(b.open, b.close)) / reach, 0.0),
        "lower_shadow": lower,
        "body_size": size,
        "doji_strength": otherwise(1.0 - body / reach, 0.0),
        "hammer_strength": lower * (1.0 - size),
    }


def _volatility(b: Bars) -> Columns:
    return {
        "realized_volatility": sd(change(b.close, 1), 19),
        "parkinson_volatility": parkinson(b, 20),
        "garman_klass_volatility": garman_klass(b, 20),
    }


def _volume(b: Bars) -> Columns:
    price = total(b.typical * b.volume, 20) / total(b.volume, 20)
    return {
        "volume_ma_ratio": otherwise(b.volume / mean(b.volume, 20), 1.0),
        "volume_change_rate": otherwise(change(b.volume, 1), 0.0),
        "volume_weighted_price": otherwise(price, b.close),
        "vwap": price,
        "money_flow": b.typical * b.volume,
    }


def _pair(b: Bars) -> Columns:
    """Columns of two candles."""
    opened = back(b.open, 1)
    closed = back(b.close, 1)
    body = np.abs(b.close - b.open)
    rises = (b.close > b.open) & (closed < opened) & (b.close > opened) & (b.open < closed)
    falls = (b.close < b.open) & (closed > opened) & (b.close < opened) & (b.open > closed)
    return {
        "returns": change(b.close, 1),
        "log_returns": np.log(b.close / closed),
        "engulfing_strength": (rises * 1.0 - falls * 1.0) * body / np.maximum(np.abs(closed - opened), SMALLEST_BODY),
        "gap_size": b.open / closed - 1.0,
    }
