"""The label loop, compiled: one pass over the quotes per horizon.

Here: movement, trailing volatility, age of the book at the target and the null reason.
Not here: classes (`ml.labels.future`).
"""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.time import SECOND
from ml.market.book.compiled import njit_no_alloc
from ml.market.book.layout import I64
from ml.tables.schemas import NullReason

SIGMA_ROWS = 1800
SIGMA_MIN = 60
UNKNOWN = 255
STRETCH = 1024
INVALID_BOOK = int(NullReason.INVALID_BOOK)
ONE_SIDED = int(NullReason.ONE_SIDED)
HORIZON_INVALID = int(NullReason.HORIZON_INVALID)
DAY_END = int(NullReason.DAY_END)
CAPTURE_END = int(NullReason.CAPTURE_END)


class Quotes(NamedTuple):
    """What labels need of the samples; rows stand one second apart.

    ts i64 (ns), best bid and ask i64 (units, 0 if absent), valid i8, valid_run i16, book_age i64 (ns, -1 if unknown).
    """

    ts: I64
    bid: I64
    ask: I64
    valid: NDArray[np.int8]
    run: NDArray[np.int16]
    age: I64


class Labels(NamedTuple):
    """What the loop writes, a column a quote.

    Per horizon (axis 0) movement f64, age at the target i64 and null reason u8; and the volatility of one second, f64.
    """

    movement: NDArray[np.float64]
    age: I64
    reason: NDArray[np.uint8]
    volatility: NDArray[np.float64]


def empty_labels(rows: int, horizons: int) -> Labels:
    """Room for labels."""
    return Labels(
        np.empty((horizons, rows)),
        np.empty((horizons, rows), np.int64),
        np.empty((horizons, rows), np.uint8),
        np.empty(rows),
    )


@njit_no_alloc
def future_rows(quotes: Quotes, first: int, horizons: I64, day_end: int, labels: Labels) -> None:
    """Labels of the quotes from row `first` on, for horizons in seconds; the rows before serve the volatility.

    movement: mid(t + h) / mid(t) - 1. volatility: sqrt(mean((mid_k - mid_k-1)^2)) / mid(t) over up to 1 800 valid
    samples before t, at least 60, else NaN; sums of int64, so that a gap elsewhere changes nothing. age: ns since the
    book's last change at t + h, -1 if null. reason: a `NullReason`.
    """
    # which is overwritten at the end
    bid = quotes.bid[first:]
    ask = quotes.ask[first:]
    mids = labels.volatility
    _mids(bid, ask, mids)
    within = quotes.ts.size
    while within > 0 and quotes.ts[within - 1] > day_end:
        within -= 1
    for h in range(horizons.size):
        horizon = horizons[h]
        reason = labels.reason[h]
        until = max(within - first - horizon, 0)
        _known(quotes.valid[first:], quotes.run[first + horizon :], horizon, until, reason)
        _movements(mids, mids[horizon:], until, reason, labels.movement[h])
        _ages(quotes.age[first + horizon :], until, reason, labels.age[h])
        _explain(quotes, first, horizon, day_end, reason)
    _variance(quotes, first, labels.volatility)
    _volatility(bid, ask, labels.volatility)


# One loop for each column that is written, over arrays that begin in row 0: with more arrays in it, or with another
# first row, a loop is not compiled to vector code, because it would have to be proved for each pair of them that they
# do not overlap, and of each index that it does not count from the end.


@njit_no_alloc
def _mids(bid: I64, ask: I64, mids: NDArray[np.float64]) -> None:
    """Twice the mid, exact."""
    for k in range(mids.size):
        mids[k] = np.float64(bid[k] + ask[k])


@njit_no_alloc
def _known(
    valid: NDArray[np.int8], run_at_target: NDArray[np.int16], horizon: int, until: int, reason: NDArray[np.uint8]
) -> None:
    """0 where the book was right from a quote to its target, UNKNOWN elsewhere; row `until` has no target."""
    one = np.int8(1)
    least = np.int16(horizon)
    for k in range(until):
        reason[k] = np.uint8(0) if (valid[k] == one) & (run_at_target[k] >= least) else np.uint8(UNKNOWN)
    for k in range(until, reason.size):
        reason[k] = UNKNOWN


@njit_no_alloc
def _movements(
    mids: NDArray[np.float64],
    later: NDArray[np.float64],
    until: int,
    reason: NDArray[np.uint8],
    movement: NDArray[np.float64],
) -> None:
    for k in range(until):
        change = later[k] / mids[k] - 1.0
        movement[k] = change if reason[k] == 0 else nan
    for k in range(until, movement.size):
        movement[k] = nan


@njit_no_alloc
def _ages(later: I64, until: int, reason: NDArray[np.uint8], at_target: I64) -> None:
    for k in range(until):
        at_target[k] = later[k] if reason[k] == 0 else -1
    for k in range(until, at_target.size):
        at_target[k] = -1


@njit_no_alloc
def _explain(quotes: Quotes, first: int, horizon: int, day_end: int, reason: NDArray[np.uint8]) -> None:
    """Say why where it is UNKNOWN; most intervals have no such row."""
    for start in range(0, reason.size, STRETCH):
        stretch = reason[start : start + STRETCH]
        found = np.uint8(0)
        for k in range(stretch.size):
            found |= stretch[k]
        if found:
            for k in range(stretch.size):
                if stretch[k] == UNKNOWN:
                    stretch[k] = _reason(quotes, first + start + k, horizon, day_end)


@njit_no_alloc
def _variance(quotes: Quotes, first: int, variance: NDArray[np.float64]) -> None:
    """Mean square of the changes of twice the mid."""
    bid = quotes.bid
    ask = quotes.ask
    run = quotes.run
    squares = 0
    start = 0
    for i in range(bid.size):
        # the window of changes (start, i]: valid samples only, 1 800 at most
        if run[i] == 0 or i == 0:
            squares = 0
            start = i
        else:
            change = bid[i] + ask[i] - bid[i - 1] - ask[i - 1]
            squares += change * change
            if i - start > SIGMA_ROWS:
                start += 1
                change = bid[start] + ask[start] - bid[start - 1] - ask[start - 1]
                squares -= change * change
        if i >= first:
            variance[i - first] = squares / (i - start) if quotes.valid[i] == 1 and i - start >= SIGMA_MIN else nan


@njit_no_alloc
def _volatility(bid: I64, ask: I64, volatility: NDArray[np.float64]) -> None:
    """Of the mean squares that stand in it, in place."""
    for k in range(volatility.size):
        volatility[k] = sqrt(volatility[k]) / np.float64(bid[k] + ask[k])


@njit_no_alloc
def _reason(quotes: Quotes, i: int, horizon: int, day_end: int) -> int:
    """Why row i has no label at a horizon."""
    if quotes.valid[i] == 0:
        return ONE_SIDED if (quotes.bid[i] > 0) != (quotes.ask[i] > 0) else INVALID_BOOK
    if quotes.ts[i] + horizon * SECOND > day_end:
        return DAY_END
    return CAPTURE_END if i + horizon >= quotes.ts.size else HORIZON_INVALID
