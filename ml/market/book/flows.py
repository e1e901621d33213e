"""What happens between two samples: added, cancelled and traded size, order-flow imbalance. All compiled.

Here: booking a diff and a trade into the open sample.
Not here: time and validity (`ml.market.book.kernel`).

A decrease of a level that trades at its price and side explain, within the message or the next, is no cancellation.
Order-flow imbalance: Cont, Kukanov, Stoikov (2014), per level as Xu, Gould, Howison (2018).
"""

from ml.market.book import layout as at
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.ladder import set_levels, settle, top
from ml.market.book.layout import BookStream, State
from ml.tables.schemas import OFI_LEVELS


@njit_inline
def book_diff(state: State, books: BookStream, start: int, end: int) -> None:
    """Set the levels of a diff; with flows on, book what it added and cancelled, and the order-flow imbalance."""
    sides = books.side
    prices = books.price
    sizes = books.size
    if state.samples.shape[1] == at.BOOK_COLUMNS:
        set_levels(state.book, sides, prices, sizes, start, end, state.rows[:0])
        settle(state.book)
        return
    set_levels(state.book, sides, prices, sizes, start, end, state.rows)
    settle(state.book)
    flow = state.flow
    tops = state.top
    printed = state.meta[at.ON_TAPE] > 0
    bid = tops[0, 0, 0]
    ask = tops[1, 0, 0]
    deepest_bid = tops[0, 0, OFI_LEVELS - 1]
    deepest_ask = tops[1, 0, OFI_LEVELS - 1]
    seen = False
    updates = 0
    which = sides[start:end]
    price_of = prices[start:end]
    size_of = sizes[start:end]
    before = state.rows
    for r in range(which.size):
        if which[r] == 0:
            continue
        side = 0 if which[r] > 0 else 1
        price = price_of[r]
        change = size_of[r] - before[r]
        updates += 1
        seen = seen or (price >= deepest_bid if side == 0 else price <= deepest_ask or deepest_ask == 0)
        band = _band(side, price, bid, ask)
        if band == at.N_BANDS:
            continue
        explained = _explained(state, side, price, -change) if printed and change < 0 else 0
        kind = at.ADDED if change > 0 else at.CANCELLED
        flow[kind + side * at.N_BANDS + band] += abs(change) - explained
    flow[at.N_UPDATES] += updates
    _age_tape(state)
    if seen:
        _add_imbalance(state)


@njit_no_alloc
def book_trade(state: State, aggressor: int, price: int, size: int) -> None:
    """Book a trade: counts and volumes by aggressor, extremes, its spread, the band it traded in, and the tape."""
    meta = state.meta
    flow = state.flow
    which = 0 if aggressor > 0 else 1
    flow[at.TRADE_COUNT + which] += 1
    flow[at.TRADE_VOLUME + which] += size
    flow[at.TRADE_NOTIONAL + which] += price * size
    flow[at.TRADE_HIGH] = max(flow[at.TRADE_HIGH], price)
    flow[at.TRADE_LOW] = price if flow[at.TRADE_LOW] == 0 else min(flow[at.TRADE_LOW], price)
    flow[at.TRADE_LARGEST] = max(flow[at.TRADE_LARGEST], size)
    if meta[at.ANCHORED] == 0:
        return
    side = 1 - which
    bid = state.top[0, 0, 0]
    ask = state.top[1, 0, 0]
    if bid > 0 and ask > 0:
        flow[at.TRADE_SPREAD] += size * abs(2 * price - bid - ask)
    band = _band(side, price, bid, ask)
    if band < at.N_BANDS:
        flow[at.TRADED + side * at.N_BANDS + band] += size
    tape = state.tape
    n = meta[at.ON_TAPE]
    if n < tape.shape[0]:
        tape[n, 0] = side
        tape[n, 1] = price
        tape[n, 2] = size
        tape[n, 3] = 0
        meta[at.ON_TAPE] = n + 1


@njit_inline
def _band(side: int, price: int, bid: int, ask: int) -> int:
    """Index of the narrowest band around the mid that holds a price; at.N_BANDS if none does or there is no mid."""
    if bid == 0 or ask == 0:
        return at.N_BANDS
    twice_mid = bid + ask
    band = 1
    distance = 10_000 * abs(2 * price - twice_mid)
    # counted, not searched: which band it is cannot be predicted
    for k in range(1, at.N_BANDS):
        band += distance > at.BAND_BPS[k] * twice_mid
    return 0 if (price >= bid if side == 0 else price <= ask) else band


@njit_no_alloc
def _add_imbalance(state: State) -> None:
    """Per level m of the ladder: e = [b' >= b] B' - [b' <= b] B - [a' <= a] A' + [a' >= a] A, summed over messages."""
    old = state.top
    prices = state.levels[0, :OFI_LEVELS]
    sizes = state.levels[1, :OFI_LEVELS]
    for side in range(2):
        top(state.book, side, prices, sizes)
        sign = 1 if side == 0 else -1
        for m in range(OFI_LEVELS):
            # an absent level is worse than any price
            before = sign * old[side, 0, m]
            after = sign * prices[m]
            better_or_same = old[side, 0, m] == 0 or (prices[m] != 0 and after >= before)
            worse_or_same = prices[m] == 0 or (old[side, 0, m] != 0 and after <= before)
            state.flow[at.OFI + m] += sign * (sizes[m] * better_or_same - old[side, 1, m] * worse_or_same)
        for m in range(OFI_LEVELS):
            old[side, 0, m] = prices[m]
            old[side, 1, m] = sizes[m]


@njit_no_alloc
def _explained(state: State, side: int, price: int, decrease: int) -> int:
    """How much of a level's decrease trades on the tape explain; what is taken leaves the tape."""
    tape = state.tape
    left = decrease
    for i in range(state.meta[at.ON_TAPE]):
        if left > 0 and tape[i, 0] == side and tape[i, 1] == price:
            taken = min(left, tape[i, 2])
            tape[i, 2] -= taken
            left -= taken
    return decrease - left


@njit_no_alloc
def _age_tape(state: State) -> None:
    """Trades may be explained by this message or the next; after that a decrease is a cancellation."""
    tape = state.tape
    kept = 0
    for i in range(state.meta[at.ON_TAPE]):
        if tape[i, 2] > 0 and tape[i, 3] == 0:
            for c in range(3):
                tape[kept, c] = tape[i, c]
            tape[kept, 3] = 1
            kept += 1
    state.meta[at.ON_TAPE] = kept
