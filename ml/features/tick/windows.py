"""What the windows of a feature row are made of, a sample at a time: the same for a day at once and for a live stream.

Here: the state, and taking a sample into it.
Add here: a column of SUMS, with its line below `push`, for anything that a window adds up.
Not here: the formulas (by family), which rows are asked for (`ml.features.tick.row`).

Sums over windows are differences of running sums of int64 modulo 2^64. They are exact wherever the running began, so a
stream that starts an hour ago has the bits of one that started last year. A formula takes two rows of running sums,
`now` and that `before` its window. What cannot be summed exactly is kept per second, and a formula passes over it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.features.tick import minutes as candles
from ml.features.tick.median import Median, add, clear, empty_median
from ml.features.tick.minutes import Minutes, empty_minutes
from ml.market.book import layout as at
from ml.market.book.compiled import njit_no_alloc
from ml.market.book.layout import I64

F64 = NDArray[np.float64]
SCALE_ROWS = 1800
"""Seconds of the size scale and of what is usual; they need at least 60."""
HOUR_ROWS = at.TAIL
RANGE_ROWS = 60
BUCKETS = 50
SPLIT = 1 << 27
UNIT = 1e-9
LIMIT = 10**8
"""One-second returns are whole numbers of 1e-9, at most 0.1 either way: sums of their squares and cubes stay exact."""

SUMS = (
    "ofi_1",
    "ofi_5",
    "ofi_10",
    "ofi_weighted",
    "added_bid",
    "added_ask",
    "cancelled_bid",
    "cancelled_ask",
    "traded_bid",
    "traded_ask",
    "fleeting_bid",
    "fleeting_ask",
    "updates",
    "unseen",
    "count_buy",
    "count_sell",
    "volume_buy",
    "volume_sell",
    "notional",
    "spread_notional",
    "square",
    "bipower",
    "cube_high",
    "cube_low",
)
(
    OFI_1,
    OFI_5,
    OFI_10,
    OFI_WEIGHTED,
    ADDED_BID,
    ADDED_ASK,
    CANCELLED_BID,
    CANCELLED_ASK,
    TRADED_BID,
    TRADED_ASK,
    FLEETING_BID,
    FLEETING_ASK,
    UPDATES,
    UNSEEN,
    COUNT_BUY,
    COUNT_SELL,
    VOLUME_BUY,
    VOLUME_SELL,
    NOTIONAL,
    SPREAD_NOTIONAL,
    SQUARE,
    BIPOWER,
    CUBE_HIGH,
    CUBE_LOW,
) = range(len(SUMS))
OFI_WEIGHTS = np.array([2520 // k for k in range(1, 11)])
"""1/k for level k, over the common denominator 2 520: declared, not fitted."""
SERIES = ("mid", "high", "low", "last_trade", "largest", "volume", "bought")
MID, HIGH, LOW, LAST_TRADE, LARGEST, VOLUME, BOUGHT = range(len(SERIES))
CHANGE, ROOT, COST = range(3)
COUNT, LAST_CHANGE, RUN, TRADES_RUN = range(4)


class Windows(NamedTuple):
    """Everything that features remember, as arrays only; row j is the j-th sample that was added.

    `sums` i64 (rows + 1, SUMS): running sums before each row. `series` i64 (SERIES, rows + 1): per second twice the
    mid, highest and lowest of it over 60 s, the last trade (0 without), the largest trade; and running sums before each
    row of all volume and of bought volume. `moves` f64 (3, rows): return in bps, signed root of net volume, |return|
    over volume. `sizes`: best sizes of SCALE_ROWS. `before` i64 (10): what the last sample added and left, by side and
    band. `edges` i64: where volume buckets began last time. `near` i64 (2, 6): scratch for one row. `meta` i64: rows
    added, the last return, the last `valid_run`, and the rows that end with the last one and in which both book and
    trades were known.
    """

    sums: I64
    series: I64
    moves: F64
    sizes: Median
    minutes: Minutes
    before: I64
    edges: I64
    near: I64
    meta: I64


def empty_windows(rows: int) -> Windows:
    """Windows that have seen nothing, with room for so many samples."""
    return Windows(
        sums=np.zeros((rows + 1, len(SUMS)), np.int64),
        series=np.zeros((len(SERIES), rows + 1), np.int64),
        moves=np.zeros((3, rows)),
        sizes=empty_median(2 * SCALE_ROWS),
        minutes=empty_minutes(),
        before=np.zeros(2 * at.N_BANDS, np.int64),
        edges=np.zeros(BUCKETS + 1, np.int64),
        near=np.zeros((2, 6), np.int64),
        meta=np.zeros(4, np.int64),
    )


@njit_no_alloc
def forget(windows: Windows) -> None:
    """Begin again."""
    windows.meta[:] = 0
    windows.before[:] = 0
    windows.edges[:] = 0
    windows.sums[0, :] = 0
    windows.series[:, 0] = 0
    clear(windows.sizes)
    candles.forget(windows.minutes)


def keep_tail(windows: Windows) -> None:
    """Drop all rows but the last hour's, so that there is room for more."""
    count = int(windows.meta[COUNT])
    drop = max(count - HOUR_ROWS, 0)
    windows.sums[: count + 1 - drop] = windows.sums[drop : count + 1].copy()
    windows.series[:, : count + 1 - drop] = windows.series[:, drop : count + 1].copy()
    windows.moves[:, : count - drop] = windows.moves[:, drop:count].copy()
    windows.edges[:] = np.maximum(windows.edges - drop, 0)
    windows.meta[COUNT] = count - drop


