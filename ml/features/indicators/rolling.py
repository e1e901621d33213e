"""Windows over an array: sums, means, extremes, positions of extremes.

Here: compiled functions of the last n values, on which the indicators rest.
Not here: distances from a mean (`distances`), recursive averages (`averages`), indicators by name.

Arrays are f64 (rows,), oldest first, without holes: a caller cuts them where a candle is missing. Each function writes
all of `out`, NaN until the window is full, and allocates nothing. A window reduces over its own values alone, in blocks
of n from the first row on (van Herk 1992; Gil & Werman 1993): a running sum would carry the rounding of values that
left it long ago.
"""

from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from ml.market.compiled import hot

F64 = NDArray[np.float64]
CHUNK = 512
"""Rows that are kept at hand while a window is walked through."""


@hot
def blank(out: F64, count: int) -> None:
    """NaN in the first `count` rows."""
    for i in range(min(count, out.size)):
        out[i] = nan


@hot
def settled(x: F64, needs: int, out: F64) -> bool:
    """X where it is finite, NaN elsewhere and in the first needs - 1 rows; whether all rows after those are finite."""
    first = min(max(needs - 1, 0), x.size)
    blank(out, first)
    # views that begin in row 0 and a count of integers: with anything else the loop is not compiled to vector code
    given, kept, broken = x[first:], out[first:], 0
    for i in range(given.size):
        # the difference of infinities is NaN, of numbers 0
        lost = given[i] - given[i]
        kept[i] = given[i] + lost
        broken += np.int64(lost != 0.0)
    return broken == 0


@hot
def total(x: F64, n: int, out: F64) -> None:
    """Sum of the last n values."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        right = 0.0
        for j in range(start + n - 1, start - 1, -1):
            right += x[j]
            if j + n - 1 < x.size:
                out[j + n - 1] = right
        left = 0.0
        for i in range(start + n, min(start + 2 * n - 1, x.size)):
            left += x[i]
            out[i] += left


@hot
def sma(x: F64, n: int, out: F64) -> None:
    """Simple moving average: sum of the last n values / n. Source: TA-Lib SMA."""
    total(x, n, out)
    scale(out, 1.0 / n)


@hot
def scale(out: F64, factor: float) -> None:
    """Multiply in place."""
    for i in range(out.size):
        out[i] *= factor


@hot
def weighted(x: F64, n: int, out: F64) -> None:
    """Weighted moving average: sum of (n - k) x_t-k over k < n / (n (n + 1) / 2). Source: TA-Lib WMA."""
    blank(out, n - 1)
    for start in range(n - 1, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept = out[start : start + rows]
        kept[:] = 0.0
        for k in range(n):
            add_scaled(x[start - k : start - k + rows], (n - k) / (n * (n + 1) / 2), kept)


@hot
def add_scaled(x: F64, factor: float, out: F64) -> None:
    """Out += factor x."""
    for i in range(out.size):
        out[i] += factor * x[i]


@hot
def highest(x: F64, n: int, out: F64) -> None:
    """Largest of the last n values, of which none may be NaN. Source: TA-Lib MAX."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        top = -inf
        for j in range(start + n - 1, start - 1, -1):
            top = x[j] if x[j] > top else top
            if j + n - 1 < x.size:
                out[j + n - 1] = top
        top = -inf
        for i in range(start + n, min(start + 2 * n - 1, x.size)):
            top = x[i] if x[i] > top else top
            out[i] = out[i] if out[i] > top else top


@hot
def lowest(x: F64, n: int, out: F64) -> None:
    """Smallest of the last n values, of which none may be NaN. Source: TA-Lib MIN."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        bottom = inf
        for j in range(start + n - 1, start - 1, -1):
            bottom = x[j] if x[j] < bottom else bottom
            if j + n - 1 < x.size:
                out[j + n - 1] = bottom
        bottom = inf
        for i in range(start + n, min(start + 2 * n - 1, x.size)):
            bottom = x[i] if x[i] < bottom else bottom
            out[i] = out[i] if out[i] < bottom else bottom


@hot
def since_highest(x: F64, n: int, out: F64) -> None:
    """Rows since the largest of the last n values, the newest of equal ones."""
    blank(out, n - 1)
    at = 0
    for i in range(x.size):
        if at <= i - n:
            at = i - n + 1
            for k in range(at + 1, i + 1):
                if x[k] >= x[at]:
                    at = k
        elif x[i] >= x[at]:
            at = i
        if i >= n - 1:
            out[i] = i - at


@hot
def since_lowest(x: F64, n: int, out: F64) -> None:
    """Rows since the smallest of the last n values, the newest of equal ones."""
    blank(out, n - 1)
    at = 0
    for i in range(x.size):
        if at <= i - n:
            at = i - n + 1
            for k in range(at + 1, i + 1):
                if x[k] <= x[at]:
                    at = k
        elif x[i] <= x[at]:
            at = i
        if i >= n - 1:
            out[i] = i - at
