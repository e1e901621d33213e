"""Rows of spoofing pressure on the grid of samples, from the lots of attribution. All compiled.

Row t is the state before the first event of time t or later, as with samples. A lot that was cancelled and came back
at another price was not pulled, and neither was what a late trade explains.

Here: what is remembered of pulls, and the numbers of a row.
Not here: why a row is null because of its sample (`ml.features.pressure.rows`), attribution (`ml.market.attribution`).
"""

from math import isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.time import DAY_NS, HOUR, SECOND
from ml.features.pressure.table import NEEDS, PRESSURE, SPAN
from ml.market.attribution import attribute
from ml.market.attribution import layout as lot
from ml.market.attribution import scale as scales
from ml.market.attribution.depth import ZONE_BPS, is_pull, share, size_at, weight, weighted_depth, young_volume
from ml.market.attribution.layout import State
from ml.market.attribution.scale import Scale, empty_scale
from ml.market.book.compiled import njit_no_alloc
from ml.market.book.ladder import best
from ml.market.book.layout import I64, BookStream, TradeStream
from ml.market.decode.events import TIME
from ml.tables.schemas import NullReason

NEED_TAKEN = 3
"""Beside what attribution may need: the rows must be taken."""
ROOM = 8192
LONGEST = HOUR
"""Of a longer silence only the newest rows are made."""
PULLS = 512
SPANS = 16
UNITS = 1 << 22
"""Weights are whole numbers of one in so many, so that windows add up exactly."""
P_TS, P_LOT, P_SIDE, P_PRICE, P_AMOUNT, P_WEIGHT = range(6)
"""Columns of `pulls`: the newest cancellations that count; AMOUNT is 0 once it was moved or traded after all."""
(NEXT, SINCE, N_PULLS, N_ROWS, PULLED_BID, PULLED_ASK, WEIGHED_BID, WEIGHED_ASK) = range(8)
"""Slots of `meta`. NEXT: the next row's time (ns). SINCE: when the lots were forgotten. PULLED, WEIGHED: sums of all
pulls so far, plain and by weight."""
INVALID_BOOK = int(NullReason.INVALID_BOOK)
WARM_UP = int(NullReason.WARM_UP)
UNDEFINED = int(NullReason.UNDEFINED)


class Memory(NamedTuple):
    """What is remembered beside attribution, and rows that were not taken yet.

    `sums` i64 (SPANS, 4): the sums at the newest rows. `pulls` i64 (PULLS, 6). `ts` i64 (ROOM), `values` f64 (ROOM,
    features) and `codes` u8 (ROOM): rows, and why they are null. `meta` i64: the scalars.
    """

    scale: Scale
    sums: I64
    pulls: I64
    ts: I64
    values: NDArray[np.float64]
    codes: NDArray[np.uint8]
    meta: I64


def empty_memory(start: int = 0) -> Memory:
    """One that has seen nothing; the first row is that of the second after `start` (ns UTC), 0 is the first event."""
    meta = np.zeros(8, np.int64)
    meta[NEXT] = start + SECOND if start else 0
    return Memory(
        scale=empty_scale(),
        sums=np.zeros((SPANS, 4), np.int64),
        pulls=np.zeros((PULLS, 6), np.int64),
        ts=np.zeros(ROOM, np.int64),
        values=np.zeros((ROOM, len(PRESSURE))),
        codes=np.zeros(ROOM, np.uint8),
        meta=meta,
    )


@njit_no_alloc
def run(lots: State, memory: Memory, books: BookStream, trades: TradeStream, position: I64) -> int:
    """Apply messages and trades from `position` on, by arrival, trades first on a tie.

    Returns lot.DONE, or what needs more room; call again with more room, or once the rows were taken, to go on.
    """
    while True:
        i = position[0]
        j = position[1]
        more_books = i < books.ts.size
        more_trades = j < trades.ts.size
        if not more_books and not more_trades:
            return lot.DONE
        is_trade = more_trades and (not more_books or trades.arrival[j] <= books.arrival[i])
        if not advance(lots, memory, trades.ts[j] if is_trade else books.ts[i]):
            return NEED_TAKEN
        if is_trade:
            attribute.on_trade(lots, trades, j)
            _take_events(lots, memory, False)
            position[1] = j + 1
            continue
        need = attribute.room(lots, books, i)
        if need != lot.DONE:
            return need
        day = lots.ledger.meta[lot.DAY]
        was_known = lots.ledger.meta[lot.ANCHORED]
        attribute.on_book(lots, books, i)
        _take_events(lots, memory, lots.ledger.meta[lot.DAY] != day and was_known == 1)
        if was_known == 0 and books.flags[i] & TIME == 0:
            memory.meta[SINCE] = lots.ledger.meta[lot.TIME] // SECOND * SECOND
        position[0] = i + 1


