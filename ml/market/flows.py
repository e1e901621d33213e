"""What happens between two samples: added, cancelled and traded size, order-flow imbalance. All compiled.

Here: booking a diff and a print into the open sample.
Not here: time and validity (`ml.market.kernel`).

A decrease of a level that prints at its price and side explain, within the message or the next, is no cancellation.
Order-flow imbalance: Cont, Kukanov, Stoikov (2014), per level as Xu, Gould, Howison (2018).
"""

from ml.market import layout as at
from ml.market.book import set_levels, settle, top
from ml.market.compiled import hot, inlined
from ml.market.layout import BookStream, State
from ml.schemas import OFI_LEVELS


@inlined
def book_diff(state: State, books: BookStream, start: int, end: int) -> None:
    """Set the levels of a diff; with flows on, book what it added and cancelled, and the order-flow imbalance."""
    sides, prices, sizes = books.side, books.price, books.size
    if state.samples.shape[1] == at.BOOK_COLUMNS:
        set_levels(state.book, sides, prices, sizes, start, end, state.rows[:0])
        settle(state.book)
        return
    set_levels(state.book, sides, prices, sizes, start, end, state.rows)
    settle(state.book)
    flow, tops, printed = state.flow, state.top, state.meta[at.ON_TAPE] > 0
    bid, ask = tops[0, 0, 0], tops[1, 0, 0]
    deepest_bid, deepest_ask = tops[0, 0, OFI_LEVELS - 1], tops[1, 0, OFI_LEVELS - 1]
    seen = False
    for r in range(start, end):
        if sides[r] == 0:
            continue
        side, price, change = 0 if sides[r] > 0 else 1, prices[r], sizes[r] - state.rows[r - start]
        flow[at.N_UPDATES] += 1
        seen = seen or (price >= deepest_bid if side == 0 else price <= deepest_ask or deepest_ask == 0)
        band = _band(side, price, bid, ask)
        if band == at.N_BANDS:
            continue
        if change > 0:
            flow[at.ADDED + side * at.N_BANDS + band] += change
        elif change < 0:
            explained = _explained(state, side, price, -change) if printed else 0
            flow[at.CANCELLED + side * at.N_BANDS + band] -= change + explained
    _age_tape(state)
    if seen:
        _add_imbalance(state)


@hot
def book_print(state: State, aggressor: int, price: int, size: int) -> None:
    """Book a print: counts and volumes by aggressor, extremes, its spread, the band it traded in, and the tape."""
    meta, flow = state.meta, state.flow
    which = 0 if aggressor > 0 else 1
    flow[at.TRADE_COUNT + which] += 1
    flow[at.TRADE_VOLUME + which] += size
    flow[at.TRADE_NOTIONAL + which] += price * size
    flow[at.TRADE_HIGH] = max(flow[at.TRADE_HIGH], price)
    flow[at.TRADE_LOW] = price if flow[at.TRADE_LOW] == 0 else min(flow[at.TRADE_LOW], price)
    flow[at.TRADE_LARGEST] = max(flow[at.TRADE_LARGEST], size)
    if meta[at.ANCHORED] == 0:
        return
    side, bid, ask = 1 - which, state.top[0, 0, 0], state.top[1, 0, 0]
    if bid > 0 and ask > 0:
        flow[at.TRADE_SPREAD] += size * abs(2 * price - bid - ask)
    band = _band(side, price, bid, ask)
    if band < at.N_BANDS:
        flow[at.TRADED + side * at.N_BANDS + band] += size
    tape, n = state.tape, meta[at.ON_TAPE]
    if n < tape.shape[0]:
        tape[n, 0], tape[n, 1], tape[n, 2], tape[n, 3] = side, price, size, 0
        meta[at.ON_TAPE] = n + 1


@hot
def _band(side: int, price: int, bid: int, ask: int) -> int:
    """Index of the narrowest band around the mid that holds a price; at.N_BANDS if none does or there is no mid."""
    if bid == 0 or ask == 0:
        return at.N_BANDS
    if price >= bid if side == 0 else price <= ask:
        return 0
    twice_mid = bid + ask
    distance = 10_000 * abs(2 * price - twice_mid)
    for band in range(1, at.N_BANDS):
        if distance <= at.BAND_BPS[band] * twice_mid:
            return band
    return at.N_BANDS


@hot
def _add_imbalance(state: State) -> None:
    """Per level m of the ladder: e = [b' >= b] B' - [b' <= b] B - [a' <= a] A' + [a' >= a] A, summed over messages."""
    old, prices, sizes = state.top, state.levels[0, :OFI_LEVELS], state.levels[1, :OFI_LEVELS]
    for side in range(2):
        top(state.book, side, prices, sizes)
        sign = 1 if side == 0 else -1
        for m in range(OFI_LEVELS):
            # an absent level is worse than any price
            before, after = sign * old[side, 0, m], sign * prices[m]
            better_or_same = old[side, 0, m] == 0 or (prices[m] != 0 and after >= before)
            worse_or_same = prices[m] == 0 or (old[side, 0, m] != 0 and after <= before)
            state.flow[at.OFI + m] += sign * (sizes[m] * better_or_same - old[side, 1, m] * worse_or_same)
        for m in range(OFI_LEVELS):
            old[side, 0, m], old[side, 1, m] = prices[m], sizes[m]


@hot
def _explained(state: State, side: int, price: int, decrease: int) -> int:
    """How much of a level's decrease prints on the tape explain; what is taken leaves the tape."""
    tape, left = state.tape, decrease
    for i in range(state.meta[at.ON_TAPE]):
        if left > 0 and tape[i, 0] == side and tape[i, 1] == price:
            taken = min(left, tape[i, 2])
            tape[i, 2] -= taken
            left -= taken
    return decrease - left


@hot
def _age_tape(state: State) -> None:
    """Prints may be explained by this message or the next; after that a decrease is a cancellation."""
    tape, kept = state.tape, 0
    for i in range(state.meta[at.ON_TAPE]):
        if tape[i, 2] > 0 and tape[i, 3] == 0:
            for c in range(3):
                tape[kept, c] = tape[i, c]
            tape[kept, 3] = 1
            kept += 1
    state.meta[at.ON_TAPE] = kept
