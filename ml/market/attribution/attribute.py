"""Attribution: what of each level decrease was traded, and what was cancelled. All compiled.

For a level that held o and holds x after message k, with q of trades at its price against its side whose exchange time
lies in (T of k-1, T of k]: x - o + q is what was added, or with its sign turned what was cancelled. A trade that no
decrease explains waits for one message more, and one that arrives after the message of its time is looked for in that
message first; what is left then was hidden volume or refilled within the message, never a cancellation.

Here: trades against decreases, the order of the two, and where a book cannot be attributed.
Not here: which lots they took (`ml.market.attribution.ledger`).

A reset forgets all lots: the book was unknown, crossed over two messages or silent for too long, or a UTC day began. A
snapshot of a book that is known keeps the lots of the levels that it confirms. In a depth-limited view only prices
within the best N - 1 of the book before and after a message count; a level that leaves it is out of view, not
cancelled.
"""

from ml.core.time import DAY_NS
from ml.market.attribution import layout as at
from ml.market.attribution.layout import State
from ml.market.attribution.ledger import add, cancel, forget_level, reset, slot_of, tell, trade
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.ladder import BASE, WINDOW, best, clear, set_levels, settle
from ml.market.book.layout import I64, BookStream, TradeStream
from ml.market.decode.events import CLEAR, LOST_TRADES, SNAPSHOT, TIME


@njit_no_alloc
def run(state: State, books: BookStream, trades: TradeStream, position: I64) -> int:
    """Apply messages and trades from `position` on (i64: next message, next trade), by arrival, trades first on a tie.

    The trades of a frame carry their own times. Returns at.DONE, or what the state needs more room for; call again with
    a roomier state, or emptied events, to go on.
    """
    while True:
        i = position[0]
        j = position[1]
        more_books = i < books.ts.size
        more_trades = j < trades.ts.size
        if not more_books and not more_trades:
            return at.DONE
        if more_trades and (not more_books or trades.arrival[j] <= books.arrival[i]):
            if state.ledger.meta[at.N_EVENTS] + 8 > state.ledger.events.shape[0]:
                return at.NEED_EVENTS
            on_trade(state, trades, j)
            position[1] = j + 1
            continue
        need = room(state, books, i)
        if need != at.DONE:
            return need
        on_book(state, books, i)
        position[0] = i + 1


@njit_no_alloc
def room(state: State, books: BookStream, i: int) -> int:
    """What the state needs more room for before a message, at.DONE if nothing."""
    start = books.end[i - 1] if i > 0 else 0
    rows = books.end[i] - start
    if rows > state.rows.shape[1]:
        return at.NEED_ROWS
    most = (rows + 1) * (at.LOTS_PER_LEVEL + 2) + at.TAPE
    if books.flags[i] & SNAPSHOT:
        most += state.ledger.meta[at.ALIVE]
    return at.NEED_EVENTS if state.ledger.meta[at.N_EVENTS] + most > state.ledger.events.shape[0] else at.DONE


@njit_no_alloc
def on_trade(state: State, trades: TradeStream, j: int) -> None:
    """Take a trade: it explains a cancellation of the last message if it is of its time, or waits for the next."""
    meta = state.ledger.meta
    if meta[at.ANCHORED] == 0:
        return
    meta[at.TRADES] += 1
    if trades.flags[j] & LOST_TRADES:
        reset(state.ledger)
    side = 1 if trades.side[j] > 0 else 0
    price = trades.price[j]
    left = trades.size[j]
    missed = 0
    if trades.ts[j] <= meta[at.BOOK_TIME]:
        missed = 1
        sign = 1 - 2 * side
        for k in range(meta[at.PENDING]):
            entry = state.pending[k]
            if left > 0 and entry[1] == price and entry[0] == side and entry[2] > 0:
                taken = min(left, entry[2])
                entry[2] -= taken
                left -= taken
                state.totals[at.LATE, side] += taken
                tell(state.ledger, at.LATE_TRADED, sign, price, taken)
    if left == 0:
        return
    n = meta[at.ON_TAPE]
    if n == at.TAPE:
        _hide(state, 0)
        for k in range(1, n):
            for c in range(5):
                state.tape[k - 1, c] = state.tape[k, c]
        n -= 1
    entry = state.tape[n]
    entry[0] = side
    entry[1] = price
    entry[2] = left
    entry[3] = trades.ts[j]
    entry[4] = missed
    meta[at.ON_TAPE] = n + 1


