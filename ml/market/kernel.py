"""The kernel: book messages and trades in arrival order in, samples on a fixed UTC grid out. All compiled.

Here: the state, the watermark, the sample row and the flows that it accumulates, and where the book is known right.
Not here: update ids (`ml.market.continuity`: a break reaches the kernel as a CLEAR without levels), driving (`ml.market.sampler`).

Sample t covers [t - period, t) and is *closed* by the first event whose time is t or later. It is *released* by the
first book message after that which continues the chain: only then is it known that nothing was missing before t. A
break turns what is closed but not released invalid, so no row is ever given out as valid and found wrong later.
A book that stays crossed over two messages is unknown until the next snapshot; a one-sided book is invalid while so.

Order-flow imbalance: Cont, Kukanov, Stoikov (2014), per level as Xu, Gould, Howison (2018).
"""

from typing import NamedTuple

import numpy as np

from ml.market.book import FULL, Book, best, clear, empty_book, set_levels, settle, top
from ml.market.compiled import hot
from ml.market.events import CLEAR, SNAPSHOT, TIME
from ml.schemas import BANDS, LEVELS, OFI_LEVELS, SAMPLE_COLUMNS

COLUMNS = len(SAMPLE_COLUMNS)
SECOND = 10**9
TAIL = 3600
"""Samples of look-back that travel with a state, and the cap of `valid_run`; in samples of one second, one hour."""
TRADE_MEMORY_NS = 3600 * 10**9

TS = SAMPLE_COLUMNS.index("ts")
BID_PRICE = SAMPLE_COLUMNS.index("bid_price_1")
BID_SIZE = SAMPLE_COLUMNS.index("bid_size_1")
ASK_PRICE = SAMPLE_COLUMNS.index("ask_price_1")
ASK_SIZE = SAMPLE_COLUMNS.index("ask_size_1")
OFI = SAMPLE_COLUMNS.index("ofi_1")
ADDED = SAMPLE_COLUMNS.index("added_bid_touch")
CANCELLED = SAMPLE_COLUMNS.index("cancelled_bid_touch")
TRADED = SAMPLE_COLUMNS.index("traded_bid_touch")
N_UPDATES = SAMPLE_COLUMNS.index("n_updates")
TRADE_COUNT = SAMPLE_COLUMNS.index("trade_count_buy")
TRADE_VOLUME = SAMPLE_COLUMNS.index("trade_volume_buy")
TRADE_NOTIONAL = SAMPLE_COLUMNS.index("trade_notional_buy")
LAST_TRADE = SAMPLE_COLUMNS.index("last_trade_price")
BOOK_AGE = SAMPLE_COLUMNS.index("book_age")
VALID = SAMPLE_COLUMNS.index("valid")
RUN = SAMPLE_COLUMNS.index("valid_run")
N_BANDS = len(BANDS)
BAND_BPS = np.array([0, 2, 5, 10, 20])

(
    WATERMARK, NEXT, PERIOD, FLOWS, ANCHORED, ONE_SIDED, CROSSED, START_TS, START_ARRIVAL, RELEASE_TS, RELEASE_ARRIVAL,
    CLOSED, RELEASED, SPANS, TRADE_PRICE, TRADE_TS, BOOK_TS, VALID_RUN, ON_TAPE,
) = range(19)  # fmt: skip

EXTERNAL_BREAK, CROSSED_BREAK, ONE_SIDED_BREAK, OVERFLOW_BREAK = range(1, 5)
DONE, NEED_SAMPLES, NEED_SPANS, NEED_ROWS = range(4)


class State(NamedTuple):
    """Everything the kernel remembers, as arrays only.

    `top` i64 (side, price/size, OFI_LEVELS): best levels after the last message. `flow` i64 (COLUMNS): what the open
    sample has accumulated, by column. `tape` i64 (64, 4): side, price, size, age in messages of prints that no
    decrease of a level has explained yet. `samples` i64 (room, COLUMNS). `spans` i64 (room, 6): start and end of each
    ended valid interval (ns), start and end arrival, kind of break, arrival of the break. `rows` i64 (room) and
    `levels` i64 (2, OFI_LEVELS): scratch for one message. `meta` i64: the scalars.
    """

    book: Book
    top: np.ndarray
    flow: np.ndarray
    tape: np.ndarray
    samples: np.ndarray
    spans: np.ndarray
    rows: np.ndarray
    levels: np.ndarray
    meta: np.ndarray


