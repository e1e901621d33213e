"""Price against itself: returns, averages, yesterday's pivots.

Here: family `price` of `unified_240`.
Not here: bands around a price (`bands`), extremes (`ranges`).
"""

import numpy as np

from ml.candles.bars import Bars
from ml.features.candle.columns import AVERAGES, DAY, HOUR
from ml.features.candle.indicators import ema, mean, sd, total
from ml.features.candle.series import Columns, back, change, first_of, returns


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    spread = (b.high - b.low) / b.close
    hour = change(b.close, HOUR)
    return (
        {"open": b.open, "high": b.high, "low": b.low, "close": b.close, "returns": returns(b)}
        | {f"returns_{n}": change(b.close, n) for n in (5, 10, 20)}
        | {
            "high_low_ratio": b.high / b.low,
            "close_open_ratio": b.close / b.open,
            "close_position": (b.close - b.low) / (b.high - b.low),
            "hl_spread": spread,
            "hl_spread_ma": mean(spread, 20),
            "momentum_1h": hour,
            "momentum_4h": change(b.close, 4 * HOUR),
            "momentum_24h": change(b.close, DAY),
            "momentum_acceleration": hour - back(hour, HOUR),
        }
        | _averages(b)
        | _pivots(b)
    )


def _averages(b: Bars) -> Columns:
    out: Columns = {}
    for n in AVERAGES["sma"]:
        out[f"sma_{n}"] = mean(b.close, n)
    for n in AVERAGES["ema"]:
        out[f"ema_{n}"] = ema(b.close, n)
    out |= {f"close_{name}_ratio": b.close / line for name, line in out.items()}
    traded = total(b.volume, 20)
    paid = total(b.turnover, 20) / traded
    weighted = total(b.close * b.volume, 20) / traded
    return out | {
        "vwap": paid,
        "close_vwap_ratio": b.close / paid,
        "vwap_extreme_deviation": (b.close - paid) / sd(b.close, 20),
        "vwma_20": weighted,
        "close_vwma_ratio": b.close / weighted,
    }


def _pivots(b: Bars) -> Columns:
    first = min(first_of(b.ts, DAY), b.ts.size)
    days = (b.ts.size - first) // DAY
    whole = slice(first, first + days * DAY)
    before = np.full((3, 2 + days), np.nan)
    before[0, 2:] = b.high[whole].reshape(days, DAY).max(axis=1)
    before[1, 2:] = b.low[whole].reshape(days, DAY).min(axis=1)
    before[2, 2:] = b.close[whole].reshape(days, DAY)[:, -1]
    high, low, close = np.repeat(before, DAY, axis=1)[:, DAY - first :][:, : b.ts.size]
    pivot = (high + low + close) / 3.0
    return {
        "pivot": pivot,
        "resistance1": 2.0 * pivot - low,
        "support1": 2.0 * pivot - high,
        "resistance2": pivot + high - low,
        "support2": pivot - high + low,
        "dist_to_resistance1": (2.0 * pivot - low) / b.close - 1.0,
        "dist_to_support1": 1.0 - (2.0 * pivot - high) / b.close,
    }
