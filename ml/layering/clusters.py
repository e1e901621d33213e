"""Clusters of large new lots that were pulled together, and their features. All compiled.

A cluster holds lots of one side that stood together near the mid, born within seconds of each other, of similar size,
mostly untraded, and cancelled within half a second (or, piece by piece, within six). It is judged when the message
after a pull has arrived: by then late trades are known, and so is whether the lots came back at other prices.

Here: what is remembered of the past, which lots make a cluster, and its features.
Not here: attribution (`ml.market.attribution`), clusters that still stand (`ml.layering.early`), the score
(`ml.layering.model`), which clusters become cues (`ml.layering.detector`).
"""

from math import log2, sqrt

from ml.core.time import DAY_NS, SECOND
from ml.layering import layout as at
from ml.layering.early import warn
from ml.layering.layout import Clusters
from ml.market.attribution import attribute
from ml.market.attribution import layout as lot
from ml.market.attribution import scale as scales
from ml.market.attribution.depth import BIG, ZONE_BPS, is_pull, share, size_at, weight, weighted_depth
from ml.market.attribution.layout import State
from ml.market.book.compiled import njit_no_alloc
from ml.market.book.ladder import best
from ml.market.book.layout import I64, BookStream, TradeStream
from ml.market.decode.events import SNAPSHOT, TIME

NEED_FOUND = 3
"""Beside what attribution may need: room for clusters."""
REPEATS_NS = 600 * SECOND
SAME_NS = 2 * SECOND


@njit_no_alloc
def run(lots: State, finder: Clusters, books: BookStream, trades: TradeStream, position: I64) -> int:
    """Apply messages and trades from `position` on, by arrival, trades first on a tie.

    Returns lot.DONE, or what needs more room; call again with more room, or emptied clusters, to go on.
    """
    while True:
        i = position[0]
        j = position[1]
        more_books = i < books.ts.size
        more_trades = j < trades.ts.size
        if not more_books and not more_trades:
            return lot.DONE
        if more_trades and (not more_books or trades.arrival[j] <= books.arrival[i]):
            attribute.on_trade(lots, trades, j)
            _take_trade(lots, finder, trades, j)
            position[1] = j + 1
            continue
        if max(finder.meta[at.N_FOUND], finder.meta[at.N_WARNED]) + 4 > finder.found.shape[0]:
            return NEED_FOUND
        need = attribute.room(lots, books, i)
        if need != lot.DONE:
            return need
        _take_book(lots, finder, books, i)
        position[0] = i + 1


@njit_no_alloc
def _take_trade(lots: State, finder: Clusters, trades: TradeStream, j: int) -> None:
    meta = finder.meta
    _take_events(lots, finder)
    if trades.side[j] > 0:
        meta[at.BUY] += trades.size[j]
        meta[at.LAST_BUY] = max(meta[at.LAST_BUY], trades.ts[j])
    else:
        meta[at.SELL] += trades.size[j]
        meta[at.LAST_SELL] = max(meta[at.LAST_SELL], trades.ts[j])


