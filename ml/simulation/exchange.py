"""A simulated exchange with exact queues: orders with owners at each price, published as a book of sizes and trades.

Here: the market's flows and agents as one compiled loop, its parameters, and what it publishes as arrays.
Not here: whether it looks like a market (`ml.simulation.stylised`), capture files (`ml.simulation.publish`), episodes
of layering (`ml.simulation.episodes`), the small market of the demo (`ml.simulation.venue`).

Ingredients: market orders as a bivariate Hawkes process with two exponential kernels (Bacry, Mastromatteo, Muzy 2015)
whose sign follows a slow pressure and meta-orders (Lillo, Mike, Farmer 2005); queues at the touch that react to the
pressure (Huang, Lehalle, Rosenbaum 2015) and jump when one is depleted; market makers who keep ladders on both sides
and quote them again when the price moves or a timer ends; background orders with lifetimes of 50 ms to 30 s; icebergs.
The share `reaction` of the pressure follows the displayed depth, so that large orders can move the price; at 0 nothing
reacts to them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.market.book.compiled import plain
from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import CLEAR, SNAPSHOT

I64 = NDArray[np.int64]
STEP_MS = 2
TICKS = 1 << 18
POOL = 1 << 16
WHEEL = 1 << 14
"""Steps ahead for which the end of an order can be noted, 32 s; later ones go round again."""
PRICES = 40
"""Most prices of a maker's ladder on one side."""
LOT = 1_000
"""Size units per unit of base currency."""
WARM_UP_S = 60
"""Seconds that are simulated before the first publication."""
NOBODY, TOUCH, BACKGROUND = -1, -2, -3
"""Owners that are no maker."""


@dataclass(frozen=True)
class Exchange:
    """A market's parameters.

    Args:
        seed: the same gives the same market.
        seconds: that are published.
        price_ticks: first price, in ticks.
        best_size: typical size at the best price, in base currency; all other sizes scale with it.
        orders_per_second: market orders.
        jumps: how often the price leaves a depleted queue; 1 is about one change in 2 s.
        jump_ticks: mean size of such a change, in ticks.
        makers: agents with ladders, 8 to 20.
        whole_ladders: how often a maker of large orders quotes its whole ladder again instead of one of its orders.
        background: orders of the background, as a multiple of the usual number.
        reaction: share of the pressure that follows the displayed depth; 0 for a market that reacts to no order.
        resets_per_hour: losses of the feed, after which the whole book is published.
    """

    seed: int
    seconds: int
    price_ticks: int = 640_000
    best_size: float = 12.0
    orders_per_second: float = 7.5
    jumps: float = 1.0
    jump_ticks: float = 34.0
    makers: int = 13
    whole_ladders: float = 0.02
    background: float = 1.0
    reaction: float = 0.0
    resets_per_hour: float = 0.0


class Published(NamedTuple):
    """What the exchange shows.

    `books` and `trades` as the kernel takes them, times in ns from the start given; `ids` i64 (messages, 2): first and
    last update id of each message. `removed` i64 (2): volume that trades and that cancellations took, the exact truth.
    """

    books: BookStream
    trades: TradeStream
    ids: I64
    removed: I64


class _Book(NamedTuple):
    """Queues by side and tick: first and last order of each, sizes; the pool of orders; what changed."""

    first: NDArray[np.int32]
    last: NDArray[np.int32]
    total: I64
    size: I64
    tick: NDArray[np.int32]
    side: NDArray[np.int8]
    owner: NDArray[np.int32]
    born: NDArray[np.int32]
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    ends: NDArray[np.int32]
    end_after: NDArray[np.int32]
    ends_at: I64
    free: NDArray[np.int32]
    slots: NDArray[np.int32]
    dirty: NDArray[np.bool_]
    touched: NDArray[np.int32]
    meta: I64


N_FREE, N_TOUCHED, BID, ASK, UPDATE, N_TRADES, TRADED, CANCELLED, NOW = range(9)