@njit_no_alloc
def on_book(state: State, books: BookStream, i: int) -> None:
    """Take a book message: its decreases, then its additions."""
    meta = state.ledger.meta
    flags = books.flags[i]
    start = books.end[i - 1] if i > 0 else 0
    end = books.end[i]
    if flags & LOST_TRADES and meta[at.ANCHORED] == 1:
        reset(state.ledger)
    if flags & TIME:
        return
    if flags & CLEAR and not flags & SNAPSHOT:
        _lose(state)
        return
    if meta[at.ANCHORED] == 0 and flags & SNAPSHOT == 0:
        return
    ts = max(books.ts[i], meta[at.TIME])
    turn_day(state, ts)
    if meta[at.ANCHORED] == 1 and ts - meta[at.TIME] > meta[at.STALE_NS]:
        reset(state.ledger)
    meta[at.TIME] = ts
    if flags & SNAPSHOT:
        _anchor(state, books, start, end)
    else:
        meta[at.DIFFS] += 1
        _diff(state, books, start, end)
    meta[at.BOOK_TIME] = ts
    bid = best(state.book, 0)
    ask = best(state.book, 1)
    if bid == 0 or ask == 0 or bid < ask:
        meta[at.CROSSED] = 0
        return
    meta[at.CROSSED] += 1
    if meta[at.CROSSED] > 1:
        _lose(state)


@njit_no_alloc
def turn_day(state: State, ts: int) -> bool:
    """Forget all lots before the first message of a UTC day: a stored day stands alone, and a live stream agrees."""
    meta = state.ledger.meta
    turned = meta[at.DAY] != ts // DAY_NS and meta[at.ANCHORED] == 1
    if turned:
        reset(state.ledger)
    meta[at.DAY] = ts // DAY_NS
    return turned


@njit_no_alloc
def _lose(state: State) -> None:
    """The book is unknown until the next snapshot."""
    if state.ledger.meta[at.ANCHORED] == 1:
        reset(state.ledger)
    state.ledger.meta[at.ANCHORED] = 0
    state.ledger.meta[at.CROSSED] = 0


