"""The kernel: book messages and trades in arrival order in, samples on a fixed UTC grid out. All compiled.

Here: the watermark, closing and releasing samples, and where the book is known right.
Not here: the arrays (`ml.market.book.layout`), what flows between samples (`ml.market.book.flows`), update ids: a
break of them
(`ml.market.decode.continuity`) comes as a CLEAR without levels; driving the kernel (`ml.market.book.sampler`).

Sample t covers [t - period, t) and is *closed* by the first event whose time is t or later. It is *released* by the
first book message of t or later that continues the sequence: only then is it known that nothing was missing before t.
Trades and other frames close samples and release none while a book is known. A break turns what is closed but not
released invalid, so no row is ever given out as valid and found wrong later.
A book that stays crossed over two messages is unknown until the next snapshot; a one-sided book is invalid while so.

Trades are known from the first one on that arrives, which shows that the stream is captured, until something says that
some may be missing: LOST_TRADES, a break of the book from outside (its frames came the same way), or a silence of more
than `layout.QUIET_NS`. A sample during which they were not known has none of the columns that need them.
"""

from ml.core.time import DAY_NS
from ml.market.book import layout as at
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.flows import book_diff, book_trade
from ml.market.book.ladder import FULL, best, clear, set_levels, settle, top
from ml.market.book.layout import I64, BookStream, State, TradeStream
from ml.market.decode.events import CLEAR, LOST_TRADES, SNAPSHOT, TIME, UNSEEN
from ml.tables.schemas import LEVELS

MOST_SPANS = 4
"""How many intervals one event may end: of the book two, of trades two."""


@njit_no_alloc
def run(state: State, books: BookStream, trades: TradeStream, position: I64) -> int:
    """Apply messages and trades from `position` on (i64: next message, next trade), by arrival, trades first on a tie.

    Returns at.DONE, or what the state needs more room for; call again with a roomier state to go on.
    """
    meta = state.meta
    while True:
        i = position[0]
        j = position[1]
        more_books = i < books.ts.size
        more_trades = j < trades.ts.size
        if not more_books and not more_trades:
            return at.DONE
        is_trade = more_trades and (not more_books or trades.arrival[j] <= books.arrival[i])
        ts = trades.ts[j] if is_trade else books.ts[i]
        if ts >= meta[at.NEXT] and rows_until(state, ts) > state.samples.shape[0] - meta[at.CLOSED]:
            return at.NEED_SAMPLES
        if meta[at.SPANS] + MOST_SPANS > state.spans.shape[0]:
            return at.NEED_SPANS
        if is_trade:
            _on_trade(state, trades, j)
            position[1] = j + 1
            continue
        start = books.end[i - 1] if i > 0 else 0
        if books.end[i] - start > state.rows.size:
            return at.NEED_ROWS
        _on_book(state, books, i, start)
        position[0] = i + 1


@njit_no_alloc
def rows_until(state: State, ts: int) -> int:
    """Samples that an event at `ts` would close."""
    meta = state.meta
    if meta[at.NEXT] == 0:
        return 0
    return (ts - max(meta[at.NEXT], _oldest(state, ts))) // meta[at.PERIOD] + 1


