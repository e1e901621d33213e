"""Risk: volatility over several intervals, tails, jumps, and autocorrelation of returns.

Here: family `risk` of `unified_240`.
Not here: true range and bands (`bands`).
"""

from math import log, pi, sqrt

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import DAY, HOUR, WEEK
from ml.features.candle.indicators import decayed, mean, parkinson, sd, smallest, total
from ml.features.candle.series import Columns, back, flag, returns

DECAY = 0.94
TAIL = 5
JUMP = 4.0
BINS = (-1.0, 0.0, 1.0)


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    r = returns(b)
    squares = total(r * r, DAY)
    spread = b.high - b.low
    return (
        {"cascade_risk": spread / mean(spread, 20) * b.volume / mean(b.volume, 20)}
        | _volatility(b, r, squares)
        | _tails(r)
        | {f"returns_ac_{k}": total(r * back(r, k), DAY) / squares for k in (1, 5, 10)}
        | {"hurst_exponent": _hurst(b.close), "return_entropy": _entropy(r, np.sqrt(squares / DAY))}
    )


def _volatility(b: Bars, r: F64, squares: F64) -> Columns:
    recent = sd(r, 20)
    return {
        "realized_vol_5m": parkinson(b, 1) / sqrt(3.0),
        "realized_vol_15m": parkinson(b, HOUR),
        "realized_vol_1h": np.sqrt(total(r * r, HOUR)),
        "realized_vol_daily": np.sqrt(squares),
        "realized_vol_annual": np.sqrt(365.0 / 7.0 * total(r * r, WEEK)),
        "realized_vol": recent,
        "garch_vol": np.sqrt(decayed(r * r, DECAY)),
        "vol_regime": recent / np.sqrt(squares / DAY),
    }


def _tails(r: F64) -> Columns:
    value_at_risk, beyond = smallest(r, DAY, TAIL)
    usual = np.sqrt(pi / 2.0 * mean(np.abs(r * back(r, 1)), DAY))
    jump = r / back(usual, 1)
    return {
        "var_95": -value_at_risk,
        "cvar_5pct": -beyond,
        "price_jump": jump,
        "jump_intensity": mean(flag(np.abs(jump) > JUMP, jump), DAY),
    }


def _hurst(close: F64) -> F64:
    price = np.log(close)
    wide = price - back(price, 16)
    narrow = price - back(price, 4)
    return 0.5 * np.log(total(wide * wide, DAY) / total(narrow * narrow, DAY)) / log(4.0)


def _entropy(r: F64, rms: F64) -> F64:
    edges = [edge * rms for edge in BINS]
    below = [mean(flag(r < edge, rms), DAY) for edge in edges]
    entropy = np.zeros_like(r)
    for share in (below[0], below[1] - below[0], below[2] - below[1], 1.0 - below[2]):
        entropy -= share * np.log(np.maximum(share, 1e-9))
    return entropy / log(4.0)
