"""The median of a sliding window, exact, a new value at a time.

Here: the window's values in order, into which each new one is inserted.
Not here: what is put in (`ml.features.tick.windows`).

The result is an order statistic: any two histories that end with the same window give the same number.
"""

from typing import NamedTuple

import numpy as np

from ml.market.book.compiled import njit_no_alloc
from ml.market.book.layout import I64


class Median(NamedTuple):
    """The last values, i64 (capacity), as they came and in ascending order; `meta` is their count and the next slot."""

    values: I64
    ordered: I64
    meta: I64


def empty_median(capacity: int) -> Median:
    """A median of nothing."""
    return Median(np.zeros(capacity, np.int64), np.zeros(capacity, np.int64), np.zeros(2, np.int64))


@njit_no_alloc
def clear(median: Median) -> None:
    """Forget all values."""
    median.meta[:] = 0


@njit_no_alloc
def add(median: Median, value: int) -> None:
    """Add a value; if the window is full, the oldest leaves."""
    values, ordered, meta = median
    count = meta[0]
    slot = meta[1]
    if count < values.size:
        free = count
        count += 1
    else:
        free = np.searchsorted(ordered, values[slot])
    values[slot] = value
    meta[0] = count
    meta[1] = (slot + 1) % values.size
    # the free place moves to where the value belongs
    while free > 0 and ordered[free - 1] > value:
        ordered[free] = ordered[free - 1]
        free -= 1
    while free < count - 1 and ordered[free + 1] < value:
        ordered[free] = ordered[free + 1]
        free += 1
    ordered[free] = value


@njit_no_alloc
def middle(median: Median) -> float:
    """The median of the window; of an even count the mean of both middle values. Not for an empty window."""
    count = median.meta[0]
    return float(median.ordered[(count - 1) // 2] + median.ordered[count // 2]) / 2
