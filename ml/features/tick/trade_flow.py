"""Trade flow: who bought and sold over a window of samples, how much and how often.

Here: compiled functions of running sums, now and before the window.
Add here: a function, its line in `fill` and in `ml.features.tick.table`, and its oracle.
Not here: what the trades cost and moved (`impact`), changes of the book (`order_flow`).
"""

from math import exp, log

import numpy as np

from ml.features.tick import windows as of
from ml.features.tick.order_flow import imbalance
from ml.market.book.compiled import njit_no_alloc

WINDOWS = (1, 5, 30, 60)
DECAY = np.array([exp(-k) for k in range(10)])
"""Kernel of the intensities, cut off after ten seconds, at 0.00005."""
DECAY_SUM = float(DECAY.sum())


@njit_no_alloc
def fill(sums, end, long, out):  # type: ignore[no-untyped-def]
    """Write the first thirteen and the last two of the table's trades; `long` rows tell what is usual."""
    now = sums[end]
    usual = sums[max(end - long, 0)]
    before5 = sums[max(end - 5, 0)]
    before30 = sums[max(end - 30, 0)]
    for k in range(4):
        before = sums[max(end - WINDOWS[k], 0)]
        out[k] = imbalance(now, before, of.VOLUME_BUY)
        out[4 + k] = log(1.0 + both(now, before, of.COUNT_BUY) / WINDOWS[k])
    out[8] = imbalance(now, before5, of.COUNT_BUY)
    out[9] = imbalance(now, before30, of.COUNT_BUY)
    out[10] = volume_ratio(now, before5, usual, long / 5)
    out[11] = volume_ratio(now, before30, usual, long / 30)
    out[12] = print_size(now, before30, usual)
    for side in range(2):
        out[19 + side] = intensity(sums, end, long, of.COUNT_BUY + side)


@njit_no_alloc
def both(now, before, column):  # type: ignore[no-untyped-def]
    """A column and the next, for buyers and sellers, over a window."""
    return now[column] - before[column] + now[column + 1] - before[column + 1]


@njit_no_alloc
def volume_ratio(now, before, usual, times):  # type: ignore[no-untyped-def]
    """ln(1 + volume / usual volume), which is that of a window `times` as long; 0 where nothing traded in it."""
    traded = both(now, usual, of.VOLUME_BUY)
    return log(1.0 + both(now, before, of.VOLUME_BUY) * times / traded) if traded > 0 else 0.0


@njit_no_alloc
def print_size(now, before, usual):  # type: ignore[no-untyped-def]
    """ln(mean trade / the usual mean trade); 0 where nothing traded."""
    count = both(now, before, of.COUNT_BUY)
    volume = both(now, before, of.VOLUME_BUY)
    if count == 0 or volume == 0:
        return 0.0
    return log(volume / count * (both(now, usual, of.COUNT_BUY) / both(now, usual, of.VOLUME_BUY)))


@njit_no_alloc
def intensity(sums, end, long, column):  # type: ignore[no-untyped-def]
    """Exponentially weighted trades per second of one aggressor, decay 1/s, over the mean of up to 30 min.

    The self-exciting part of a Hawkes process with that decay, on a grid of seconds; 0 where nothing traded.
    """
    count = sums[end, column] - sums[max(end - long, 0), column]
    weighted = 0.0
    if count == 0:
        return 0.0
    for k in range(min(DECAY.size, end)):
        weighted += DECAY[k] * (sums[end - k, column] - sums[end - k - 1, column])
    return weighted / DECAY_SUM * long / count
