"""Order statistics of a window: ranks, and the smallest values.

Here: compiled functions that look at every value of the window, row by row.
Not here: sums and extremes, which need not (`rolling`).

Conventions of arrays: `ml.features.indicators.rolling`.
"""

from math import erf, inf, isnan, nan, sqrt

import numpy as np

from ml.features.indicators.rolling import CHUNK, F64, blank, scale
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def rank_before(x: F64, n: int, out: F64) -> None:
    """Share of the n values before that are smaller."""
    blank(out, n)
    for start in range(n, x.size, CHUNK):
        rows = min(CHUNK, x.size - start)
        kept = out[start : start + rows]
        now = x[start : start + rows]
        kept[:] = 0.0
        for k in range(1, n - 2, 4):
            count_smaller(x[start - k :], x[start - k - 1 :], x[start - k - 2 :], x[start - k - 3 :], now, kept)
        for k in range(n // 4 * 4 + 1, n + 1):
            count_if_smaller(x[start - k :], now, kept)
        scale(kept, 1.0 / n)


@njit_no_alloc
def count_smaller(a: F64, b: F64, c: F64, d: F64, than: F64, out: F64) -> None:
    """Out += 1 for each of four that is smaller."""
    for i in range(out.size):
        x = than[i]
        out[i] += np.float64(a[i] < x) + np.float64(b[i] < x) + np.float64(c[i] < x) + np.float64(d[i] < x)


@njit_no_alloc
def count_if_smaller(x: F64, than: F64, out: F64) -> None:
    """Out += 1 where x is smaller."""
    for i in range(out.size):
        out[i] += np.float64(x[i] < than[i])


@njit_no_alloc
def smallest(x: F64, n: int, kept: F64, last: F64, mean: F64) -> None:
    """The k-th smallest of the last n values, and the mean of the k smallest.

    k is the length of `kept`, which is spare. A window that holds NaN has neither. The k smallest are looked for again
    only when one of them leaves.
    """
    k = kept.size
    broken = -1
    kept[:] = inf
    for i in range(x.size):
        if isnan(x[i]):
            broken = i
        elif i >= n and x[i - n] <= kept[k - 1]:
            kept[:] = inf
            for j in range(i - n + 1, i + 1):
                if x[j] < kept[k - 1]:
                    insert(kept, x[j])
        elif x[i] < kept[k - 1]:
            insert(kept, x[i])
        low = 0.0
        for j in range(k):
            low += kept[j]
        whole = i - broken >= n and i >= n - 1
        last[i], mean[i] = (kept[k - 1], low / k) if whole else (nan, nan)


@njit_no_alloc
def insert(kept: F64, value: float) -> None:
    """Put a value into ascending ones, over the last of them."""
    at = kept.size - 1
    while at > 0 and kept[at - 1] > value:
        kept[at] = kept[at - 1]
        at -= 1
    kept[at] = value


@njit_no_alloc
def normal_share(z: F64, out: F64) -> None:
    """Phi(z) - Phi(-z): the share of the standard normal distribution within |z|, with the sign of z."""
    for i in range(z.size):
        out[i] = erf(z[i] / sqrt(2.0))