class BookStream(NamedTuple):
    """Book messages as arrays: time (ns), arrival, flags and end row per message; side, price, size per row."""

    ts: np.ndarray
    arrival: np.ndarray
    flags: np.ndarray
    end: np.ndarray
    side: np.ndarray
    price: np.ndarray
    size: np.ndarray


class TradeStream(NamedTuple):
    """Prints as arrays: time (ns), arrival, aggressor side, price and size; the prints of one frame share its time."""

    ts: np.ndarray
    arrival: np.ndarray
    side: np.ndarray
    price: np.ndarray
    size: np.ndarray


def empty_state(period_ns: int, room: int, flows: bool = True) -> State:
    """A state that has seen nothing. `flows=False` samples the book alone."""
    meta = np.zeros(24, np.int64)
    meta[PERIOD], meta[FLOWS] = period_ns, flows
    return State(
        book=empty_book(),
        top=np.zeros((2, 2, OFI_LEVELS), np.int64),
        flow=np.zeros(COLUMNS, np.int64),
        tape=np.zeros((64, 4), np.int64),
        samples=np.zeros((room, COLUMNS), np.int64),
        spans=np.zeros((256, 6), np.int64),
        rows=np.zeros(1 << 13, np.int64),
        levels=np.zeros((2, OFI_LEVELS), np.int64),
        meta=meta,
    )


@hot
def run(state: State, books: BookStream, trades: TradeStream, position: np.ndarray) -> int:
    """Apply messages and trades from `position` on (i64: next message, next trade), by arrival, trades first on a tie.

    Returns DONE, or what the state needs more room for; call again with a roomier state to go on.
    """
    meta = state.meta
    while True:
        i, j = position[0], position[1]
        more_books, more_trades = i < books.ts.size, j < trades.ts.size
        if not more_books and not more_trades:
            return DONE
        is_trade = more_trades and (not more_books or trades.arrival[j] <= books.arrival[i])
        ts = trades.ts[j] if is_trade else books.ts[i]
        if meta[NEXT] > 0 and (ts - meta[NEXT]) // meta[PERIOD] + 1 > state.samples.shape[0] - meta[CLOSED]:
            return NEED_SAMPLES
        if is_trade:
            _on_trade(state, ts, trades.side[j], trades.price[j], trades.size[j])
            position[1] = j + 1
            continue
        if meta[SPANS] + 2 > state.spans.shape[0]:
            return NEED_SPANS
        start = books.end[i - 1] if i > 0 else 0
        if books.end[i] - start > state.rows.size:
            return NEED_ROWS
        _on_book(state, books, i, start)
        position[0] = i + 1


