"""The median of a sliding window, exact, a new value at a time.

Here: the two heaps that meet in the median.
Not here: what is put in (`ml.features.tick.windows`).

The larger half lies in a heap whose smallest value is on top, the smaller half in one whose largest is, with the median
between (Härdle, Steiger, 1995, Optimal median smoothing). The result is an order statistic: it does not depend on the
heaps' shape, so any two histories that end with the same window give the same number.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.market.book.compiled import njit_no_alloc
from ml.market.book.layout import I64

I32 = NDArray[np.int32]


class Median(NamedTuple):
    """The last values, i64 (capacity); `place` is where each stands in `heap` (0 is the median, the larger half above).

    `place` i32, `heap` i32 (capacity + 1), shifted by half the capacity; `meta` is count and the slot that comes next.
    """

    values: I64
    place: I32
    heap: I32
    meta: I64


def empty_median(capacity: int) -> Median:
    """A median of nothing."""
    places = np.zeros(capacity, np.int32)
    heap = np.zeros(capacity + 1, np.int32)
    empty = Median(np.zeros(capacity, np.int64), places, heap, np.zeros(2, np.int64))
    clear(empty)
    return empty


@njit_no_alloc
def clear(median: Median) -> None:
    """Forget all values."""
    half = median.values.size // 2
    median.meta[:] = 0
    for slot in range(median.values.size):
        place = -((slot + 1) // 2) if slot % 2 else (slot + 1) // 2
        median.place[slot] = place
        median.heap[half + place] = slot


@njit_no_alloc
def add(median: Median, value: int) -> None:
    """Take a value in, and the oldest out if the window is full."""
    values = median.values
    meta = median.meta
    slot = meta[1]
    more = meta[0] < values.size
    old = values[slot]
    values[slot] = value
    meta[0] = meta[0] + more
    meta[1] = (slot + 1) % values.size
    place = median.place[slot]
    if place > 0:
        if not more and old < value:
            _sink_above(median, 2 * place)
        elif _rise_above(median, place):
            _sink_below(median, 1)
    elif place < 0:
        if not more and value < old:
            _sink_below(median, -2 * place)
        elif _rise_below(median, -place):
            _sink_above(median, 1)
    else:
        _sink_below(median, 1)
        _sink_above(median, 1)


@njit_no_alloc
def middle(median: Median) -> float:
    """The median of the window; of an even count the mean of both middle values. Not for an empty window."""
    half = median.values.size // 2
    upper = median.values[median.heap[half]]
    if median.meta[0] % 2:
        return float(upper)
    return float(median.values[median.heap[half - 1]] + upper) / 2


@njit_no_alloc
def _swapped(median: Median, i: int, j: int) -> bool:
    """Exchange places i and j if the value at i is less; whether it was."""
    half = median.values.size // 2
    heap = median.heap
    if median.values[heap[half + i]] >= median.values[heap[half + j]]:
        return False
    heap[half + i], heap[half + j] = heap[half + j], heap[half + i]
    median.place[heap[half + i]] = i
    median.place[heap[half + j]] = j
    return True


@njit_no_alloc
def _less(median: Median, i: int, j: int) -> bool:
    half = median.values.size // 2
    return bool(median.values[median.heap[half + i]] < median.values[median.heap[half + j]])


@njit_no_alloc
def _sink_above(median: Median, i: int) -> None:
    """Order the larger half from place i downwards."""
    count = (median.meta[0] - 1) // 2
    while i <= count:
        if 1 < i < count and _less(median, i + 1, i):
            i += 1
        if not _swapped(median, i, i // 2):
            return
        i *= 2


@njit_no_alloc
def _sink_below(median: Median, i: int) -> None:
    """Order the smaller half from place -i downwards."""
    count = median.meta[0] // 2
    while i <= count:
        if 1 < i < count and _less(median, -i, -i - 1):
            i += 1
        if not _swapped(median, -(i // 2), -i):
            return
        i *= 2


@njit_no_alloc
def _rise_above(median: Median, i: int) -> bool:
    """Order the larger half from place i upwards; whether the median changed."""
    while i > 0 and _swapped(median, i, i // 2):
        i //= 2
    return i == 0


@njit_no_alloc
def _rise_below(median: Median, i: int) -> bool:
    while i > 0 and _swapped(median, -(i // 2), -i):
        i //= 2
    return i == 0