@njit_no_alloc
def _take_book(lots: State, finder: Clusters, books: BookStream, i: int) -> None:
    meta = finder.meta
    flags = books.flags[i]
    if flags & TIME == 0 and lots.ledger.meta[lot.ANCHORED] == 1:
        ts = max(books.ts[i], lots.ledger.meta[lot.TIME])
        if ts // DAY_NS != lots.ledger.meta[lot.DAY]:
            _sample(lots, finder, ts // DAY_NS * DAY_NS)
            attribute.turn_day(lots, ts)
            lots.ledger.meta[lot.N_EVENTS] = 0
            _forget_flow(finder)
        _sample(lots, finder, ts)
    due_bid = meta[at.DUE_BID]
    due_ask = meta[at.DUE_ASK]
    attribute.on_book(lots, books, i)
    if flags & TIME == 0:
        meta[at.DUE_BID] = 0
        meta[at.DUE_ASK] = 0
    resets = meta[at.RESETS]
    _take_events(lots, finder)
    if flags & TIME or lots.ledger.meta[lot.ANCHORED] == 0 or meta[at.RESETS] != resets:
        return
    _add_imbalance(lots, finder, flags & SNAPSHOT != 0)
    if due_bid:
        _judge(lots, finder, 0)
    if due_ask:
        _judge(lots, finder, 1)
    for side in range(2):
        if meta[at.BORN_BID + side] != meta[at.SEEN_BID + side]:
            meta[at.SEEN_BID + side] = meta[at.BORN_BID + side]
            warn(lots, finder, side)
    meta[at.LAST_MESSAGE] = lots.ledger.meta[lot.TIME]


@njit_no_alloc
def _sample(lots: State, finder: Clusters, ts: int) -> None:
    """Note the book as it stands on the grid points up to a message that comes at `ts`."""
    meta = finder.meta
    book = lots.book
    bid = best(book, 0)
    ask = best(book, 1)
    if meta[at.NEXT_STEP] == 0:
        meta[at.NEXT_STEP] = (ts // at.STEP_NS + 1) * at.STEP_NS
        meta[at.STARTED] = meta[at.NEXT_STEP]
        meta[at.NEXT_SECOND] = (ts // SECOND + 1) * SECOND
        meta[at.N_SECONDS] = 0
    meta[at.NEXT_STEP] = max(meta[at.NEXT_STEP], (ts // at.STEP_NS - at.STEPS + 1) * at.STEP_NS)
    while meta[at.NEXT_STEP] <= ts:
        row = finder.steps[(meta[at.NEXT_STEP] // at.STEP_NS) & (at.STEPS - 1)]
        row[at.CUM_BUY] = meta[at.BUY]
        row[at.CUM_SELL] = meta[at.SELL]
        row[at.CUM_OFI] = meta[at.OFI]
        row[at.MID2] = bid + ask
        meta[at.NEXT_STEP] += at.STEP_NS
    while meta[at.NEXT_SECOND] <= ts:
        row = finder.seconds[(meta[at.NEXT_SECOND] // SECOND) % scales.SECONDS]
        row[at.SEC_BUY] = meta[at.BUY]
        row[at.SEC_SELL] = meta[at.SELL]
        row[at.SEC_FOUND] = meta[at.PAST_BID] + meta[at.PAST_ASK]
        meta[at.N_SECONDS] += 1
        meta[at.NEXT_SECOND] += SECOND
        if bid > 0 and ask > 0:
            scales.add(finder.scale, size_at(lots, 0, bid))
            scales.add(finder.scale, size_at(lots, 1, ask))
            scales.settle(finder.scale)
        meta[at.WATCHED] += SECOND * (finder.scale.meta[scales.SIZE] > 0)


@njit_no_alloc
def _take_events(lots: State, finder: Clusters) -> None:
    """Note large lots that were born, moved or cancelled; the events are then done with."""
    meta = finder.meta
    scale = finder.scale.meta[scales.SIZE]
    for k in range(lots.ledger.meta[lot.N_EVENTS]):
        event = lots.ledger.events[k]
        kind = event[lot.KIND]
        side = 0 if event[lot.E_SIDE] > 0 else 1
        if kind == lot.RESET:
            _forget(finder)
            scale = 0
        elif scale == 0:
            continue
        elif kind in (lot.BORN, lot.SHIFTED):
            if 2 * event[lot.E_AMOUNT] >= BIG * scale:
                n = meta[at.BORN_BID + side]
                birth = finder.births[side, n & (at.BIRTHS - 1)]
                birth[0] = event[lot.E_TS]
                birth[1] = event[lot.E_PRICE]
                birth[2] = event[lot.E_AMOUNT]
                meta[at.BORN_BID + side] = n + 1
            if kind == lot.SHIFTED:
                _take_back(finder, side, event[lot.E_ID])
        elif kind == lot.CANCELLED:
            _note_death(lots, finder, event, side)
        elif kind == lot.LATE_TRADED:
            _note_late(lots, finder, side, event[lot.E_PRICE], event[lot.E_AMOUNT])
    lots.ledger.meta[lot.N_EVENTS] = 0


@njit_no_alloc
def _note_death(lots: State, finder: Clusters, event: I64, side: int) -> None:
    meta = finder.meta
    if not is_pull(event, finder.scale.meta[scales.SIZE]):
        return
    n = meta[at.DIED_BID + side]
    death = finder.deaths[side, n & (at.DEATHS - 1)]
    death[at.D_TS] = event[lot.E_TS]
    death[at.D_PRICE] = event[lot.E_PRICE]
    death[at.D_SIZE] = event[lot.E_AMOUNT]
    death[at.D_BORN] = event[lot.E_BORN_TS]
    death[at.D_BORN_SIZE] = event[lot.E_BORN_SIZE]
    death[at.D_FILLED] = event[lot.E_FILLED]
    death[at.D_SURE_FILLED] = event[lot.E_FILLED]
    death[at.D_EXACT] = event[lot.E_EXACT]
    death[at.D_MOVED] = event[lot.E_MOVED]
    death[at.D_LOT] = event[lot.E_ID]
    death[at.D_GONE] = 0
    meta[at.DIED_BID + side] = n + 1
    meta[at.DUE_BID + side] = 1


@njit_no_alloc
def _take_back(finder: Clusters, side: int, lot_id: int) -> None:
    """A lot that was cancelled came back at another price."""
    n = finder.meta[at.DIED_BID + side]
    for k in range(n - 1, max(n - at.DEATHS, 0) - 1, -1):
        death = finder.deaths[side, k & (at.DEATHS - 1)]
        if death[at.D_LOT] == lot_id:
            death[at.D_GONE] = 1
            return
        if death[at.D_TS] < finder.deaths[side, (n - 1) & (at.DEATHS - 1), at.D_TS] - lot.MOVE_NS:
            return


@njit_no_alloc
def _note_late(lots: State, finder: Clusters, side: int, price: int, amount: int) -> None:
    """Part of what the last message seemed to cancel at a price was traded."""
    n = finder.meta[at.DIED_BID + side]
    for k in range(n - 1, max(n - at.DEATHS, 0) - 1, -1):
        death = finder.deaths[side, k & (at.DEATHS - 1)]
        if death[at.D_TS] < lots.ledger.meta[lot.BOOK_TIME]:
            return
        if death[at.D_PRICE] == price:
            part = min(amount, death[at.D_SIZE])
            death[at.D_FILLED] += part
            death[at.D_SIZE] -= part
            amount -= part
            if 2 * death[at.D_FILLED] > death[at.D_BORN_SIZE]:
                death[at.D_GONE] = 1


@njit_no_alloc
def _forget(finder: Clusters) -> None:
    """After a reset nothing of the past counts, and S is unknown until it was sampled long enough."""
    scales.forget(finder.scale)
    _forget_flow(finder)


@njit_no_alloc
def _forget_flow(finder: Clusters) -> None:
    """A day begins without lots and without what happened before; the best sizes stay, a stored day has them too."""
    meta = finder.meta
    for slot in (at.NEXT_STEP, at.NEXT_SECOND, at.DIED_BID, at.DIED_ASK, at.BORN_BID, at.BORN_ASK):
        meta[slot] = 0
    for slot in (at.DUE_BID, at.DUE_ASK, at.TOP_BID, at.TOP_ASK, at.LAST_BUY, at.LAST_SELL):
        meta[slot] = 0
    for slot in (at.PAST_BID, at.PAST_ASK, at.SAME_BID, at.SAME_ASK):
        meta[slot] = 0
    meta[at.SEEN_BID] = 0
    meta[at.SEEN_ASK] = 0
    meta[at.RESETS] += 1


@njit_no_alloc
def _add_imbalance(lots: State, finder: Clusters, is_snapshot: bool) -> None:
    """Order-flow imbalance of the best level (Cont, Kukanov, Stoikov 2014); what a snapshot changes is no flow."""
    meta = finder.meta
    bid = best(lots.book, 0)
    ask = best(lots.book, 1)
    if bid == 0 or ask == 0:
        meta[at.TOP_BID] = 0
        return
    bid_size = size_at(lots, 0, bid)
    ask_size = size_at(lots, 1, ask)
    if meta[at.TOP_BID] > 0 and not is_snapshot:
        was_bid = meta[at.TOP_BID]
        was_ask = meta[at.TOP_ASK]
        flow = bid_size * (bid >= was_bid) - meta[at.TOP_BID_SIZE] * (bid <= was_bid)
        flow += meta[at.TOP_ASK_SIZE] * (ask >= was_ask) - ask_size * (ask <= was_ask)
        meta[at.OFI] += flow
    meta[at.TOP_BID] = bid
    meta[at.TOP_BID_SIZE] = bid_size
    meta[at.TOP_ASK] = ask
    meta[at.TOP_ASK_SIZE] = ask_size


@njit_no_alloc
def _judge(lots: State, finder: Clusters, side: int) -> None:
    """Find the cluster whose last lots the message before cancelled: pulled at once, and pulled piece by piece."""
    if finder.scale.meta[scales.SIZE] == 0 or finder.meta[at.DIED_BID + side] == 0 or finder.meta[at.TOP_BID] == 0:
        return
    fast = _choose(lots, finder, side, at.FAST_NS)
    if fast > 0:
        _tell(lots, finder, side, fast)
    slow = _choose(lots, finder, side, at.SLOW_NS)
    if slow > fast:
        _tell(lots, finder, side, slow)


@njit_no_alloc
def _choose(lots: State, finder: Clusters, side: int, within: int) -> int:
    """Put the numbers of the cluster's cancellations into `finder.best`; how many there are.

    Of all sets of lots that stood together at one time, the one with the largest volume: an order that hops from price
    to price leaves many cancellations, but was one order all the time.
    """
    n = finder.meta[at.DIED_BID + side]
    deaths = finder.deaths[side]
    mid2 = finder.meta[at.TOP_BID] + finder.meta[at.TOP_ASK]
    last = deaths[(n - 1) & (at.DEATHS - 1), at.D_TS]
    row = finder.near[at.N_ROW]
    size = finder.near[at.N_SIZE]
    born = finder.near[at.N_BORN]
    died = finder.near[at.N_DIED]
    seen = 0
    k = n - 1
    while k >= max(n - at.DEATHS, 0) and seen < at.LOOKED_AT:
        death = deaths[k & (at.DEATHS - 1)]
        if death[at.D_TS] < last - within:
            break
        if death[at.D_GONE] == 0 and 1e4 * abs(2 * death[at.D_PRICE] - mid2) <= ZONE_BPS * mid2:
            row[seen] = k & (at.DEATHS - 1)
            size[seen] = death[at.D_SIZE]
            born[seen] = death[at.D_BORN]
            died[seen] = death[at.D_TS]
            seen += 1
        k -= 1
    most = 0
    smallest = -1
    first_pull = 0
    for p in range(seen):  # newest first: all lots up to p were there just before p was cancelled, if they were born
        for i in range(p + 1):
            if born[i] >= died[p]:
                continue
            volume = 0
            news = 0
            largest = int(at.SIZE_FACTOR * size[i])
            for j in range(p + 1):  # without branches it becomes vector code
                belongs = (size[i] <= size[j]) & (size[j] <= largest) & (born[j] < died[p])
                belongs &= abs(born[j] - born[i]) <= at.BIRTHS_NS
                volume += size[j] * belongs
                news += (died[j] == last) & belongs
            if news > 0 and volume > most:
                most = volume
                smallest = i
                first_pull = died[p]
    if most < at.LEAST_VOLUME * finder.scale.meta[scales.SIZE]:
        return 0
    count = 0
    largest = int(at.SIZE_FACTOR * size[smallest])
    for j in range(seen):
        similar = size[smallest] <= size[j] <= largest and abs(born[j] - born[smallest]) <= at.BIRTHS_NS
        if similar and born[j] < first_pull <= died[j]:
            finder.best[count] = row[j]
            count += 1
    return count


@njit_no_alloc
def _past(finder: Clusters, ts: int, column: int) -> int:
    """A column of `steps` at the last grid point up to a time, as far as the past is kept."""
    first = max(finder.meta[at.STARTED], finder.meta[at.NEXT_STEP] - at.STEPS * at.STEP_NS)
    ts = min(max(ts, first), finder.meta[at.NEXT_STEP] - at.STEP_NS)
    return finder.steps[(ts // at.STEP_NS) & (at.STEPS - 1), column]


@njit_no_alloc
def _tell(lots: State, finder: Clusters, side: int, count: int) -> None:
    """Append the cluster in `finder.best`."""
    meta = finder.meta
    now = lots.ledger.meta[lot.TIME]
    sign = 1 - 2 * side
    mid2 = meta[at.TOP_BID] + meta[at.TOP_ASK]
    scale = float(finder.scale.meta[scales.SIZE])
    row = meta[at.N_FOUND]
    prices = finder.layers[row]
    deaths = finder.deaths[side]
    for k in range(at.LAYERS):
        prices[k] = 0
    layers = 0
    volume = 0
    squares = 0.0
    exact = 0
    moved = 0
    filled = 0
    sure = 0
    hidden = 0
    born_size = 0
    first_birth = 1 << 62
    last_birth = 0
    first_pull = 1 << 62
    last_pull = 0
    low = 1 << 62
    high = 0
    for k in range(count):
        death = deaths[finder.best[k]]
        size = death[at.D_SIZE]
        price = death[at.D_PRICE]
        is_new = True
        for i in range(layers):
            is_new = is_new and prices[i] != price
        if is_new and layers < at.LAYERS:
            prices[layers] = price
            layers += 1
        volume += size
        squares += float(size) * size
        exact += size * death[at.D_EXACT]
        moved += size * (death[at.D_MOVED] > 0)
        filled += death[at.D_FILLED]
        sure += death[at.D_SURE_FILLED]
        born_size += death[at.D_BORN_SIZE]
        for i in range(lots.ledger.meta[lot.ON_TAPE]):
            entry = lots.tape[i]
            if entry[1] == price and entry[0] == side:
                hidden += entry[2]
        first_birth = min(first_birth, death[at.D_BORN])
        last_birth = max(last_birth, death[at.D_BORN])
        first_pull = min(first_pull, death[at.D_TS])
        last_pull = max(last_pull, death[at.D_TS])
        low = min(low, price)
        high = max(high, price)
    mean = volume / count
    v = finder.values[row]
    v[0] = mean / scale
    v[2] = layers
    v[3] = sqrt(max(squares / count - mean * mean, 0.0)) / mean
    v[4] = 2e4 * (high - low) / mid2 / layers
    v[5] = 1e4 * (mid2 - 2 * high if side == 0 else 2 * low - mid2) / mid2
    v[6] = (last_birth - first_birth) / SECOND
    v[7] = max(first_pull - last_birth, 0) / SECOND
    v[8] = (last_pull - first_pull) / SECOND
    v[9] = filled / born_size
    v[10] = exact / volume
    v[11] = _readded(finder, side, max(first_pull - SECOND // 2, last_birth + 1), mean) / volume
    other = _pulled(finder, 1 - side, first_pull - 2 * at.STEP_NS)
    v[12] = other / volume
    v[13] = moved / volume
    pushed = at.CUM_BUY if side == 0 else at.CUM_SELL
    opposed = at.CUM_SELL if side == 0 else at.CUM_BUY
    v[14] = (meta[at.BUY + side] - _past(finder, first_birth, pushed)) / volume
    v[15] = (meta[at.BUY + 1 - side] - _past(finder, first_birth, opposed)) / volume
    v[16] = min(max(last_pull - meta[at.LAST_BUY + side], 0) / SECOND, 60.0)
    v[17] = _burst(finder, meta[at.BUY + side] - _past(finder, now - SECOND, pushed), side)
    v[18] = sign * (meta[at.OFI] - _past(finder, first_birth, at.CUM_OFI)) / volume
    depth, same = weighted_depth(lots, mid2, side)
    _, opposite = weighted_depth(lots, mid2, 1 - side)
    v[1] = volume / (depth + volume)
    took = 0.0
    for k in range(count):
        death = deaths[finder.best[k]]
        took += death[at.D_SIZE] * weight(1e4 * abs(2 * death[at.D_PRICE] - mid2) / mid2)
    took_other = _pulled_weight(finder, 1 - side, first_pull - 2 * at.STEP_NS, mid2)
    before = share(same + took, opposite + took_other)
    after = share(same, opposite)
    collapse = took / (same + took) if same + took > 0 else 0.0
    collapse_other = took_other / (opposite + took_other) if opposite + took_other > 0 else 0.0
    v[19] = abs(before - after) * collapse * max(collapse - collapse_other, 0.0)
    v[20] = before - after
    mid_then = _past(finder, first_birth, at.MID2)
    v[21] = sign * 1e4 * (mid2 - mid_then) / mid2
    v[22] = _repeats(finder, now, side, mean)
    v[23] = log2(1.0 + _cluster_rate(finder, now))
    finder.band[row, 0] = min(sure, born_size) / born_size
    finder.band[row, 1] = min(filled + hidden, born_size) / born_size
    header = finder.found[row]
    header[at.C_TS] = now
    header[at.C_SIDE] = sign
    header[at.C_START] = first_birth
    header[at.C_FIRST_PULL] = first_pull
    header[at.C_LAST_PULL] = last_pull
    header[at.C_LAYERS] = layers
    header[at.C_VOLUME] = volume
    header[at.C_SCALE] = finder.scale.meta[scales.SIZE]
    header[at.C_LATEST_BIRTH] = last_birth
    meta[at.N_FOUND] = row + 1
    n = meta[at.PAST_BID + side]
    finder.past_ts[side, n & (at.PAST - 1)] = now
    finder.past_lot[side, n & (at.PAST - 1)] = mean
    meta[at.PAST_BID + side] = n + 1


@njit_no_alloc
def _readded(finder: Clusters, side: int, since: int, mean: float) -> int:
    total = 0
    n = finder.meta[at.BORN_BID + side]
    for k in range(n - 1, max(n - at.BIRTHS, 0) - 1, -1):
        birth = finder.births[side, k & (at.BIRTHS - 1)]
        if birth[0] < since:
            break
        total += birth[2] * (2 * birth[2] >= mean)
    return total


@njit_no_alloc
def _pulled(finder: Clusters, side: int, since: int) -> int:
    total = 0
    n = finder.meta[at.DIED_BID + side]
    for k in range(n - 1, max(n - at.DEATHS, 0) - 1, -1):
        death = finder.deaths[side, k & (at.DEATHS - 1)]
        if death[at.D_TS] < since:
            break
        total += death[at.D_SIZE]
    return total


@njit_no_alloc
def _pulled_weight(finder: Clusters, side: int, since: int, mid2: int) -> float:
    total = 0.0
    n = finder.meta[at.DIED_BID + side]
    for k in range(n - 1, max(n - at.DEATHS, 0) - 1, -1):
        death = finder.deaths[side, k & (at.DEATHS - 1)]
        if death[at.D_TS] < since:
            break
        total += death[at.D_SIZE] * weight(1e4 * abs(2 * death[at.D_PRICE] - mid2) / mid2)
    return total


@njit_no_alloc
def _burst(finder: Clusters, volume: int, side: int) -> float:
    """How large a second's volume is against those of the last 60 s, as z."""
    meta = finder.meta
    count = min(meta[at.N_SECONDS] - 1, 60)
    if count < 2:
        return 0.0
    total = 0.0
    squares = 0.0
    newest = meta[at.NEXT_SECOND] // SECOND - 1
    for k in range(count):
        after = finder.seconds[(newest - k) % scales.SECONDS, at.SEC_BUY + side]
        before = finder.seconds[(newest - k - 1) % scales.SECONDS, at.SEC_BUY + side]
        one = float(after - before)
        total += one
        squares += one * one
    mean = total / count
    variance = squares / count - mean * mean
    return (volume - mean) / sqrt(variance) if variance > 0 else 0.0


@njit_no_alloc
def _repeats(finder: Clusters, now: int, side: int, mean: float) -> int:
    meta = finder.meta
    ts = finder.past_ts[side]
    lot_size = finder.past_lot[side]
    end = meta[at.PAST_BID + side]
    first = max(meta[at.SAME_BID + side], end - at.PAST)
    while first < end and ts[first & (at.PAST - 1)] < now - REPEATS_NS:
        first += 1
    meta[at.SAME_BID + side] = first
    while end > first and ts[(end - 1) & (at.PAST - 1)] >= now - SAME_NS:
        end -= 1
    found = 0
    while first < end:  # up to the end of the ring, then from its beginning
        start = first & (at.PAST - 1)
        stop = min(start + end - first, at.PAST)
        for k in range(start, stop):
            found += abs(lot_size[k] - mean) <= 0.02 * mean
        first += stop - start
    return found


@njit_no_alloc
def _cluster_rate(finder: Clusters, now: int) -> float:
    """Clusters per minute since the last reset, over at most half an hour."""
    meta = finder.meta
    count = min(meta[at.N_SECONDS] - 1, scales.SECONDS - 1)
    if count < 1:
        return 0.0
    newest = meta[at.NEXT_SECOND] // SECOND - 1
    before = finder.seconds[(newest - count) % scales.SECONDS, at.SEC_FOUND]
    return 60.0 * (meta[at.PAST_BID] + meta[at.PAST_ASK] - before) / count
