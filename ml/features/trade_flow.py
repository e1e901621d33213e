"""Trade flow: who bought and sold over a window of samples, how much and how often.

Here: compiled functions of the windows.
Add here: a function, its line in `fill` and in `ml.features.table`, and its oracle.
Not here: what the prints cost and moved (`impact`), changes of the book (`order_flow`).
"""

from math import exp, log

import numpy as np

from ml.features import impact
from ml.features import windows as of
from ml.features.order_flow import imbalance
from ml.features.windows import total, usual
from ml.market.compiled import hot

WINDOWS = (1, 5, 30, 60)
DECAY = np.array([exp(-k) for k in range(10)])
"""Kernel of the intensities, cut off after ten seconds, at 0.00005."""
DECAY_SUM = float(DECAY.sum())


@hot
def fill(windows, scale, out):  # type: ignore[no-untyped-def]
    """Write the twenty-one features in the table's order; `scale` is S."""
    for k in range(4):
        out[k] = imbalance(windows, WINDOWS[k], of.VOLUME_BUY)
        out[4 + k] = log(1.0 + prints(windows, WINDOWS[k]) / WINDOWS[k])
    out[8], out[9] = imbalance(windows, 5, of.COUNT_BUY), imbalance(windows, 30, of.COUNT_BUY)
    out[10], out[11] = volume_ratio(windows, 5), volume_ratio(windows, 30)
    out[12] = print_size(windows, 30)
    out[13] = largest_share(windows, 60)
    out[14] = impact.vpin(windows)
    out[15], out[16] = impact.price_impact(windows, scale)
    out[17] = impact.roll_spread(windows)
    out[18] = impact.effective_spread(windows, 30)
    out[19], out[20] = intensity(windows, of.COUNT_BUY), intensity(windows, of.COUNT_SELL)


@hot
def prints(windows, span):  # type: ignore[no-untyped-def]
    """Count of prints over a window."""
    return total(windows, span, of.COUNT_BUY) + total(windows, span, of.COUNT_SELL)


@hot
def volume(windows, span):  # type: ignore[no-untyped-def]
    """Traded lots over a window."""
    return total(windows, span, of.VOLUME_BUY) + total(windows, span, of.VOLUME_SELL)


@hot
def volume_ratio(windows, span):  # type: ignore[no-untyped-def]
    """ln(1 + volume / the usual volume of a window so long), usual over up to 30 min; 0 where nothing traded."""
    long = usual(windows)
    traded = volume(windows, long)
    return log(1.0 + volume(windows, span) * long / (traded * float(span))) if traded > 0 else 0.0


@hot
def print_size(windows, span):  # type: ignore[no-untyped-def]
    """ln(mean print / the mean print of up to 30 min); 0 where nothing traded."""
    count, long = prints(windows, span), usual(windows)
    if count == 0 or volume(windows, span) == 0:
        return 0.0
    return log(volume(windows, span) / count * (prints(windows, long) / volume(windows, long)))


@hot
def largest_share(windows, span):  # type: ignore[no-untyped-def]
    """The largest print over the volume of a window, 0 to 1; 0 where nothing traded."""
    end, largest, traded = windows.meta[of.COUNT], 0, volume(windows, span)
    for k in range(max(end - span, 0), end):
        largest = max(largest, windows.series[of.LARGEST, k])
    return largest / traded if traded > 0 else 0.0


@hot
def intensity(windows, column):  # type: ignore[no-untyped-def]
    """Exponentially weighted prints a second of one aggressor, decay 1/s, over the mean of up to 30 min.

    The self-exciting part of a Hawkes process with that decay, on a grid of seconds; 0 where nothing traded.
    """
    long, end, weighted = usual(windows), windows.meta[of.COUNT], 0.0
    count = total(windows, long, column)
    if count == 0:
        return 0.0
    for k in range(min(DECAY.size, end)):
        weighted += DECAY[k] * (windows.sums[end - k, column] - windows.sums[end - k - 1, column])
    return weighted / DECAY_SUM * long / count
