"""Order flow: what was added to and taken from the book over a window of samples.

Here: compiled functions of (samples, index, window in seconds).
Add here: a function, its line in `ml.features.table` and in `ml.features.row`, and its oracle.
Not here: prints (`trade_flow`), the shape of the book (`order_book`).

Sums are of int64, so they are exact in any order.
"""

from math import log, sqrt

from ml.market import layout as at
from ml.market.compiled import hot


@hot
def imbalance(samples, i, window, levels, scale):  # type: ignore[no-untyped-def]
    """Order-flow imbalance of the best levels over a window / (scale sqrt(window)).

    Cont, Kukanov, Stoikov (2014); summed over levels as in Xu, Gould, Howison (2018).
    """
    total = 0
    for k in range(max(i - window + 1, 0), i + 1):
        for level in range(levels):
            total += samples[k, at.OFI + level]
    return total / (scale * sqrt(window))


@hot
def _sum(samples, i, window, column):  # type: ignore[no-untyped-def]
    """A flow within 20 basis points: the sum of its five bands over a window."""
    total = 0
    for k in range(max(i - window + 1, 0), i + 1):
        for band in range(at.N_BANDS):
            total += samples[k, column + band]
    return total


@hot
def net_imbalance(samples, i, window):  # type: ignore[no-untyped-def]
    """(added - cancelled on the bid) - (same on the ask), over all four, within 20 bps; 0 where nothing happened."""
    bid_added, ask_added = _sum(samples, i, window, at.ADDED), _sum(samples, i, window, at.ADDED + at.N_BANDS)
    bid_cancelled, ask_cancelled = (
        _sum(samples, i, window, at.CANCELLED),
        _sum(samples, i, window, at.CANCELLED + at.N_BANDS),
    )
    total = bid_added + ask_added + bid_cancelled + ask_cancelled
    return (bid_added - bid_cancelled - ask_added + ask_cancelled) / total if total > 0 else 0.0


@hot
def cancel_imbalance(samples, i, window):  # type: ignore[no-untyped-def]
    """(cancelled on the bid - on the ask) / their sum, within 20 bps; 0 where nothing was cancelled."""
    bid, ask = _sum(samples, i, window, at.CANCELLED), _sum(samples, i, window, at.CANCELLED + at.N_BANDS)
    return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0


@hot
def update_rate(samples, i, window):  # type: ignore[no-untyped-def]
    """ln(1 + level updates per second) over a window."""
    total = 0
    for k in range(max(i - window + 1, 0), i + 1):
        total += samples[k, at.N_UPDATES]
    return log(1.0 + total / window)
