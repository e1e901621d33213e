"""Price against itself: returns, averages, yesterday's pivots.

Here: family `price` of `unified_240`.
Not here: bands around a price (`bands`), extremes (`ranges`).
"""

import numpy as np

from ml.bars import Bars
from ml.features.indicators.averages import ema_settles
from ml.features.indicators.volume import vwap
from ml.features.unified.series import DAY, HOUR, Column, Columns, back, change, ema, first_of, mean, returns, room, sd

LENGTHS = {"sma": (5, 10, 20, 50), "ema": (10, 20, 50)}
COLUMNS = (
    Column("open", "o", "quote"),
    Column("high", "h", "quote"),
    Column("low", "l", "quote"),
    Column("close", "c", "quote"),
    Column("returns", "c / c_1 - 1", "1", 2),
    *(Column(f"returns_{n}", f"c / c_{n} - 1", "1", n + 1) for n in (5, 10, 20)),
    Column("high_low_ratio", "h / l", "1"),
    Column("close_open_ratio", "c / o", "1"),
    Column("close_position", "(c - l) / (h - l)", "1"),
    Column("vwap", "sum q / sum v, 20", "quote", 20),
    Column("close_vwap_ratio", "c / vwap", "1", 20),
    Column("vwap_extreme_deviation", "(c - vwap) / sd of c, 20", "1", 20),
    *(Column(f"sma_{n}", f"mean c, {n}", "quote", n) for n in LENGTHS["sma"]),
    *(Column(f"close_sma_{n}_ratio", f"c / mean c, {n}", "1", n) for n in LENGTHS["sma"]),
    *(Column(f"ema_{n}", f"EMA c, {n}", "quote", ema_settles(n)) for n in LENGTHS["ema"]),
    *(Column(f"close_ema_{n}_ratio", f"c / EMA c, {n}", "1", ema_settles(n)) for n in LENGTHS["ema"]),
    Column("vwma_20", "sum c v / sum v, 20", "quote", 20),
    Column("close_vwma_ratio", "c / vwma_20", "1", 20),
    Column("hl_spread", "(h - l) / c", "1"),
    Column("hl_spread_ma", "mean hl_spread, 20", "1", 20),
    Column("momentum_1h", "c / c_4 - 1", "1", 5),
    Column("momentum_4h", "c / c_16 - 1", "1", 17),
    Column("momentum_24h", "c / c_96 - 1", "1", 97),
    Column("momentum_acceleration", "momentum_1h - momentum_1h 4 candles ago", "1", 9),
    Column("pivot", "P = (H + L + C) / 3 of the UTC day before", "quote", 2 * DAY),
    Column("resistance1", "2 P - L", "quote", 2 * DAY),
    Column("support1", "2 P - H", "quote", 2 * DAY),
    Column("resistance2", "P + H - L", "quote", 2 * DAY),
    Column("support2", "P - H + L", "quote", 2 * DAY),
    Column("dist_to_resistance1", "resistance1 / c - 1", "1", 2 * DAY),
    Column("dist_to_support1", "1 - support1 / c", "1", 2 * DAY),
)


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
    for n in LENGTHS["sma"]:
        out[f"sma_{n}"] = mean(b.close, n)
    for n in LENGTHS["ema"]:
        out[f"ema_{n}"] = ema(b.close, n)
    out |= {f"close_{name}_ratio": b.close / line for name, line in out.items()}
    spare, paid, weighted = room(b.close, 3)
    vwap(b.turnover, b.volume, 20, spare, paid)
    vwap(b.close * b.volume, b.volume, 20, spare, weighted)
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
    by_day = np.full((3, days + 1), np.nan)
    by_day[0, 1:] = b.high[whole].reshape(days, DAY).max(axis=1)
    by_day[1, 1:] = b.low[whole].reshape(days, DAY).min(axis=1)
    by_day[2, 1:] = b.close[whole].reshape(days, DAY)[:, -1]
    before = np.maximum((np.arange(b.ts.size) - first) // DAY, 0)
    high, low, close = by_day[:, before]
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