def run(market: Exchange, start_ns: int) -> Published:
    """Run the market; `start_ns` is the time of the first publication, ns UTC."""
    rooms = (int(market.seconds * 1_500 * max(market.background, 1.0)) + 50_000, market.seconds * 200 + 10_000)
    makers = _makers(market)
    rows = np.empty((rooms[0], 3), np.int64)
    trades = np.empty((rooms[1], 4), np.int64)
    messages = np.empty((market.seconds * 24 + 100, 5), np.int64)
    book = _empty_book(market.makers)
    counts = _run(
        market.seed,
        (WARM_UP_S + market.seconds) * 1_000 // STEP_MS,
        WARM_UP_S * 1_000 // STEP_MS,
        market.price_ticks,
        np.array(
            [
                market.best_size,
                market.orders_per_second,
                market.jumps,
                market.jump_ticks,
                market.background,
                market.reaction,
                market.resets_per_hour,
            ]
        ),
        book,
        *makers,
        rows,
        trades,
        messages,
    )
    n_rows, n_messages = counts
    n_trades = int(book.meta[N_TRADES])
    return _published(market, start_ns, rows[:n_rows], trades[:n_trades], messages[:n_messages], book.meta)


def _published(market: Exchange, start_ns: int, rows: I64, trades: I64, messages: I64, meta: I64) -> Published:
    ms, end, flags, first, last = messages.T
    base = market.price_ticks - TICKS // 2
    side, tick, size = rows.T
    books = BookStream(
        start_ns + ms * 10**6,
        2 * np.arange(len(ms), dtype=np.int64) + 1,
        flags.copy(),
        end.copy(),
        side.astype(np.int8),
        tick + base,
        size.copy(),
    )
    when, aggressor, at, lots = trades.T
    return Published(
        books,
        TradeStream(
            start_ns + when * 10**6,
            2 * np.searchsorted(ms, when, side="left").astype(np.int64),
            np.zeros(len(when), np.uint8),
            aggressor.astype(np.int8),
            at + base,
            lots.copy(),
        ),
        np.stack([first, last], axis=1),
        meta[[TRADED, CANCELLED]].copy(),
    )


