"""Windows over an array: sums and means.

Here: compiled functions of the last n values, on which the indicators rest.
Not here: extremes (`extremes`), distances from a mean (`distances`), recursive averages (`averages`), indicators by
name.

Arrays are f64 (rows,), oldest first, without holes: a caller cuts them where a candle is missing. Each function writes
all of `out`, NaN until the window is full, and allocates nothing. A window reduces over its own values alone, in blocks
of n from the first row on (van Herk 1992; Gil & Werman 1993): a running sum would carry the rounding of values that
left it long ago.

Loops count from row 0 of views, and each writes one array. With another first row an index could be negative and count
from the end, with more written arrays any two of them could overlap: such a loop is not compiled to vector code, and
takes 3 to 10 times as long. For the same reason a choice between two numbers tests one comparison and stands alone.
"""

from math import nan

import numpy as np
from numpy.typing import NDArray

from ml.market.book.compiled import njit_no_alloc

F64 = NDArray[np.float64]
CHUNK = 512
"""Rows that are kept at hand while a window is walked through."""
FEW = 7
"""Values up to which a window is sooner added up value by value than in blocks."""


@njit_no_alloc
def blank(out: F64, count: int) -> None:
    """NaN in the first `count` rows."""
    for i in range(min(count, out.size)):
        out[i] = nan


@njit_no_alloc
def settled(x: F64, needs: int, out: F64) -> bool:
    """X where it is finite, NaN elsewhere and in the first needs - 1 rows; whether all rows after those are finite."""
    first = min(max(needs - 1, 0), x.size)
    blank(out, first)
    # a count of integers, since a sum of floats would wait for the one before
    given = x[first:]
    kept = out[first:]
    broken = 0
    for i in range(given.size):
        # the difference of infinities is NaN, of numbers 0
        lost = given[i] - given[i]
        kept[i] = given[i] + lost
        broken += np.int64(lost != 0.0)
    return broken == 0


@njit_no_alloc
def total(x: F64, n: int, out: F64) -> None:
    """Sum of the last n values."""
    blank(out, n - 1)
    if n <= FEW:
        _add_few(x, n, out)
        return
    for start in range(0, x.size - n + 1, n):
        # windows that begin in this block: its values from the last back, then what follows it
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        right = 0.0
        left = 0.0
        for j in range(n - 1, kept.size - 1, -1):
            right += block[j]
        for j in range(kept.size - 1, -1, -1):
            right += block[j]
            kept[j] = right
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        for i in range(later.size):
            left += later[i]
            kept[i] += left


@njit_no_alloc
def _add_few(x: F64, n: int, out: F64) -> None:
    for start in range(n - 1, x.size, CHUNK):
        kept = out[start : start + CHUNK]
        kept[:] = 0.0
        for k in range(n):
            add(x[start - k :], kept)


@njit_no_alloc
def add(x: F64, out: F64) -> None:
    """Out += x, as far as `out` goes."""
    for i in range(out.size):
        out[i] += x[i]


@njit_no_alloc
def sma(x: F64, n: int, out: F64) -> None:
    """Simple moving average: sum of the last n values / n. Source: TA-Lib SMA."""
    total(x, n, out)
    scale(out, 1.0 / n)


@njit_no_alloc
def scale(out: F64, factor: float) -> None:
    """Multiply in place."""
    for i in range(out.size):
        out[i] *= factor


@njit_no_alloc
def weighted(x: F64, n: int, out: F64) -> None:
    """Weighted moving average: sum of (n - k) x_t-k over k < n / (n (n + 1) / 2). Source: TA-Lib WMA."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        # as in `total`: a value counts once for each sum that it is part of
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        right = 0.0
        rights = 0.0
        for j in range(n - 1, kept.size - 1, -1):
            right += block[j]
            rights += right
        for j in range(kept.size - 1, -1, -1):
            right += block[j]
            rights += right
            kept[j] = rights
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        left = 0.0
        lefts = 0.0
        for i in range(later.size):
            left += later[i]
            lefts += (i + 1) * later[i]
            kept[i] += (n - 1 - i) * left + lefts
    scale(out, 2.0 / (n * (n + 1)))