@njit_no_alloc
def advance(lots: State, memory: Memory, ts: int) -> bool:
    """Make the rows up to an event's time; False if there is no room for them."""
    meta = memory.meta
    if meta[NEXT] == 0:
        meta[NEXT] = (ts // SECOND + 1) * SECOND
    if ts - meta[NEXT] > LONGEST:
        meta[NEXT] = ts // SECOND * SECOND - LONGEST
        meta[SINCE] = meta[NEXT]
    if meta[N_ROWS] + (ts - meta[NEXT]) // SECOND + 1 > memory.ts.size:
        return False
    while meta[NEXT] <= ts:
        now = meta[NEXT]
        _row(lots, memory, now)
        meta[NEXT] = now + SECOND
        if now % DAY_NS == 0:
            _turn_day(lots, memory, now)
    return True


@njit_no_alloc
def _turn_day(lots: State, memory: Memory, midnight: int) -> None:
    """A day begins without lots; the best sizes stay, a stored day has them too."""
    if attribute.turn_day(lots, midnight):
        _take_events(lots, memory, True)


@njit_no_alloc
def _take_events(lots: State, memory: Memory, is_new_day: bool) -> None:
    """Note what was pulled; the events are then done with. The reset of a new day forgets no best sizes."""
    meta = memory.meta
    mid2 = best(lots.book, 0) + best(lots.book, 1)
    is_known = lots.ledger.meta[lot.ANCHORED] == 1 and best(lots.book, 0) > 0 and best(lots.book, 1) > 0
    for k in range(lots.ledger.meta[lot.N_EVENTS]):
        event = lots.ledger.events[k]
        kind = event[lot.KIND]
        if kind == lot.RESET:
            time = max(lots.ledger.meta[lot.TIME], meta[NEXT] - SECOND)
            meta[SINCE] = time // (DAY_NS if is_new_day else SECOND) * (DAY_NS if is_new_day else SECOND)
            meta[N_PULLS] = 0
            if not is_new_day:
                scales.forget(memory.scale)
            is_new_day = False
        elif memory.scale.meta[scales.SIZE] == 0 or not is_known:
            continue
        elif kind == lot.CANCELLED:
            if is_pull(event, memory.scale.meta[scales.SIZE]):
                _note_pull(memory, event, mid2)
        elif kind == lot.SHIFTED:
            _take_back(memory, event)
        elif kind == lot.LATE_TRADED:
            _note_late(memory, event)
    lots.ledger.meta[lot.N_EVENTS] = 0


@njit_no_alloc
def _note_pull(memory: Memory, event: I64, mid2: int) -> None:
    price = event[lot.E_PRICE]
    if 1e4 * abs(2 * price - mid2) > ZONE_BPS * mid2:
        return
    pull = memory.pulls[memory.meta[N_PULLS] & (PULLS - 1)]
    pull[P_TS] = event[lot.E_TS]
    pull[P_LOT] = event[lot.E_ID]
    pull[P_SIDE] = 0 if event[lot.E_SIDE] > 0 else 1
    pull[P_PRICE] = price
    pull[P_AMOUNT] = event[lot.E_AMOUNT]
    pull[P_WEIGHT] = int(UNITS * weight(1e4 * abs(2 * price - mid2) / mid2))
    memory.meta[N_PULLS] += 1
    _count(memory, pull, pull[P_AMOUNT])


@njit_no_alloc
def _count(memory: Memory, pull: I64, amount: int) -> None:
    memory.meta[PULLED_BID + pull[P_SIDE]] += amount
    memory.meta[WEIGHED_BID + pull[P_SIDE]] += amount * pull[P_WEIGHT]


@njit_no_alloc
def _take_back(memory: Memory, event: I64) -> None:
    """A lot that was cancelled came back at another price."""
    n = memory.meta[N_PULLS]
    for k in range(n - 1, max(n - PULLS, 0) - 1, -1):
        pull = memory.pulls[k & (PULLS - 1)]
        if pull[P_TS] < event[lot.E_TS] - lot.MOVE_NS:
            return
        if pull[P_LOT] == event[lot.E_ID]:
            _count(memory, pull, -pull[P_AMOUNT])
            pull[P_AMOUNT] = 0
            return


@njit_no_alloc
def _note_late(memory: Memory, event: I64) -> None:
    """Part of what the last message seemed to cancel at a price was traded."""
    n = memory.meta[N_PULLS]
    left = event[lot.E_AMOUNT]
    side = 0 if event[lot.E_SIDE] > 0 else 1
    for k in range(n - 1, max(n - PULLS, 0) - 1, -1):
        pull = memory.pulls[k & (PULLS - 1)]
        if pull[P_TS] < event[lot.E_TS]:
            return
        if pull[P_PRICE] == event[lot.E_PRICE] and pull[P_SIDE] == side:
            part = min(left, pull[P_AMOUNT])
            _count(memory, pull, -part)
            pull[P_AMOUNT] -= part
            left -= part


@njit_no_alloc
def _row(lots: State, memory: Memory, now: int) -> None:
    """Append the row of a time."""
    meta = memory.meta
    bid = best(lots.book, 0)
    ask = best(lots.book, 1)
    is_known = lots.ledger.meta[lot.ANCHORED] == 1 and bid > 0 and ask > 0
    if is_known:
        scales.add(memory.scale, size_at(lots, 0, bid))
        scales.add(memory.scale, size_at(lots, 1, ask))
        scales.settle(memory.scale)
    sums = memory.sums[(now // SECOND) & (SPANS - 1)]
    for k in range(4):
        sums[k] = meta[PULLED_BID + k]
    row = meta[N_ROWS]
    values = memory.values[row]
    code = 0
    if not is_known:
        code = INVALID_BOOK
    elif memory.scale.meta[scales.SIZE] == 0 or now - meta[SINCE] < NEEDS * SECOND:
        code = WARM_UP
    else:
        _fill(lots, memory, now, bid + ask, values)
    for f in range(values.size):
        if code == 0 and isnan(values[f]):
            code = UNDEFINED
        if code > 0:
            values[f] = nan
    memory.ts[row] = now
    memory.codes[row] = code
    meta[N_ROWS] = row + 1


@njit_no_alloc
def _fill(lots: State, memory: Memory, now: int, mid2: int, values: NDArray[np.float64]) -> None:
    scale = memory.scale.meta[scales.SIZE]
    sums = memory.sums[(now // SECOND) & (SPANS - 1)]
    before = memory.sums[(now // SECOND - SPAN) & (SPANS - 1)]
    bid_depth, bids = weighted_depth(lots, mid2, 0)
    ask_depth, asks = weighted_depth(lots, mid2, 1)
    values[0] = young_volume(lots, mid2, 0, scale, now) / bid_depth if bid_depth > 0 else nan
    values[1] = young_volume(lots, mid2, 1, scale, now) / ask_depth if ask_depth > 0 else nan
    values[2] = max(sums[0] - before[0], 0) / (SPAN * scale)
    values[3] = max(sums[1] - before[1], 0) / (SPAN * scale)
    bid_took = max(sums[2] - before[2], 0) / UNITS
    ask_took = max(sums[3] - before[3], 0) / UNITS
    bid_part = bid_took / (bids + bid_took) if bids + bid_took > 0 else 0.0
    ask_part = ask_took / (asks + ask_took) if asks + ask_took > 0 else 0.0
    tilt = abs(share(bids + bid_took, asks + ask_took) - share(bids, asks))
    values[4] = tilt * bid_part * max(bid_part - ask_part, 0.0)
    values[5] = tilt * ask_part * max(ask_part - bid_part, 0.0)