@njit_no_alloc
def push(windows: Windows, row: I64) -> None:
    """Take in a sample, i64 (columns); samples come a second apart."""
    j = windows.meta[COUNT]
    meta = windows.meta
    sums = windows.sums[j + 1]
    for c in range(sums.size):
        sums[c] = windows.sums[j, c]
    _book_flow(windows.before, sums, row)
    _trades(windows, sums, row, j)
    _returns(windows, sums, row, j)
    if row[at.RUN] <= 1 and windows.sizes.meta[0] > 0:
        clear(windows.sizes)
    if row[at.RUN] > 0:
        add(windows.sizes, row[at.BID_SIZE])
        add(windows.sizes, row[at.ASK_SIZE])
    meta[COUNT] = j + 1
    meta[RUN] = row[at.RUN]
    meta[TRADES_RUN] = min(row[at.RUN], row[at.TRADES_RUN])
    candles.push(windows.minutes, row)


@njit_no_alloc
def known_rows(windows: Windows) -> int:
    """Rows with a valid book that end with the last one, up to 30 minutes."""
    return min(windows.meta[RUN], SCALE_ROWS, windows.meta[COUNT])


@njit_no_alloc
def usual(windows: Windows) -> int:
    """Rows over which usual trading is taken: those with a valid book and known trades, up to 30 minutes."""
    return min(windows.meta[TRADES_RUN], SCALE_ROWS, windows.meta[COUNT])


@njit_no_alloc
def _book_flow(before: I64, sums: I64, row: I64) -> None:
    for level in range(10):
        ofi = row[at.OFI + level]
        sums[OFI_1] += ofi if level < 1 else 0
        sums[OFI_5] += ofi if level < 5 else 0
        sums[OFI_10] += ofi
        sums[OFI_WEIGHTED] += ofi * OFI_WEIGHTS[level]
    for band in range(2 * at.N_BANDS):
        side = band // at.N_BANDS
        added = row[at.ADDED + band]
        cancelled = row[at.CANCELLED + band]
        sums[ADDED_BID + side] += added
        sums[CANCELLED_BID + side] += cancelled
        sums[TRADED_BID + side] += row[at.TRADED + band]
        own = min(added, cancelled)
        sums[FLEETING_BID + side] += own + min(cancelled - own, before[band])
        before[band] = added - own
    sums[UPDATES] += max(row[at.N_UPDATES], 0)
    sums[UNSEEN] += row[at.N_UPDATES] == at.UNKNOWN_UPDATES


@njit_no_alloc
def _trades(windows: Windows, sums: I64, row: I64, j: int) -> None:
    series = windows.series
    moves = windows.moves
    bought = row[at.TRADE_VOLUME]
    sold = row[at.TRADE_VOLUME + 1]
    for side in range(2):
        sums[COUNT_BUY + side] += row[at.TRADE_COUNT + side]
        sums[VOLUME_BUY + side] += row[at.TRADE_VOLUME + side]
    sums[NOTIONAL] += row[at.TRADE_NOTIONAL] + row[at.TRADE_NOTIONAL + 1]
    sums[SPREAD_NOTIONAL] += row[at.TRADE_SPREAD]
    series[LAST_TRADE, j] = row[at.LAST_TRADE] if row[at.TRADE_COUNT] + row[at.TRADE_COUNT + 1] > 0 else 0
    series[LARGEST, j] = row[at.TRADE_LARGEST]
    series[VOLUME, j + 1] = series[VOLUME, j] + bought + sold
    series[BOUGHT, j + 1] = series[BOUGHT, j] + bought
    moves[ROOT, j] = np.sqrt(bought - sold) if bought >= sold else -np.sqrt(sold - bought)


@njit_no_alloc
def _returns(windows: Windows, sums: I64, row: I64, j: int) -> None:
    """The mid's return since the last second, its powers, and the mid's range over a minute."""
    series = windows.series
    moves = windows.moves
    mid = row[at.BID_PRICE] + row[at.ASK_PRICE] if row[at.VALID] == 1 else 0
    last = series[MID, j - 1] if j > 0 else 0
    change = 0
    if mid > 0 and last > 0:
        change = int(min(max(np.rint((mid - last) / (last * UNIT)), -LIMIT), LIMIT))
    square = change * change
    sums[SQUARE] += square
    sums[BIPOWER] += abs(change * windows.meta[LAST_CHANGE])
    sums[CUBE_HIGH] += square // SPLIT * change
    sums[CUBE_LOW] += square % SPLIT * change
    windows.meta[LAST_CHANGE] = change
    traded = row[at.TRADE_VOLUME] + row[at.TRADE_VOLUME + 1]
    moves[CHANGE, j] = change * (1e4 * UNIT)
    moves[COST, j] = abs(moves[CHANGE, j]) / traded if traded > 0 else 0.0
    series[MID, j] = mid
    high = low = mid
    for k in range(max(j - RANGE_ROWS + 1, 0), j):
        high = max(high, series[MID, k])
        low = min(low, series[MID, k])
    series[HIGH, j] = high
    series[LOW, j] = low
