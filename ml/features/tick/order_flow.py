"""Order flow: what was added to and taken from the book over a window of samples.

Here: compiled functions of running sums, now and before the window.
Add here: a function, its line in `fill` and in `ml.features.tick.table`, and its oracle.
Not here: trades (`trade_flow`), the shape of the book (`order_book`), the sums (`ml.features.tick.windows`).
"""

from math import log, nan, sqrt

from ml.features.tick import windows as of
from ml.market.book.compiled import njit_no_alloc

WINDOWS = (1, 5, 30)
N_FEATURES = 32
WEIGHT = float(of.OFI_WEIGHTS.sum())


@njit_no_alloc
def fill(sums, end, known, long, scale, out):  # type: ignore[no-untyped-def]
    """Write the thirty-two features in the table's order; `scale` is S.

    `known` are the rows with a valid book that end here, `long` those that tell what is usual: trades are known too.

    A book of snapshots alone does not show what was added and cancelled: they are NaN.
    """
    now = sums[end]
    usual = sums[max(end - long, 0)]
    if now[of.UNSEEN] > sums[max(end - known, 0), of.UNSEEN]:
        for k in range(N_FEATURES):
            out[k] = nan
        return
    for k in range(3):
        before = sums[max(end - WINDOWS[k], 0)]
        unit = 1.0 / (scale * sqrt(WINDOWS[k]))
        out[k] = (now[of.OFI_1] - before[of.OFI_1]) * unit
        out[3 + k] = (now[of.OFI_5] - before[of.OFI_5]) * unit
        out[6 + k] = (now[of.OFI_10] - before[of.OFI_10]) * unit
        out[9 + k] = (now[of.OFI_WEIGHTED] - before[of.OFI_WEIGHTED]) * (unit / WEIGHT)
        out[12 + k] = imbalance(now, before, of.ADDED_BID)
        out[15 + k] = imbalance(now, before, of.CANCELLED_BID)
        out[18 + k] = net_imbalance(now, before)
        out[21 + k] = cancel_share(now, before, usual, 0)
        out[24 + k] = cancel_share(now, before, usual, 1)
    before5 = sums[max(end - 5, 0)]
    before30 = sums[max(end - 30, 0)]
    for side in range(2):
        out[27 + 2 * side] = fleeting_share(now, before5, side)
        out[28 + 2 * side] = fleeting_share(now, before30, side)
    out[31] = log(1.0 + (now[of.UPDATES] - before5[of.UPDATES]) / 5)


@njit_no_alloc
def imbalance(now, before, column):  # type: ignore[no-untyped-def]
    """(first - second) / (first + second) of a column and the next, -1 to 1; 0 where nothing happened."""
    first = now[column] - before[column]
    second = now[column + 1] - before[column + 1]
    return (first - second) / (first + second) if first + second > 0 else 0.0


@njit_no_alloc
def net_imbalance(now, before):  # type: ignore[no-untyped-def]
    """(added - cancelled on the bid) - (same on the ask), over all four, within 20 bps; 0 where nothing happened."""
    bid_added = now[of.ADDED_BID] - before[of.ADDED_BID]
    ask_added = now[of.ADDED_ASK] - before[of.ADDED_ASK]
    bid_gone = now[of.CANCELLED_BID] - before[of.CANCELLED_BID]
    ask_gone = now[of.CANCELLED_ASK] - before[of.CANCELLED_ASK]
    moved = bid_added + ask_added + bid_gone + ask_gone
    return (bid_added - bid_gone - ask_added + ask_gone) / moved if moved > 0 else 0.0


@njit_no_alloc
def cancel_share(now, before, usual, side):  # type: ignore[no-untyped-def]
    """Cancelled / (cancelled + traded) on a side within 20 bps, less the same of up to 30 min; 0 where nothing left."""
    gone_column = of.CANCELLED_BID + side
    traded_column = of.TRADED_BID + side
    gone = now[gone_column] - before[gone_column]
    traded = now[traded_column] - before[traded_column]
    if gone + traded == 0:
        return 0.0
    all_gone = now[gone_column] - usual[gone_column]
    all_traded = now[traded_column] - usual[traded_column]
    return gone / (gone + traded) - all_gone / (all_gone + all_traded)


@njit_no_alloc
def fleeting_share(now, before, side):  # type: ignore[no-untyped-def]
    """How much of what was added on a side can have been cancelled within 2 s, at most; 0 where nothing was added.

    Per band, what a second cancels is matched with what it added, then with what was left of the second before.
    """
    added = now[of.ADDED_BID + side] - before[of.ADDED_BID + side]
    return (now[of.FLEETING_BID + side] - before[of.FLEETING_BID + side]) / added if added > 0 else 0.0
