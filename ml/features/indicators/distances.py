"""Distances from a moving mean: standard and mean deviation of a window.

Here: compiled functions that go through the window of each row, many rows at a time.
Not here: sums and means (`rolling`).

Conventions of arrays: `ml.features.indicators.rolling`.
"""

from math import sqrt

from ml.features.indicators.rolling import CHUNK, F64, blank
from ml.market.compiled import hot

ROUNDING = 1e-13
"""Distances from a mean below this share of it are rounding: equal values deviate by 0, not by the last bit."""


@hot
def deviation(x: F64, n: int, mean: F64, out: F64) -> None:
    """Population standard deviation of the last n values around `mean`, their mean. Source: TA-Lib STDDEV."""
    blank(out, n - 1)
    for start in range(n - 1, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept, middle = out[start : start + rows], mean[start : start + rows]
        kept[:] = 0.0
        for k in range(n):
            add_squares(x[start - k : start - k + rows], middle, kept)
        for i in range(rows):
            kept[i] = sqrt(kept[i] / n)
            kept[i] *= kept[i] > ROUNDING * abs(middle[i])


@hot
def add_squares(x: F64, middle: F64, out: F64) -> None:
    """Out += (x - middle)^2."""
    for i in range(out.size):
        out[i] += (x[i] - middle[i]) * (x[i] - middle[i])


@hot
def mean_deviation(x: F64, n: int, mean: F64, out: F64) -> None:
    """Mean of |x - mean| over the last n values, `mean` being their mean."""
    blank(out, n - 1)
    for start in range(n - 1, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept, middle = out[start : start + rows], mean[start : start + rows]
        kept[:] = 0.0
        for k in range(n):
            add_distances(x[start - k : start - k + rows], middle, kept)
        for i in range(rows):
            kept[i] /= n
            kept[i] *= kept[i] > ROUNDING * abs(middle[i])


@hot
def add_distances(x: F64, middle: F64, out: F64) -> None:
    """Out += |x - middle|."""
    for i in range(out.size):
        out[i] += abs(x[i] - middle[i])
