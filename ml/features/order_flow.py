"""Order flow: what was added to and taken from the book over a window of samples.

Here: compiled functions of the windows.
Add here: a function, its line in `fill` and in `ml.features.table`, and its oracle.
Not here: prints (`trade_flow`), the shape of the book (`order_book`), the sums (`ml.features.windows`).
"""

from math import log, sqrt

from ml.features import windows as of
from ml.features.windows import total, usual
from ml.market.compiled import hot

WINDOWS = (1, 5, 30)
WEIGHT = float(of.OFI_WEIGHTS.sum())


@hot
def fill(windows, scale, out):  # type: ignore[no-untyped-def]
    """Write the thirty-two features in the table's order; `scale` is S."""
    for k in range(3):
        w = WINDOWS[k]
        unit = scale * sqrt(w)
        out[k] = total(windows, w, of.OFI_1) / unit
        out[3 + k] = total(windows, w, of.OFI_5) / unit
        out[6 + k] = total(windows, w, of.OFI_10) / unit
        out[9 + k] = total(windows, w, of.OFI_WEIGHTED) / (WEIGHT * unit)
        out[12 + k] = imbalance(windows, w, of.ADDED_BID)
        out[15 + k] = imbalance(windows, w, of.CANCELLED_BID)
        out[18 + k] = net_imbalance(windows, w)
        out[21 + k] = cancel_share(windows, w, 0)
        out[24 + k] = cancel_share(windows, w, 1)
    for side in range(2):
        out[27 + 2 * side] = fleeting_share(windows, 5, side)
        out[28 + 2 * side] = fleeting_share(windows, 30, side)
    out[31] = log(1.0 + total(windows, 5, of.UPDATES) / 5)


@hot
def imbalance(windows, span, column):  # type: ignore[no-untyped-def]
    """(first - second) / (first + second) of a column and the next, -1 to 1; 0 where nothing happened."""
    first, second = total(windows, span, column), total(windows, span, column + 1)
    return (first - second) / (first + second) if first + second > 0 else 0.0


@hot
def net_imbalance(windows, span):  # type: ignore[no-untyped-def]
    """(added - cancelled on the bid) - (same on the ask), over all four, within 20 bps; 0 where nothing happened."""
    bid_added, ask_added = total(windows, span, of.ADDED_BID), total(windows, span, of.ADDED_ASK)
    bid_gone, ask_gone = total(windows, span, of.CANCELLED_BID), total(windows, span, of.CANCELLED_ASK)
    moved = bid_added + ask_added + bid_gone + ask_gone
    return (bid_added - bid_gone - ask_added + ask_gone) / moved if moved > 0 else 0.0


@hot
def cancel_share(windows, span, side):  # type: ignore[no-untyped-def]
    """Cancelled / (cancelled + traded) on a side within 20 bps, less the same of up to 30 min; 0 where nothing left."""
    gone, traded = total(windows, span, of.CANCELLED_BID + side), total(windows, span, of.TRADED_BID + side)
    if gone + traded == 0:
        return 0.0
    long = usual(windows)
    all_gone, all_traded = total(windows, long, of.CANCELLED_BID + side), total(windows, long, of.TRADED_BID + side)
    return gone / (gone + traded) - all_gone / (all_gone + all_traded)


@hot
def fleeting_share(windows, span, side):  # type: ignore[no-untyped-def]
    """How much of what was added on a side can have been cancelled within 2 s, at most; 0 where nothing was added.

    Per second and band it is the smaller of what was cancelled and what was added in that second and the one before.
    """
    added = total(windows, span, of.ADDED_BID + side)
    return total(windows, span, of.FLEETING_BID + side) / added if added > 0 else 0.0