@njit_inline
def advance(state: State, ts: int) -> None:
    """Move the watermark to a time, if it is later, and close the samples up to it."""
    meta = state.meta
    meta[at.WATERMARK] = max(meta[at.WATERMARK], ts)
    if ts < meta[at.NEXT]:
        return
    if meta[at.NEXT] == 0:
        meta[at.NEXT] = (ts // meta[at.PERIOD] + 1) * meta[at.PERIOD]
    meta[at.NEXT] = max(meta[at.NEXT], _oldest(state, ts))
    while meta[at.NEXT] <= meta[at.WATERMARK]:
        _close(state, meta[at.NEXT])
        meta[at.NEXT] += meta[at.PERIOD]


@njit_inline
def release(state: State, ts: int, arrival: int) -> None:
    """Declare the samples closed up to a time final: a book message of that time continues the sequence."""
    meta = state.meta
    meta[at.RELEASE_TS] = max(meta[at.RELEASE_TS], ts)
    meta[at.RELEASE_ARRIVAL] = arrival
    if ts >= meta[at.WATERMARK]:
        meta[at.RELEASED] = meta[at.CLOSED]
    while meta[at.RELEASED] < meta[at.CLOSED] and state.samples[meta[at.RELEASED], at.TS] <= ts:
        meta[at.RELEASED] += 1


@njit_no_alloc
def break_book(state: State, arrival: int, kind: int) -> None:
    """The book is unknown from its last released time on; so are trades, if what broke it came from outside."""
    meta = state.meta
    if kind == at.EXTERNAL_BREAK:
        for i in range(meta[at.RELEASED], meta[at.CLOSED]):
            _forget_trades(state.samples[i])
        _break_trades(state, max(meta[at.TRADE_TS], meta[at.RELEASE_TS]), arrival, at.TRADES_BREAK)
    if meta[at.ANCHORED] == 1:
        if meta[at.ONE_SIDED] == 0:
            _end_span(state, meta[at.RELEASE_TS], meta[at.RELEASE_ARRIVAL], kind, arrival)
        for i in range(meta[at.RELEASED], meta[at.CLOSED]):
            row = state.samples[i]
            for c in range(at.BID_PRICE, at.BOOK_COLUMNS):
                row[c] = 0
            if row.size == at.COLUMNS:
                row[at.BOOK_AGE] = -1
                row[at.VALID] = 0
                row[at.RUN] = 0
    meta[at.ANCHORED] = 0
    meta[at.ONE_SIDED] = 0
    meta[at.CROSSED] = 0
    meta[at.VALID_RUN] = 0
    meta[at.RELEASED] = meta[at.CLOSED]


@njit_inline
def _on_book(state: State, books: BookStream, i: int, start: int) -> None:
    meta = state.meta
    flags = books.flags[i]
    arrival = books.arrival[i]
    end = books.end[i]
    if flags & CLEAR and not flags & SNAPSHOT:
        break_book(state, arrival, at.EXTERNAL_BREAK)
    if flags & LOST_TRADES:
        _break_trades(state, meta[at.TRADE_TS], arrival, at.TRADES_BREAK)
    advance(state, books.ts[i])
    if meta[at.ANCHORED] == 0 and flags & SNAPSHOT == 0:
        meta[at.RELEASED] = meta[at.CLOSED]
        return
    if flags & TIME:
        return
    if meta[at.ANCHORED] == 1 and meta[at.CROSSED] == 0:
        release(state, books.ts[i], arrival)
    if flags & SNAPSHOT:
        _anchor(state, books, start, end, arrival)
    else:
        book_diff(state, books, start, end)
    meta[at.BOOK_TS] = books.ts[i]
    meta[at.UNSEEN] = flags & UNSEEN
    _judge(state, arrival, books.ts[i])


@njit_no_alloc
def _on_trade(state: State, trades: TradeStream, j: int) -> None:
    meta = state.meta
    price = trades.price[j]
    arrival = trades.arrival[j]
    if trades.flags[j] & LOST_TRADES:
        _break_trades(state, meta[at.TRADE_TS], arrival, at.TRADES_BREAK)
    advance(state, trades.ts[j])
    meta[at.TRADE_PRICE], meta[at.TRADE_TS] = price, meta[at.WATERMARK]
    if meta[at.TRADES_SINCE] == 0:
        meta[at.TRADES_SINCE] = meta[at.WATERMARK]
        meta[at.TRADES_ARRIVAL] = arrival
    if meta[at.ANCHORED] == 0:
        meta[at.RELEASED] = meta[at.CLOSED]  # no book message can say more of them
    book_trade(state, trades.side[j], price, trades.size[j])


@njit_no_alloc
def _anchor(state: State, books: BookStream, start: int, end: int, arrival: int) -> None:
    """Replace the book; a book that was valid stays so, and the change is no flow."""
    bid = 0
    ask = 0
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
    if state.meta[at.ANCHORED] == 0:
        state.meta[at.ANCHORED] = 1
        _start_span(state, arrival)


@njit_inline
def _judge(state: State, arrival: int, ts: int) -> None:
    """After a message of time `ts`: is the book one-sided or crossed, or larger than we can hold?"""
    meta = state.meta
    if state.book.head[FULL] == 1:
        break_book(state, arrival, at.OVERFLOW_BREAK)
        return
    bid = best(state.book, 0)
    ask = best(state.book, 1)
    if bid == 0 or ask == 0:
        if meta[at.ONE_SIDED] == 0:
            meta[at.ONE_SIDED] = 1
            if meta[at.START_TS] < meta[at.WATERMARK]:
                _end_span(state, meta[at.WATERMARK], arrival, at.ONE_SIDED_BREAK, arrival)
        meta[at.CROSSED] = 0
        return
    if meta[at.ONE_SIDED] == 1:
        meta[at.ONE_SIDED] = 0
        _start_span(state, arrival)
    if bid <= ask:
        if meta[at.CROSSED] == 1:
            meta[at.CROSSED] = 0
            release(state, ts, arrival)
    elif meta[at.CROSSED] == 1:
        break_book(state, arrival, at.CROSSED_BREAK)
    else:
        meta[at.CROSSED] = 1


@njit_inline
def _close(state: State, t: int) -> None:
    meta = state.meta
    row = state.samples[state.meta[at.CLOSED]]
    row[at.TS] = t
    meta[at.CLOSED] += 1
    if meta[at.ANCHORED] == 0:
        for c in range(at.BID_PRICE, at.BOOK_COLUMNS):
            row[c] = 0
    else:
        for side in range(2):
            price = at.BID_PRICE + 2 * LEVELS * side
            size = at.BID_SIZE + 2 * LEVELS * side
            # by way of memory at hand: each tick that is looked at is written, and the row is far
            top(state.book, side, state.levels[0], state.levels[1])
            _copy(state.levels[0], row[price : price + LEVELS])
            _copy(state.levels[1], row[size : size + LEVELS])
    if row.size == at.BOOK_COLUMNS:
        return
    if meta[at.TRADES_SINCE] > 0 and t - meta[at.TRADE_TS] > at.QUIET_NS:
        _break_trades(state, meta[at.TRADE_TS] + at.QUIET_NS, -1, at.TRADES_SILENT)
    for c in range(at.BOOK_COLUMNS, at.LAST_TRADE):
        row[c] = state.flow[c]
        state.flow[c] = 0
    if meta[at.ANCHORED] == 1 and meta[at.UNSEEN] > 0:
        row[at.N_UPDATES] = at.UNKNOWN_UPDATES
    row[at.LAST_TRADE] = meta[at.TRADE_PRICE]
    row[at.BOOK_AGE] = t - meta[at.BOOK_TS] if meta[at.ANCHORED] == 1 else -1
    row[at.VALID] = meta[at.ANCHORED] == 1 and meta[at.ONE_SIDED] == 0
    whole = row[at.VALID] == 1 and meta[at.START_TS] <= t - meta[at.PERIOD]
    meta[at.VALID_RUN] = min(meta[at.VALID_RUN] + 1, at.TAIL) if whole else 0
    row[at.RUN] = meta[at.VALID_RUN]
    captured = 0 < meta[at.TRADES_SINCE] <= t - meta[at.PERIOD]
    meta[at.KNOWN_RUN] = min(meta[at.KNOWN_RUN] + 1, at.TAIL) if captured else 0
    row[at.TRADES_RUN] = meta[at.KNOWN_RUN]
    if not captured:
        _forget_trades(row)


@njit_no_alloc
def _forget_trades(row: I64) -> None:
    """Clear what a sample knows by its trades."""
    if row.size < at.COLUMNS:
        return
    row[at.TRADES_RUN] = 0
    for c in range(at.CANCELLED, at.N_UPDATES):
        row[c] = 0
    for c in range(at.TRADE_COUNT, at.LAST_TRADE + 1):
        row[c] = 0


@njit_no_alloc
def _break_trades(state: State, ts: int, arrival: int, kind: int) -> None:
    """Nobody knows what was traded from a time on; no-op where that was so already."""
    meta = state.meta
    if meta[at.TRADES_SINCE] > 0:
        span = state.spans[meta[at.SPANS]]
        span[0] = meta[at.TRADES_SINCE]
        span[1] = ts
        span[2] = meta[at.TRADES_ARRIVAL]
        span[3] = arrival
        span[4] = kind
        span[5] = arrival
        meta[at.SPANS] += 1
    meta[at.TRADES_SINCE] = 0
    meta[at.KNOWN_RUN] = 0


@njit_inline
def _copy(values: I64, to: I64) -> None:
    for k in range(to.size):
        to[k] = values[k]


@njit_no_alloc
def _start_span(state: State, arrival: int) -> None:
    state.meta[at.START_TS] = state.meta[at.WATERMARK]
    state.meta[at.START_ARRIVAL] = arrival
    release(state, state.meta[at.WATERMARK], arrival)


@njit_no_alloc
def _end_span(state: State, ts: int, end_arrival: int, kind: int, arrival: int) -> None:
    meta = state.meta
    span = state.spans[state.meta[at.SPANS]]
    span[0] = meta[at.START_TS]
    span[1] = ts
    span[2] = meta[at.START_ARRIVAL]
    span[3] = end_arrival
    span[4] = kind
    span[5] = arrival
    meta[at.SPANS] += 1


@njit_no_alloc
def _oldest(state: State, ts: int) -> int:
    """After a silence of more than a day only the last day and its look-back get rows: no partition needs others."""
    period = state.meta[at.PERIOD]
    return ((ts - DAY_NS - at.TAIL * period) // period + 1) * period