def _makers(market: Exchange) -> tuple[I64, I64, NDArray[np.float64], I64]:
    """The ladders of the makers.

    Offsets in ticks and sizes in lots, i64 (makers, PRICES); (makers, 6) trigger in ticks, timer in s, share of
    re-quotes on one side, whether a fill makes it pull, share of re-quotes of the whole ladder, share of orders placed
    in another size than before; number of prices.
    """
    rng = np.random.default_rng([market.seed, 1])
    count = market.makers
    offsets = np.zeros((count, PRICES), np.int64)
    sizes = np.zeros((count, PRICES), np.int64)
    habits = np.zeros((count, 6))
    prices = np.zeros(count, np.int64)
    scale = market.best_size / 12.0 * LOT
    large = max(count // 4, 2)
    for k in range(count):
        far = k == large
        busy = far or k == 0
        if k <= large:
            prices[k] = rng.integers(1, 3) if k == 0 else rng.integers(3, 6) if far else rng.integers(2, 5)
            distance = np.sort(rng.uniform(1_400, 2_500, prices[k]) if far else rng.uniform(150, 950, prices[k]))
            drawn = rng.uniform(20, 36, prices[k]) * scale
        else:
            prices[k] = rng.integers(8, PRICES + 1) if k % 3 else rng.integers(5, 16)
            reach = np.exp(rng.uniform(np.log(150), np.log(1_000)))
            distance = np.sort(rng.uniform(1, reach, prices[k]))
            drawn = np.exp(rng.normal(-3.25, 0.6) + rng.normal(0, 1.7, prices[k])) * scale
        if rng.random() < 0.25:
            drawn[:] = np.median(drawn)  # equal sizes
        ticks = np.unique(np.round(distance).astype(np.int64))
        prices[k] = len(ticks)
        offsets[k, : prices[k]] = ticks
        sizes[k, : prices[k]] = np.maximum(drawn[: prices[k]], 1).astype(np.int64)
        timer = np.exp(rng.uniform(np.log(0.4), np.log(7.0)))
        if k <= large:
            timer *= 0.025 if busy else 1.0
        whole = market.whole_ladders if k <= large else 1.0
        varies = rng.choice([0.03, 0.2, 0.6]) if k <= large else 0.0
        habits[k] = rng.integers(1, 11), timer, 0.1, rng.random() < 0.3, whole, varies
    return offsets, sizes, habits, prices


def _empty_book(makers: int) -> _Book:
    none = np.full((2, TICKS), -1, np.int32)
    pool = np.zeros(POOL, np.int64)
    free = np.arange(POOL, dtype=np.int32)
    meta = np.zeros(16, np.int64)
    meta[N_FREE] = POOL
    meta[UPDATE] = 1
    return _Book(
        first=none,
        last=none.copy(),
        total=np.zeros((2, TICKS), np.int64),
        size=pool,
        tick=np.zeros(POOL, np.int32),
        side=np.zeros(POOL, np.int8),
        owner=np.full(POOL, NOBODY, np.int32),
        born=np.zeros(POOL, np.int32),
        after=np.full(POOL, -1, np.int32),
        before=np.full(POOL, -1, np.int32),
        ends=np.full(WHEEL, -1, np.int32),
        end_after=np.full(POOL, -1, np.int32),
        ends_at=np.full(POOL, -1, np.int64),
        free=free,
        slots=np.full(makers * 2 * PRICES, -1, np.int32),
        dirty=np.zeros((2, TICKS), np.bool_),
        touched=np.zeros((1 << 15, 2), np.int32),
        meta=meta,
    )


@plain
def _mark(book, side, tick):  # type: ignore[no-untyped-def]
    book.meta[UPDATE] += 1
    if not book.dirty[side, tick]:
        book.dirty[side, tick] = True
        n = book.meta[N_TOUCHED]
        book.touched[n, 0] = side
        book.touched[n, 1] = tick
        book.meta[N_TOUCHED] = n + 1


@plain
def _add(book, side, tick, size, owner):  # type: ignore[no-untyped-def]
    """A new order at the end of its queue; its number. An order that would cross is not placed, and gives -1."""
    crosses = tick >= book.meta[ASK] if side == 0 else tick <= book.meta[BID]
    if size <= 0 or crosses or tick < 2 or tick >= TICKS - 2:
        return -1
    n = book.meta[N_FREE] - 1
    if n < 0:
        return -1
    book.meta[N_FREE] = n
    order = book.free[n]
    book.size[order] = size
    book.tick[order] = tick
    book.side[order] = side
    book.owner[order] = owner
    book.after[order] = -1
    book.before[order] = book.last[side, tick]
    book.ends_at[order] = -1
    if book.last[side, tick] >= 0:
        book.after[book.last[side, tick]] = order
    else:
        book.first[side, tick] = order
    book.last[side, tick] = order
    book.total[side, tick] += size
    _mark(book, side, tick)
    if side == 0:
        book.meta[BID] = max(book.meta[BID], tick)
    else:
        book.meta[ASK] = min(book.meta[ASK], tick)
    return order


@plain
def _remove(book, order):  # type: ignore[no-untyped-def]
    """Take an order out of its queue; the best price is not looked up."""
    side = book.side[order]
    tick = book.tick[order]
    before = book.before[order]
    after = book.after[order]
    if before >= 0:
        book.after[before] = after
    else:
        book.first[side, tick] = after
    if after >= 0:
        book.before[after] = before
    else:
        book.last[side, tick] = before
    book.total[side, tick] -= book.size[order]
    book.size[order] = 0
    if book.owner[order] >= 0:
        book.slots[book.owner[order]] = -1
    book.owner[order] = NOBODY
    if book.ends_at[order] < 0:
        book.free[book.meta[N_FREE]] = order
        book.meta[N_FREE] += 1
    _mark(book, side, tick)


@plain
def _cancel(book, order):  # type: ignore[no-untyped-def]
    book.meta[CANCELLED] += book.size[order]
    side = book.side[order]
    _remove(book, order)
    _settle(book, side)


@plain
def _settle(book, side):  # type: ignore[no-untyped-def]
    """Look the best price of a side up."""
    if side == 0:
        while book.total[0, book.meta[BID]] == 0 and book.meta[BID] > 1:
            book.meta[BID] -= 1
    else:
        while book.total[1, book.meta[ASK]] == 0 and book.meta[ASK] < TICKS - 1:
            book.meta[ASK] += 1


@plain
def _shrink(book, order, size):  # type: ignore[no-untyped-def]
    """Cancel part of an order."""
    book.size[order] -= size
    book.total[book.side[order], book.tick[order]] -= size
    book.meta[CANCELLED] += size
    _mark(book, book.side[order], book.tick[order])


@plain
def _end_after(book, order, step, steps):  # type: ignore[no-untyped-def]
    """Note that an order ends so many steps from now."""
    if order < 0:
        return
    book.ends_at[order] = step + max(steps, 1)
    bucket = book.ends_at[order] % WHEEL
    book.end_after[order] = book.ends[bucket]
    book.ends[bucket] = order


@plain
def _expire(book, step):  # type: ignore[no-untyped-def]
    """Cancel the orders that end at a step; what was filled or cancelled before is freed."""
    bucket = step % WHEEL
    order = book.ends[bucket]
    book.ends[bucket] = -1
    while order >= 0:
        following = book.end_after[order]
        if book.ends_at[order] > step:
            book.end_after[order] = book.ends[bucket]
            book.ends[bucket] = order
        else:
            alive = book.size[order] > 0
            book.ends_at[order] = -1
            if alive:
                _cancel(book, order)
            else:
                book.free[book.meta[N_FREE]] = order
                book.meta[N_FREE] += 1
        order = following


@plain
def _take(book, sign, size, ms, trades, hits, furthest):  # type: ignore[no-untyped-def]
    """A market order: it fills the queues in order, up to a price; what is left over is dropped."""
    side = 1 if sign > 0 else 0
    while size > 0:
        tick = book.meta[ASK] if side == 1 else book.meta[BID]
        if (tick - furthest) * sign > 0:
            break
        order = book.first[side, tick]
        if order < 0:
            break
        filled = min(size, book.size[order])
        n = book.meta[N_TRADES]
        if n < len(trades) and ms >= 0:
            trades[n, 0] = ms
            trades[n, 1] = sign
            trades[n, 2] = tick
            trades[n, 3] = filled
            book.meta[N_TRADES] = n + 1
        book.meta[TRADED] += filled
        size -= filled
        owner = book.owner[order]
        if owner >= 0:
            hits[owner // (2 * PRICES), side] = True
        if filled == book.size[order]:
            _remove(book, order)
            if owner == TOUCH and np.random.random() < 0.02:  # an iceberg shows its next part
                _add(book, side, tick, filled, TOUCH)
            _settle(book, side)
        else:
            book.size[order] -= filled
            book.total[side, tick] -= filled
            _mark(book, side, tick)
    return size


@plain
def _quote(book, k, side, touch, offsets, sizes, shown, prices, varies):  # type: ignore[no-untyped-def]
    """Place what is missing of a maker's ladder on one side, relative to the touch; at times in another size."""
    sign = 1 if side == 0 else -1
    for j in range(prices[k]):
        slot = (k * 2 + side) * PRICES + j
        if book.slots[slot] < 0:
            if np.random.random() < varies:
                shown[slot] = int(sizes[k, j] * np.exp(np.random.normal(0.0, 0.35))) + 1
            order = _add(book, side, touch - sign * offsets[k, j], shown[slot], slot)
            book.slots[slot] = order


@plain
def _pull(book, k, side, prices):  # type: ignore[no-untyped-def]
    """Cancel a maker's ladder on one side."""
    for j in range(prices[k]):
        order = book.slots[(k * 2 + side) * PRICES + j]
        if order >= 0:
            _cancel(book, order)


@plain
def _target(pressure, noise, best_size):  # type: ignore[no-untyped-def]
    """The size that the queue at the touch tends to, in lots: small on the side towards which the price is pressed."""
    u = 0.92 * pressure + 0.39 * noise
    return best_size * LOT * np.exp(1.65 * u if u < 0 else 0.74 * u)


@plain
def _fill_up(book, side, tick, target, step, large):  # type: ignore[no-untyped-def]
    """Orders at the touch until the queue has its target: some large ones, and small ones."""
    have = book.total[side, tick]
    while have < target:
        gap = target - have
        size = int(gap * (0.8 + 0.2 * np.random.random())) + 1
        if gap < large:
            size = min(int(np.exp(np.random.normal(-2.6, 1.6)) * LOT * large / (3 * LOT)) + 1, int(gap) + 1)
        if _add(book, side, tick, size, TOUCH) < 0:
            break
        have += size
        if gap < large:
            break


@plain
def _run(seed, steps, warm_up, price, rates, book, offsets, sizes, habits, prices, rows, trades, messages):  # type: ignore[no-untyped-def]  # noqa: C901
    """The loop. One function, because every part touches the same few variables each step."""
    np.random.seed(seed)
    best_size, order_rate, jumps, jump_ticks, background, reaction, resets = rates
    dt = STEP_MS / 1000
    meta = book.meta
    makers = len(prices)
    hits = np.zeros((makers, 2), np.bool_)
    quoted_at = np.zeros((makers, 2), np.int64)
    pending = np.full((makers, 2), -1, np.int64)
    next_timer = np.zeros(makers, np.int64)
    shown = np.zeros(2 * makers * PRICES, np.int64)
    for k in range(makers):
        for side in range(2):
            for j in range(prices[k]):
                shown[(k * 2 + side) * PRICES + j] = sizes[k, j]
    centre = TICKS // 2
    meta[BID] = 0
    meta[ASK] = TICKS - 1
    large = 3 * LOT * best_size / 12
    _add(book, 0, centre, int(best_size * LOT), TOUCH)
    _add(book, 1, centre + 1, int(best_size * LOT), TOUCH)
    for k in range(makers):
        for side in range(2):
            pending[k, side] = 1
        next_timer[k] = int(np.random.exponential(habits[k, 1]) / dt)
    pressure = 0.0
    meta_order = 0.0
    activity = 0.0
    noise = np.zeros(2)
    fast = np.zeros(2)
    slow = np.zeros(2)
    base = 0.5 * order_rate * (1 - 0.8) / 2
    n_rows = 0
    n_messages = 0
    next_publication = warm_up
    next_reset = warm_up + (int(np.random.exponential(3600 / resets) / dt) if resets > 0 else 1 << 60)
    lost_until = -1
    first_id = 1
    for step in range(steps):
        now = step - warm_up
        ms = now * STEP_MS
        _expire(book, step)
        bid = meta[BID]
        ask = meta[ASK]
        # pressure: what the price will do; meta-orders lean on it for a minute
        if step % 5 == 0:
            t = 5 * dt
            meta_order += -meta_order * t / 60 + np.sqrt(2 * t / 60) * np.random.normal()
            activity += -activity * t / 30 + np.sqrt(2 * t / 30) * np.random.normal()
            lean = 0.46 * meta_order
            if reaction > 0 and step % 25 == 0:
                depth = np.zeros(2)
                for away in range(2, 400):
                    weight = np.exp(-away / 150.0)
                    depth[0] += weight * book.total[0, max(bid - away, 0)]
                    depth[1] += weight * book.total[1, min(ask + away, TICKS - 1)]
                lean += 3 * reaction * (depth[0] - depth[1]) / max(depth[0] + depth[1], 1.0)
            pressure += (lean - pressure) * t / 4 + 0.85 * np.sqrt(2 * t / 4) * np.random.normal()
            for side in range(2):
                noise[side] += -noise[side] * t / 1.5 + np.sqrt(2 * t / 1.5) * np.random.normal()
        lively = np.exp(0.65 * activity - 0.21)
        # market orders
        bias = np.tanh(0.4 * pressure + 0.08 * meta_order)
        for side in range(2):
            sign = 1 if side == 0 else -1
            excited = fast[side] + slow[side]
            fast[side] *= 1 - 10.0 * dt
            slow[side] *= 1 - 0.15 * dt
            if np.random.random() < (base * lively + excited) * (1 + 0.6 * sign * bias) * dt:
                for other in range(2):
                    part = 0.8 if other == side else 0.2
                    fast[other] += 0.45 * part * 10.0
                    slow[other] += 0.35 * part * 0.15
                size = int(min(np.exp(np.random.normal(-3.7, 1.95)), 60.0) * LOT * best_size / 12) + 1
                there = book.total[1 - side, meta[ASK] if side == 0 else meta[BID]]
                _take(book, sign, min(size, int(0.7 * there) + 1), ms, trades, hits, (TICKS if side == 0 else 0))
        # a depleted queue: one order takes the rest and walks, and both sides are quoted where it ends
        for side in range(2):
            sign = 1 if side == 0 else -1
            toward = pressure * sign
            hazard = 6.8 * jumps * lively / (1 + np.exp(-5 * (toward - 1.15)))
            if np.random.random() >= hazard * dt:
                continue
            jump = max(int(np.random.gamma(1.6, jump_ticks / 1.6)), 1)
            returns = np.random.random() < 0.5
            walk = 2 + int(np.random.exponential(11.0))
            if not returns:
                walk = min(walk, jump)
            own, other = side, 1 - side
            old = meta[BID] if own == 0 else meta[ASK]
            far = meta[ASK] if own == 0 else meta[BID]
            order = book.last[other, far]
            surplus = book.total[other, far] // 2
            while order >= 0 and surplus > 0:  # most of a queue that nobody wants to be in leaves by itself
                before = book.before[order]
                if book.size[order] > surplus:
                    _shrink(book, order, surplus)
                    surplus = 0
                elif book.first[other, far] != order:
                    surplus -= book.size[order]
                    meta[CANCELLED] += book.size[order]
                    _remove(book, order)
                order = before
            _take(book, sign, 1 << 50, ms, trades, hits, far + sign * walk)
            for other_side in range(2):
                part = 0.8 if other_side == side else 0.2
                fast[other_side] += 0.45 * part * 10.0
                slow[other_side] += 0.35 * part * 0.15
            if returns:  # the queue is there again before anybody sees it gone
                if other == 1:
                    meta[ASK] = min(meta[ASK], TICKS - 1)
                _fill_up(book, other, far, _target(-toward, noise[other], best_size), step, large)
                continue
            reached = far + sign * jump
            for tick in range(far, reached, sign):
                while book.first[other, tick] >= 0:
                    meta[CANCELLED] += book.size[book.first[other, tick]]
                    _remove(book, book.first[other, tick])
            if own == 0:
                meta[ASK] = max(meta[ASK], reached)
            else:
                meta[BID] = min(meta[BID], reached)
            _fill_up(book, other, reached, _target(-toward, noise[other], best_size), step, large)
            _fill_up(book, own, reached - sign, _target(toward, noise[own], best_size), step, large)
            order = book.first[own, old]
            while order >= 0:
                following = book.after[order]
                if book.owner[order] == TOUCH:
                    _cancel(book, order)
                order = following
            pressure -= 0.25 * sign
        bid = meta[BID]
        ask = meta[ASK]
        # queues at the touch: they close gaps, and follow their targets
        for side in range(2):
            sign = 1 if side == 0 else -1
            if ask - bid > 1 and np.random.random() < 0.5:
                tick = (ask - 1) if side == 0 else (bid + 1)
                if sign * pressure > 0:
                    _fill_up(book, side, tick, _target(sign * pressure, noise[side], best_size), step, large)
                    bid = meta[BID]
                    ask = meta[ASK]
            if np.random.random() < 9.0 * dt:
                tick = bid if side == 0 else ask
                target = _target(sign * pressure, noise[side], best_size)
                have = book.total[side, tick]
                if have < 0.9 * target:
                    _fill_up(book, side, tick, target, step, large)
                elif have > 1.1 * target:
                    order = book.last[side, tick]
                    surplus = int(have - target)
                    while order >= 0 and surplus > 0:
                        before = book.before[order]
                        if book.owner[order] == TOUCH:
                            if book.size[order] <= surplus and book.first[side, tick] != book.last[side, tick]:
                                surplus -= book.size[order]
                                _cancel(book, order)
                            elif book.size[order] > surplus:
                                _shrink(book, order, surplus)
                                surplus = 0
                        order = before
                else:
                    order = _add(
                        book, side, tick, int(np.exp(np.random.normal(-3.0, 1.2)) * LOT * best_size / 12) + 1, TOUCH
                    )
                    _end_after(book, order, step, int(np.random.exponential(0.3) / dt))
        # background: near the touch, and far away
        for _ in range(np.random.poisson(60.0 * background * dt)):
            side = int(np.random.random() < 0.5)
            sign = 1 if side == 0 else -1
            near = np.random.random()
            away = 1 + int(np.random.random() * 100) if near < 0.8 else 100 + int(np.random.exponential(500.0))
            tick = (bid if side == 0 else ask) - sign * away
            size = int(np.exp(np.random.normal(-3.25, 1.65)) * LOT * best_size / 12) + 1
            kind = np.random.random()
            mean = 0.05 if kind < 0.4 else 0.6 if kind < 0.72 else 29.0
            if near > 0.996:
                size = int(np.random.uniform(5, 40) * LOT * best_size / 12)
                mean = 29.0
            order = _add(book, side, tick, size, BACKGROUND)
            _end_after(book, order, step, int(np.random.exponential(mean) / dt))
        # makers
        for k in range(makers):
            for side in range(2):
                if 0 <= pending[k, side] <= step:
                    pending[k, side] = -1
                    touch = bid if side == 0 else ask
                    _quote(book, k, side, touch, offsets, sizes, shown, prices, habits[k, 5])
                    quoted_at[k, side] = touch
                if hits[k, side]:
                    hits[k, side] = False
                    if habits[k, 3] > 0 and pending[k, side] < 0:
                        _pull(book, k, side, prices)
                        pending[k, side] = step + int((0.3 + 1.2 * np.random.random()) / dt)
            if pending[k, 0] >= 0 or pending[k, 1] >= 0:
                continue
            moved = abs(bid - quoted_at[k, 0]) >= habits[k, 0] or abs(ask - quoted_at[k, 1]) >= habits[k, 0]
            timed = step >= next_timer[k]
            if timed:
                next_timer[k] = step + int(np.random.exponential(habits[k, 1]) / dt) + 50
            if timed or (moved and np.random.random() < 0.1):
                if np.random.random() >= habits[k, 4]:  # an order follows the price
                    side = int(np.random.random() * 2)
                    order = book.slots[(k * 2 + side) * PRICES + int(np.random.random() * prices[k])]
                    if order >= 0:
                        _cancel(book, order)
                    pending[k, side] = step + int(np.random.random() * 0.03 / dt)
                    continue
                skewed = int(np.random.random() * 2) if np.random.random() < habits[k, 2] else -1
                for side in range(2):
                    if skewed >= 0 and side != skewed:
                        quoted_at[k, side] = bid if side == 0 else ask
                        continue
                    _pull(book, k, side, prices)
                    pending[k, side] = step + int(np.random.random() * 0.1 / dt)
        # publication
        if step < next_publication:
            continue
        next_publication = step + int((44.0 + np.random.gamma(4.0, 2.2)) / STEP_MS)
        if step >= next_reset:
            lost_until = step + int((0.3 + 1.7 * np.random.random()) / dt)
            next_reset = step + int(np.random.exponential(3600 / resets) / dt)
        flags = SNAPSHOT | CLEAR if n_messages == 0 else 0
        if lost_until >= 0:
            if step < lost_until:
                for i in range(meta[N_TOUCHED]):
                    book.dirty[book.touched[i, 0], book.touched[i, 1]] = False
                meta[N_TOUCHED] = 0
                continue
            lost_until = -1
            flags = SNAPSHOT | CLEAR
        if flags:
            for side in range(2):
                for tick in range(TICKS):
                    if book.total[side, tick] > 0 and n_rows < len(rows):
                        rows[n_rows, 0] = 1 - 2 * side
                        rows[n_rows, 1] = tick
                        rows[n_rows, 2] = book.total[side, tick]
                        n_rows += 1
            meta[UPDATE] += 1
        for i in range(meta[N_TOUCHED]):
            side = book.touched[i, 0]
            tick = book.touched[i, 1]
            book.dirty[side, tick] = False
            if not flags and n_rows < len(rows):
                rows[n_rows, 0] = 1 - 2 * side
                rows[n_rows, 1] = tick
                rows[n_rows, 2] = book.total[side, tick]
                n_rows += 1
        meta[N_TOUCHED] = 0
        meta[UPDATE] += 1
        messages[n_messages, 0] = ms
        messages[n_messages, 1] = n_rows
        messages[n_messages, 2] = flags
        messages[n_messages, 3] = first_id
        messages[n_messages, 4] = meta[UPDATE]
        first_id = meta[UPDATE] + 1
        n_messages += 1
    return n_rows, n_messages
