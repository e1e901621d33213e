"""Extremes of a window, and how long ago they were.

Here: largest and smallest of the last n values, in the blocks of `rolling`.
Not here: sums (`rolling`), ranks and the k smallest (`ordered`).

Conventions of arrays and loops: `ml.features.indicators.rolling`.
"""

from math import inf

import numpy as np

from ml.features.indicators.rolling import F64, blank
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def highest(x: F64, n: int, out: F64) -> None:
    """Largest of the last n values, of which none may be NaN. Source: TA-Lib MAX."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        top = -inf
        for j in range(n - 1, kept.size - 1, -1):
            top = block[j] if block[j] > top else top
        for j in range(kept.size - 1, -1, -1):
            top = block[j] if block[j] > top else top
            kept[j] = top
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        top = -inf
        for i in range(later.size):
            top = later[i] if later[i] > top else top
            kept[i] = kept[i] if kept[i] > top else top


@njit_no_alloc
def lowest(x: F64, n: int, out: F64) -> None:
    """Smallest of the last n values, of which none may be NaN. Source: TA-Lib MIN."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        bottom = inf
        for j in range(n - 1, kept.size - 1, -1):
            bottom = block[j] if block[j] < bottom else bottom
        for j in range(kept.size - 1, -1, -1):
            bottom = block[j] if block[j] < bottom else bottom
            kept[j] = bottom
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        bottom = inf
        for i in range(later.size):
            bottom = later[i] if later[i] < bottom else bottom
            kept[i] = kept[i] if kept[i] < bottom else bottom


@njit_no_alloc
def since_highest(x: F64, n: int, out: F64) -> None:
    """Rows since the largest of the last n values, the newest of equal ones; none may be NaN."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        at = n - 1.0
        top = -inf
        for j in range(n - 1, -1, -1):
            at = np.float64(j) if block[j] > top else at
            top = block[j] if block[j] > top else top
            if j < kept.size:
                kept[j] = at
        kept[0] = n - 1 - kept[0]
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        at = 0.0
        top = -inf
        for i in range(later.size):
            at = np.float64(i) if later[i] >= top else at
            top = later[i] if later[i] > top else top
            kept[i] = i - at if top >= block[np.uint64(kept[i])] else n + i - kept[i]


@njit_no_alloc
def since_lowest(x: F64, n: int, out: F64) -> None:
    """Rows since the smallest of the last n values, the newest of equal ones; none may be NaN."""
    blank(out, n - 1)
    for start in range(0, x.size - n + 1, n):
        block = x[start : start + n]
        kept = out[start + n - 1 : start + 2 * n - 1]
        at = n - 1.0
        bottom = inf
        for j in range(n - 1, -1, -1):
            at = np.float64(j) if block[j] < bottom else at
            bottom = block[j] if block[j] < bottom else bottom
            if j < kept.size:
                kept[j] = at
        kept[0] = n - 1 - kept[0]
        later = x[start + n : start + 2 * n - 1]
        kept = kept[1:]
        at = 0.0
        bottom = inf
        for i in range(later.size):
            at = np.float64(i) if later[i] <= bottom else at
            bottom = later[i] if later[i] < bottom else bottom
            kept[i] = i - at if bottom <= block[np.uint64(kept[i])] else n + i - kept[i]