@hot
def advance(state: State, ts: int) -> None:
    """Move the watermark to a time, if it is later, and close the samples up to it."""
    meta = state.meta
    if meta[NEXT] == 0:
        meta[NEXT] = (ts // meta[PERIOD] + 1) * meta[PERIOD]
    meta[WATERMARK] = max(meta[WATERMARK], ts)
    while meta[NEXT] <= meta[WATERMARK]:
        _close(state, meta[NEXT])
        meta[NEXT] += meta[PERIOD]


@hot
def break_book(state: State, arrival: int, kind: int) -> None:
    """The book is unknown from its last released time on."""
    meta = state.meta
    if meta[ANCHORED] == 1:
        if meta[ONE_SIDED] == 0:
            _end_span(state, meta[RELEASE_TS], meta[RELEASE_ARRIVAL], kind, arrival)
        for i in range(meta[RELEASED], meta[CLOSED]):
            row = state.samples[i]
            for c in range(BID_PRICE, ASK_SIZE + LEVELS):
                row[c] = 0
            row[BOOK_AGE], row[VALID], row[RUN] = -1, 0, 0
    meta[ANCHORED], meta[ONE_SIDED], meta[CROSSED], meta[VALID_RUN] = 0, 0, 0, 0
    meta[RELEASED] = meta[CLOSED]


@hot
def _close(state: State, t: int) -> None:
    meta, row = state.meta, state.samples[state.meta[CLOSED]]
    for c in range(COLUMNS):
        row[c], state.flow[c] = state.flow[c], 0
    row[TS] = t
    if meta[ANCHORED] == 1:
        for side in range(2):
            price, size = BID_PRICE + 2 * LEVELS * side, BID_SIZE + 2 * LEVELS * side
            top(state.book, side, row[price : price + LEVELS], row[size : size + LEVELS])
    row[LAST_TRADE] = meta[TRADE_PRICE] if t - meta[TRADE_TS] <= TRADE_MEMORY_NS else 0
    row[BOOK_AGE] = t - meta[BOOK_TS] if meta[ANCHORED] == 1 else -1
    row[VALID] = meta[ANCHORED] == 1 and meta[ONE_SIDED] == 0
    whole = row[VALID] == 1 and meta[START_TS] <= t - meta[PERIOD]
    meta[VALID_RUN] = min(meta[VALID_RUN] + 1, TAIL) if whole else 0
    row[RUN] = meta[VALID_RUN]
    meta[CLOSED] += 1


@hot
def release(state: State, arrival: int) -> None:
    meta = state.meta
    meta[RELEASED], meta[RELEASE_TS], meta[RELEASE_ARRIVAL] = meta[CLOSED], meta[WATERMARK], arrival


@hot
def _start_span(state: State, arrival: int) -> None:
    state.meta[START_TS], state.meta[START_ARRIVAL] = state.meta[WATERMARK], arrival
    release(state, arrival)


@hot
def _end_span(state: State, ts: int, end_arrival: int, kind: int, arrival: int) -> None:
    meta, span = state.meta, state.spans[state.meta[SPANS]]
    span[0], span[1], span[2] = meta[START_TS], ts, meta[START_ARRIVAL]
    span[3], span[4], span[5] = end_arrival, kind, arrival
    meta[SPANS] += 1


@hot
def _on_book(state: State, books: BookStream, i: int, start: int) -> None:
    meta, flags, arrival, end = state.meta, books.flags[i], books.arrival[i], books.end[i]
    if flags & CLEAR and not flags & SNAPSHOT:
        break_book(state, arrival, EXTERNAL_BREAK)
    advance(state, books.ts[i])
    if flags & SNAPSHOT:
        _anchor(state, books, start, end, arrival)
    elif meta[ANCHORED] == 0:
        meta[RELEASED] = meta[CLOSED]
        return
    elif flags & TIME:
        return
    else:
        if meta[CROSSED] == 0:
            release(state, arrival)
        _apply(state, books, start, end)
    meta[BOOK_TS] = books.ts[i]
    _judge(state, arrival, flags & SNAPSHOT == 0)


@hot
def _anchor(state: State, books: BookStream, start: int, end: int, arrival: int) -> None:
    """Replace the book; a book that was valid stays so, and the change is no flow."""
    bid, ask = 0, 0
    for r in range(start, end):
        if books.size[r] > 0 and books.side[r] > 0:
            bid = max(bid, books.price[r])
        elif books.size[r] > 0 and books.side[r] < 0:
            ask = books.price[r] if ask == 0 else min(ask, books.price[r])
    clear(state.book, (bid + ask) // 2 if bid > 0 and ask > 0 else max(bid, ask))
    set_levels(state.book, books.side, books.price, books.size, start, end, state.rows)
    settle(state.book)
    for side in range(2):
        top(state.book, side, state.top[side, 0], state.top[side, 1])
    if state.meta[ANCHORED] == 0:
        state.meta[ANCHORED] = 1
        _start_span(state, arrival)


@hot
def _judge(state: State, arrival: int, in_chain: bool) -> None:
    """After a message: is the book one-sided or crossed, or larger than we can hold?"""
    meta = state.meta
    if state.book.head[FULL] == 1:
        break_book(state, arrival, OVERFLOW_BREAK)
        return
    bid, ask = best(state.book, 0), best(state.book, 1)
    if bid == 0 or ask == 0:
        if meta[ONE_SIDED] == 0:
            meta[ONE_SIDED] = 1
            if meta[START_TS] < meta[WATERMARK]:
                _end_span(state, meta[WATERMARK], arrival, ONE_SIDED_BREAK, arrival)
        meta[CROSSED] = 0
        return
    if meta[ONE_SIDED] == 1:
        meta[ONE_SIDED] = 0
        _start_span(state, arrival)
    if bid <= ask:
        if meta[CROSSED] == 1:
            meta[CROSSED] = 0
            if in_chain:
                release(state, arrival)
    elif meta[CROSSED] == 1:
        break_book(state, arrival, CROSSED_BREAK)
    else:
        meta[CROSSED] = 1


@hot
def _apply(state: State, books: BookStream, start: int, end: int) -> None:
    """Set the levels of a diff; with flows on, book what it added and cancelled, and the order-flow imbalance."""
    sides, prices, sizes = books.side, books.price, books.size
    set_levels(state.book, sides, prices, sizes, start, end, state.rows)
    settle(state.book)
    if state.meta[FLOWS] == 0:
        return
    flow, tops, printed = state.flow, state.top, state.meta[ON_TAPE] > 0
    bid, ask = tops[0, 0, 0], tops[1, 0, 0]
    deepest_bid, deepest_ask = tops[0, 0, OFI_LEVELS - 1], tops[1, 0, OFI_LEVELS - 1]
    seen = False
    for r in range(start, end):
        if sides[r] == 0:
            continue
        side, price, change = 0 if sides[r] > 0 else 1, prices[r], sizes[r] - state.rows[r - start]
        flow[N_UPDATES] += 1
        seen = seen or (price >= deepest_bid if side == 0 else price <= deepest_ask or deepest_ask == 0)
        band = _band(side, price, bid, ask)
        if band == N_BANDS:
            continue
        if change > 0:
            flow[ADDED + side * N_BANDS + band] += change
        elif change < 0:
            explained = _explained(state, side, price, -change) if printed else 0
            flow[CANCELLED + side * N_BANDS + band] -= change + explained
    _age_tape(state)
    if seen:
        _add_imbalance(state)


@hot
def _band(side: int, price: int, bid: int, ask: int) -> int:
    """Index of the narrowest band around the mid that holds a price; N_BANDS if none does or there is no mid."""
    if bid == 0 or ask == 0:
        return N_BANDS
    if price >= bid if side == 0 else price <= ask:
        return 0
    twice_mid = bid + ask
    distance = 10_000 * abs(2 * price - twice_mid)
    for band in range(1, N_BANDS):
        if distance <= BAND_BPS[band] * twice_mid:
            return band
    return N_BANDS


@hot
def _add_imbalance(state: State) -> None:
    """Per level m of the ladder: e = [b' >= b] B' - [b' <= b] B - [a' <= a] A' + [a' >= a] A, summed over messages."""
    old, prices, sizes = state.top, state.levels[0], state.levels[1]
    for side in range(2):
        top(state.book, side, prices, sizes)
        sign = 1 if side == 0 else -1
        for m in range(OFI_LEVELS):
            # an absent level is worse than any price
            before, after = sign * old[side, 0, m], sign * prices[m]
            better_or_same = old[side, 0, m] == 0 or (prices[m] != 0 and after >= before)
            worse_or_same = prices[m] == 0 or (old[side, 0, m] != 0 and after <= before)
            state.flow[OFI + m] += sign * (sizes[m] * better_or_same - old[side, 1, m] * worse_or_same)
        for m in range(OFI_LEVELS):
            old[side, 0, m], old[side, 1, m] = prices[m], sizes[m]


@hot
def _on_trade(state: State, ts: int, aggressor: int, price: int, size: int) -> None:
    advance(state, ts)
    meta, flow = state.meta, state.flow
    meta[TRADE_PRICE], meta[TRADE_TS] = price, meta[WATERMARK]
    which = 0 if aggressor > 0 else 1
    flow[TRADE_COUNT + which] += 1
    flow[TRADE_VOLUME + which] += size
    flow[TRADE_NOTIONAL + which] += price * size
    if meta[ANCHORED] == 0:
        return
    side = 1 - which
    band = _band(side, price, state.top[0, 0, 0], state.top[1, 0, 0])
    if band < N_BANDS:
        flow[TRADED + side * N_BANDS + band] += size
    tape, n = state.tape, meta[ON_TAPE]
    if n < tape.shape[0]:
        tape[n, 0], tape[n, 1], tape[n, 2], tape[n, 3] = side, price, size, 0
        meta[ON_TAPE] = n + 1


@hot
def _explained(state: State, side: int, price: int, decrease: int) -> int:
    """How much of a level's decrease prints on the tape explain; what is taken leaves the tape."""
    tape, left = state.tape, decrease
    for i in range(state.meta[ON_TAPE]):
        if left > 0 and tape[i, 0] == side and tape[i, 1] == price:
            taken = min(left, tape[i, 2])
            tape[i, 2] -= taken
            left -= taken
    return decrease - left


@hot
def _age_tape(state: State) -> None:
    """Prints may be explained by this message or the next; after that a decrease is a cancellation."""
    tape, kept = state.tape, 0
    for i in range(state.meta[ON_TAPE]):
        if tape[i, 2] > 0 and tape[i, 3] == 0:
            for c in range(3):
                tape[kept, c] = tape[i, c]
            tape[kept, 3] = 1
            kept += 1
    state.meta[ON_TAPE] = kept
