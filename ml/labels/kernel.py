"""The label loop, compiled: one pass over the quotes per horizon.

Here: movement, trailing volatility, age of the book at the target and the null reason.
Not here: classes (`ml.labels.future`).
"""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.market.compiled import hot
from ml.market.layout import I64, SECOND
from ml.schemas import NullReason

SIGMA_ROWS, SIGMA_MIN, UNKNOWN = 1800, 60, 255
INVALID_BOOK, ONE_SIDED = int(NullReason.INVALID_BOOK), int(NullReason.ONE_SIDED)
HORIZON_INVALID, DAY_END, CAPTURE_END = (
    int(NullReason.HORIZON_INVALID),
    int(NullReason.DAY_END),
    int(NullReason.CAPTURE_END),
)


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


@hot
def future_rows(quotes: Quotes, first: int, horizons: I64, day_end: int, labels: Labels) -> None:
    """Labels of the quotes from row `first` on, for horizons in seconds; the rows before serve the volatility.

    movement: mid(t + h) / mid(t) - 1. volatility: sqrt(mean((mid_k - mid_k-1)^2)) / mid(t) over up to 1 800 valid
    samples before t, at least 60, else NaN; sums of int64, so that a gap elsewhere changes nothing. age: ns since the
    book's last change at t + h, -1 if null. reason: a `NullReason`.
    """
    mids = labels.volatility  # until the end, when it is overwritten
    _mids(quotes.bid, quotes.ask, first, mids)
    within = quotes.ts.size
    while within > 0 and quotes.ts[within - 1] > day_end:
        within -= 1
    for h in range(horizons.size):
        horizon, reason = horizons[h], labels.reason[h]
        _known(quotes.valid, quotes.run, first, horizon, within, reason)
        _movements(mids, max(within - first - horizon, 0), horizon, reason, labels.movement[h])
        _ages(quotes.age, first, horizon, within, reason, labels.age[h])
        for k in range(quotes.ts.size - first):
            if reason[k] == UNKNOWN:
                reason[k] = _reason(quotes, first + k, horizon, day_end)
    _variance(quotes, first, labels.volatility)
    _volatility(quotes.bid, quotes.ask, first, labels.volatility)


# One loop for each column that is written: with more arrays in it, a loop is not compiled to vector code, because it
# would have to be proved for each pair of them that they do not overlap.


@hot
def _known(
    valid: NDArray[np.int8], run: NDArray[np.int16], first: int, horizon: int, within: int, reason: NDArray[np.uint8]
) -> None:
    """0 where the book was right from a quote to its target, UNKNOWN elsewhere; targets end with row `within`."""
    one, least = np.int8(1), np.int16(horizon)
    for i in range(first, within - horizon):
        reason[i - first] = np.uint8(0) if (valid[i] == one) & (run[i + horizon] >= least) else np.uint8(UNKNOWN)
    for i in range(max(within - horizon, first), valid.size):
        reason[i - first] = UNKNOWN


@hot
def _mids(bid: I64, ask: I64, first: int, mids: NDArray[np.float64]) -> None:
    """Twice the mid, exact."""
    for i in range(first, bid.size):
        mids[i - first] = np.float64(bid[i] + ask[i])


@hot
def _movements(
    mids: NDArray[np.float64], until: int, horizon: int, reason: NDArray[np.uint8], movement: NDArray[np.float64]
) -> None:
    for k in range(until):
        change = mids[k + horizon] / mids[k] - 1.0
        movement[k] = change if reason[k] == 0 else nan
    for k in range(until, movement.size):
        movement[k] = nan


@hot
def _ages(age: I64, first: int, horizon: int, within: int, reason: NDArray[np.uint8], at_target: I64) -> None:
    for i in range(first, within - horizon):
        at_target[i - first] = age[i + horizon] if reason[i - first] == 0 else -1
    for i in range(max(within - horizon, first), age.size):
        at_target[i - first] = -1


@hot
def _variance(quotes: Quotes, first: int, variance: NDArray[np.float64]) -> None:
    """Mean square of the changes of twice the mid."""
    bid, ask, run, squares, start = quotes.bid, quotes.ask, quotes.run, 0, 0
    for i in range(bid.size):
        # the window of changes (start, i]: valid samples only, 1 800 at most
        if run[i] == 0 or i == 0:
            squares, start = 0, i
        else:
            change = bid[i] + ask[i] - bid[i - 1] - ask[i - 1]
            squares += change * change
            while i - start > min(SIGMA_ROWS, run[i]):
                start += 1
                change = bid[start] + ask[start] - bid[start - 1] - ask[start - 1]
                squares -= change * change
        if i >= first:
            variance[i - first] = squares / (i - start) if quotes.valid[i] == 1 and i - start >= SIGMA_MIN else nan


@hot
def _volatility(bid: I64, ask: I64, first: int, volatility: NDArray[np.float64]) -> None:
    """Of the mean squares that stand in it, in place."""
    for i in range(first, bid.size):
        volatility[i - first] = sqrt(volatility[i - first]) / np.float64(bid[i] + ask[i])


@hot
def _reason(quotes: Quotes, i: int, horizon: int, day_end: int) -> int:
    """Why row i has no label at a horizon."""
    if quotes.valid[i] == 0:
        return ONE_SIDED if (quotes.bid[i] > 0) != (quotes.ask[i] > 0) else INVALID_BOOK
    if quotes.ts[i] + horizon * SECOND > day_end:
        return DAY_END
    return CAPTURE_END if i + horizon >= quotes.ts.size else HORIZON_INVALID
