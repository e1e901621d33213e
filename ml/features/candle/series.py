"""Candles as arrays: what was before, changes, flags.

Here: small parts that the families share.
Not here: the formulas (by family), windows and indicators (`indicators`).

Arrays are f64 (rows,), oldest first, of candles that follow each other without a hole. Before a window is full they
hold NaN.
"""

import numpy as np
from numpy.typing import NDArray

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import STEP

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
    return np.concatenate([np.full(min(n, x.size), np.nan), x[: max(x.size - n, 0)]])


def change(x: F64, n: int) -> F64:
    """X over x n rows ago - 1."""
    return x / back(x, n) - 1.0


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
