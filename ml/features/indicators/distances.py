"""Distances from a moving mean: standard and mean deviation of a window.

Here: compiled functions that go through the window of each row, many rows at a time.
Not here: sums and means (`rolling`).

Conventions of arrays: `ml.features.indicators.rolling`.
"""

from math import sqrt

from ml.features.indicators.rolling import CHUNK, F64, blank
from ml.market.book.compiled import njit_no_alloc

ROUNDING = 1e-13
"""Distances from a mean below this share of it are rounding: equal values deviate by 0, not by the last bit."""


@njit_no_alloc
def deviation(x: F64, n: int, mean: F64, out: F64) -> None:
    """Population standard deviation of the last n values around `mean`, their mean. Source: TA-Lib STDDEV."""
    blank(out, n - 1)
    for start in range(n - 1, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept = out[start : start + rows]
        middle = mean[start : start + rows]
        kept[:] = 0.0
        for k in range(0, n - 3, 4):
            add_squares(x[start - k :], x[start - k - 1 :], x[start - k - 2 :], x[start - k - 3 :], middle, kept)
        for k in range(n // 4 * 4, n):
            add_square(x[start - k :], middle, kept)
        for i in range(rows):
            kept[i] = sqrt(kept[i] / n)
            kept[i] *= kept[i] > ROUNDING * abs(middle[i])


@njit_no_alloc
def add_squares(a: F64, b: F64, c: F64, d: F64, middle: F64, out: F64) -> None:
    """Out += (x - middle)^2 of four x: `out` is read and written a quarter as often."""
    for i in range(out.size):
        m = middle[i]
        out[i] += (a[i] - m) * (a[i] - m) + (b[i] - m) * (b[i] - m) + (c[i] - m) * (c[i] - m) + (d[i] - m) * (d[i] - m)


@njit_no_alloc
def add_square(x: F64, middle: F64, out: F64) -> None:
    """Out += (x - middle)^2."""
    for i in range(out.size):
        out[i] += (x[i] - middle[i]) * (x[i] - middle[i])


@njit_no_alloc
def mean_deviation(x: F64, n: int, mean: F64, out: F64) -> None:
    """Mean of |x - mean| over the last n values, `mean` being their mean."""
    blank(out, n - 1)
    for start in range(n - 1, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept = out[start : start + rows]
        middle = mean[start : start + rows]
        kept[:] = 0.0
        for k in range(0, n - 3, 4):
            add_distances(x[start - k :], x[start - k - 1 :], x[start - k - 2 :], x[start - k - 3 :], middle, kept)
        for k in range(n // 4 * 4, n):
            add_distance(x[start - k :], middle, kept)
        for i in range(rows):
            kept[i] /= n
            kept[i] *= kept[i] > ROUNDING * abs(middle[i])


@njit_no_alloc
def add_distances(a: F64, b: F64, c: F64, d: F64, middle: F64, out: F64) -> None:
    """Out += |x - middle| of four x."""
    for i in range(out.size):
        m = middle[i]
        out[i] += abs(a[i] - m) + abs(b[i] - m) + abs(c[i] - m) + abs(d[i] - m)


@njit_no_alloc
def add_distance(x: F64, middle: F64, out: F64) -> None:
    """Out += |x - middle|."""
    for i in range(out.size):
        out[i] += abs(x[i] - middle[i])
