"""Candles as arrays, and windows over them as expressions.

Here: indicators that give a new array, for the families.
Not here: the formulas (by family), the compiled loops (`ml.features.indicators`).

Arrays are f64 (rows,), oldest first, of candles that follow each other without a hole. Before a window is full they
hold NaN.
"""

import numpy as np
from numpy.typing import NDArray

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import STEP
from ml.features.indicators import distances, extremes, ordered, rolling
from ml.features.indicators.averages import smooth

ROUNDING = 1e-12
Columns = dict[str, F64]


def returns(b: Bars) -> F64:
    """Close over close before - 1."""
    return change(b.close, 1)


def signed_volume(b: Bars) -> F64:
    """Volume, negative where the close fell, 0 where it stood."""
    return np.sign(b.close - back(b.close, 1)) * b.volume


def back(x: F64, n: int) -> F64:
    """X n rows ago."""
    out = np.empty_like(x)
    out[:n] = np.nan
    out[n:] = x[: max(x.size - n, 0)]
    return out


def change(x: F64, n: int) -> F64:
    """X over x n rows ago - 1."""
    return x / back(x, n) - 1.0


def total(x: F64, n: int) -> F64:
    """Sum of the last n."""
    out = np.empty_like(x)
    rolling.total(x, n, out)
    return out


def mean(x: F64, n: int) -> F64:
    """Mean of the last n."""
    out = np.empty_like(x)
    rolling.sma(x, n, out)
    return out


def sd(x: F64, n: int) -> F64:
    """Population standard deviation of the last n."""
    out = np.empty_like(x)
    distances.deviation(x, n, mean(x, n), out)
    return out


def top(x: F64, n: int) -> F64:
    """Largest of the last n."""
    out = np.empty_like(x)
    extremes.highest(x, n, out)
    return out


def bottom(x: F64, n: int) -> F64:
    """Smallest of the last n."""
    out = np.empty_like(x)
    extremes.lowest(x, n, out)
    return out


def rank(x: F64, n: int) -> F64:
    """Share of the n values before that are smaller."""
    out = np.empty_like(x)
    ordered.rank_before(x, n, out)
    return out


def normal_share(z: F64) -> F64:
    """Phi(z) - Phi(-z)."""
    out = np.empty_like(z)
    ordered.normal_share(z, out)
    return out


def recursive(x: F64, n: int, weight: float, first: int = 0) -> F64:
    """Recursive average from row `first` on."""
    out = np.empty_like(x)
    smooth(x, n, weight, first, out)
    return out


def ema(x: F64, n: int) -> F64:
    """Exponential moving average."""
    return recursive(x, n, 2.0 / (n + 1))


def room(x: F64, count: int) -> list[F64]:
    """Arrays to write into."""
    return list(np.empty((count, x.size)))


def flag(condition: NDArray[np.bool_], *known: F64) -> F64:
    """1 where a condition holds, 0 where not, NaN where one of its terms is not known."""
    out = condition.astype(np.float64)
    for term in known:
        out[np.isnan(term)] = np.nan
    return out


def above(x: F64, line: F64) -> F64:
    """X / line - 1, exactly 0 where both differ by rounding alone, so that a sign of it means something."""
    share = x / line - 1.0
    return np.where(np.abs(share) < ROUNDING, 0.0, share)


def first_of(ts: NDArray[np.int64], rows: int) -> int:
    """The first row that opens an interval of `rows` candles of the UTC grid."""
    return int((1 - ts[0] // STEP) % rows)