@njit_no_alloc
def _anchor(state: State, books: BookStream, start: int, end: int) -> None:
    """Replace the book. Where it was known, levels keep the lots that the snapshot confirms."""
    meta = state.ledger.meta
    meta[at.SNAPSHOTS] += 1
    bids = 0
    asks = 0
    bid = 0
    ask = 0
    for r in range(start, end):
        if books.size[r] > 0 and books.side[r] > 0:
            bids += 1
            bid = max(bid, books.price[r])
        elif books.size[r] > 0 and books.side[r] < 0:
            asks += 1
            ask = books.price[r] if ask == 0 else min(ask, books.price[r])
    before = state.rows[0]
    # sizes of the known book at the snapshot's levels, read by setting them
    set_levels(state.book, books.side, books.price, books.size, start, end, before)
    kept = 0
    for r in range(start, end):
        side = 0 if books.side[r] > 0 else 1
        if books.side[r] == 0 or slot_of(state.ledger, side, books.price[r]) < 0:
            continue
        if before[r - start] != books.size[r]:
            forget_level(state.ledger, side, books.price[r])
        else:
            kept += 1
    clear(state.book, (bid + ask) // 2 if bid > 0 and ask > 0 else max(bid, ask))
    set_levels(state.book, books.side, books.price, books.size, start, end, before)
    settle(state.book)
    _forget_absent(state)
    meta[at.ANCHORED] = 1
    meta[at.PENDING] = 0
    meta[at.DEEPEST] = max(meta[at.DEEPEST], bids, asks)
    meta[at.VIEW] = max(bids, asks) if meta[at.LIMITED] else 0
    _set_edges(state)


@njit_no_alloc
def _forget_absent(state: State) -> None:
    """Forget the lots of levels that the book does not hold any more."""
    ledger = state.ledger
    slot = 0
    while slot < at.SLOTS and ledger.meta[at.ALIVE] > 0:
        key = ledger.slots[slot, at.KEY]
        if key != 0:
            side = key & 1
            price = key >> 1
            index = price - state.book.head[BASE]
            if not 0 <= index < WINDOW or state.book.dense[side, index] == 0:
                forget_level(state.ledger, side, price)
                continue  # another level may have moved into the slot
        slot += 1


@njit_no_alloc
def _diff(state: State, books: BookStream, start: int, end: int) -> None:
    meta = state.ledger.meta
    before = state.rows[0]
    nets = state.rows[1]
    edge_bid = meta[at.EDGE_BID]
    edge_ask = meta[at.EDGE_ASK]
    set_levels(state.book, books.side, books.price, books.size, start, end, before)
    settle(state.book)
    if meta[at.VIEW] > 0:
        _set_edges(state)
        edge_bid = max(edge_bid, meta[at.EDGE_BID])
        edge_ask = min(edge_ask, meta[at.EDGE_ASK])
    which = books.side[start:end]
    prices = books.price[start:end]
    sizes = books.size[start:end]
    meta[at.PENDING] = 0
    for r in range(which.size):
        nets[r] = 0
        if which[r] == 0:
            continue
        side = 0 if which[r] > 0 else 1
        price = prices[r]
        old = before[r]
        meta[at.UPDATES] += 1
        if meta[at.DEEPEST] < 2 and sizes[r] > 0 and price != best(state.book, side):
            meta[at.DEEPEST] = 2
        if meta[at.VIEW] > 0 and not (price >= edge_bid if side == 0 else price <= edge_ask):
            state.totals[at.BEHIND_VIEW, side] += abs(sizes[r] - old)
            forget_level(state.ledger, side, price)
            continue
        traded = _explained(state, side, price, old) if meta[at.ON_TAPE] > 0 else 0
        net = sizes[r] - old + traded
        nets[r] = net
        state.totals[at.REMOVED, side] += traded + max(-net, 0)
        if traded > 0:
            trade(state.ledger, side, price, traded, old)
        if net < 0:
            n = meta[at.PENDING]
            meta[at.PENDING] = n + 1
            entry = state.pending[n]
            entry[0] = side
            entry[1] = price
            entry[2] = -net
            cancel(state.ledger, side, price, -net, old - traded)
    for r in range(which.size):
        if nets[r] > 0:
            side = 0 if which[r] > 0 else 1
            state.totals[at.ADDED, side] += nets[r]
            add(state.ledger, side, prices[r], nets[r])
    _age_tape(state)


@njit_no_alloc
def _set_edges(state: State) -> None:
    """The worst prices within the best N - 1 of each side, or of the best one; no limit where the side holds fewer."""
    dense = state.book.dense
    base = state.book.head[BASE]
    for side in range(2):
        left = state.ledger.meta[at.VIEW] - 1
        price = best(state.book, side)
        step = -1 if side == 0 else 1
        edge = price
        while left > 0 and 0 <= price - base < WINDOW:
            if dense[side, price - base] > 0:
                edge = price
                left -= 1
            price += step
        if left > 0 or edge == 0:
            edge = 0 if side == 0 else 1 << 62
        state.ledger.meta[at.EDGE_BID + side] = edge


@njit_inline
def _explained(state: State, side: int, price: int, held: int) -> int:
    """How much of what a level held the trades on the tape took, up to the message's time; it leaves the tape."""
    tape = state.tape
    taken = 0
    for k in range(state.ledger.meta[at.ON_TAPE]):
        entry = tape[k]
        if entry[1] == price and entry[0] == side and entry[3] <= state.ledger.meta[at.TIME] and taken < held:
            part = min(held - taken, entry[2])
            entry[2] -= part
            taken += part
            state.totals[at.IN_TIME if entry[4] == 0 else at.CARRIED, side] += part
    return taken


@njit_no_alloc
def _age_tape(state: State) -> None:
    """Trades up to the message's time that nothing explains wait for one message more."""
    tape = state.tape
    kept = 0
    for k in range(state.ledger.meta[at.ON_TAPE]):
        if tape[k, 2] == 0:
            continue
        due = tape[k, 3] <= state.ledger.meta[at.TIME]
        if due and tape[k, 4] > 0:
            _hide(state, k)
            continue
        for c in range(5):
            tape[kept, c] = tape[k, c]
        tape[kept, 4] += due
        kept += 1
    state.ledger.meta[at.ON_TAPE] = kept


@njit_no_alloc
def _hide(state: State, k: int) -> None:
    entry = state.tape[k]
    state.totals[at.UNEXPLAINED, entry[0]] += entry[2]
    tell(state.ledger, at.HIDDEN, 1 - 2 * entry[0], entry[1], entry[2])
