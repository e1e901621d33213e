"""A simulated market: order flow, queues and ladders around an efficient price, with a planted signal.

Here: the market itself, in ticks and lots, as one compiled loop; what it gives is level changes, trades and snapshots.
Not here: the frames that a venue sends (`ml.simulation.publish`), the strength of the signal (`ml.simulation.plants`).

Ingredients: market orders as a two-sided Hawkes process (Bacry, Mastromatteo, Muzy 2015) that leans towards the
efficient price; a touch whose queues grow when short and shrink when long (Huang, Lehalle, Rosenbaum 2015); market
makers who keep a ladder of 24 levels per side. Rates are chosen for about 60 level updates and 1.5 trades per second,
and a standard deviation of 8 ticks over 10 s; they mimic no particular instrument.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml.market.book.compiled import plain
from ml.simulation.plants import SIDE_SWITCH, TO_FLAT, TO_STEEP, Alpha

STEP_MS = 50
PUBLISH_STEPS = 5
SNAPSHOT_STEPS = 60_000 // STEP_MS
DEPTH = 24
START_TICK = 30_000
TICKS = 2 * START_TICK
VOLATILITY = 2.5
"""Of the efficient price, ticks per square-root second."""
QUEUE = 4_000.0
"""Typical size of a level, in lots."""
HAWKES_BASE = 0.30
HAWKES_SELF = 0.45
HAWKES_CROSS = 0.10
HAWKES_DECAY = 1.2


@dataclass(frozen=True)
class Market:
    """One simulated interval of market: seed, length in seconds, and the planted signal."""

    seed: int
    seconds: int
    alpha: Alpha


class History(NamedTuple):
    """What happened; times are ms from the start, sides +1 bid or buy, -1 ask or sell.

    `levels` i64 (n, 4): publication, side, tick, size in lots of the levels that changed by then. `trades` i64 (n, 4):
    ms, aggressor, tick, size. `snapshots` i64 (n, 4): number of the snapshot, side, tick, size. `ids` i64
    (publications, 2): first and last update id. `snapshot_ids` i64 (n, 2): ms, update id. `signal` i8: s at each
    whole second.
    """

    levels: np.ndarray
    trades: np.ndarray
    snapshots: np.ndarray
    ids: np.ndarray
    snapshot_ids: np.ndarray
    signal: np.ndarray


def simulate(market: Market) -> History:
    """Run the market; the same seed gives the same history."""
    steps = market.seconds * 1000 // STEP_MS
    room = market.seconds * 160 + 4_000
    levels = np.empty((room, 4), np.int64)
    trades = np.empty((market.seconds * 20 + 4_000, 4), np.int64)
    minutes = steps // SNAPSHOT_STEPS + 1
    snapshots = np.empty((minutes * 2 * (2 * DEPTH + 8), 4), np.int64)
    snapshot_ids = np.empty((minutes, 2), np.int64)
    ids = np.empty((steps // PUBLISH_STEPS, 2), np.int64)
    signal = np.empty(market.seconds, np.int8)
    n_levels, n_trades, n_snapshot_rows, n_snapshots = _simulate(
        market.seed, steps, market.alpha.drift, levels, trades, snapshots, snapshot_ids, ids, signal
    )
    return History(
        levels[:n_levels], trades[:n_trades], snapshots[:n_snapshot_rows], ids, snapshot_ids[:n_snapshots], signal
    )


@plain
def _simulate(seed, steps, drift, levels, trades, snapshots, snapshot_ids, ids, signal):  # type: ignore[no-untyped-def]  # noqa: C901
    """The loop. One function, because every part touches the same few variables each 50 ms."""
    np.random.seed(seed)
    dt = STEP_MS / 1000
    book = np.zeros((2, TICKS), np.int64)
    dirty = np.zeros((2, TICKS), np.bool_)
    touched = np.empty((4_096, 2), np.int64)
    n_touched = n_levels = n_trades = n_rows = n_snapshots = 0
    update = first = 1
    fair = START_TICK + 0.5
    sparse = 1
    flat = True
    excited = np.zeros(2)
    bid = START_TICK
    ask = START_TICK + 1
    laid = False
    for step in range(steps):
        # the hidden state
        turned = not laid
        if np.random.random() < SIDE_SWITCH * dt:
            sparse = -sparse
            turned = True
        if np.random.random() < (TO_STEEP if flat else TO_FLAT) * dt:
            flat = not flat
            turned = True
        s = sparse if flat else -sparse
        if step * STEP_MS % 1000 == 0:
            signal[step * STEP_MS // 1000] = s
        fair += VOLATILITY * (drift * s * dt + np.sqrt(dt) * np.random.normal())
        lean = min(max(fair - (bid + ask) / 2, -3.0), 3.0)
        # market orders: they excite each other, and lean towards the efficient price
        for side in range(2):
            sign = 1 if side == 0 else -1
            intensity = (HAWKES_BASE + excited[side]) * np.exp(0.5 * sign * lean)
            excited[side] *= 1 - HAWKES_DECAY * dt
            if np.random.random() >= intensity * dt or not laid:
                continue  # nothing rests yet that an order could meet
            excited[side] += HAWKES_SELF * HAWKES_DECAY
            excited[1 - side] += HAWKES_CROSS * HAWKES_DECAY
            left = max(int(np.exp(np.random.normal(6.2, 1.3))), 1)
            other = 1 - side
            tick = ask if side == 0 else bid
            when = step * STEP_MS + int(np.random.random() * STEP_MS)
            for _ in range(3):
                while book[other, tick] == 0:
                    tick += sign
                taken = min(left, book[other, tick])
                trades[n_trades, 0] = when
                trades[n_trades, 1] = sign
                trades[n_trades, 2] = tick
                trades[n_trades, 3] = taken
                n_trades += 1
                book[other, tick] -= taken
                left -= taken
                update += 1
                if not dirty[other, tick]:
                    dirty[other, tick] = True
                    touched[n_touched, 0] = other
                    touched[n_touched, 1] = tick
                    n_touched += 1
                if left == 0:
                    break
        # quotes: the touch follows the efficient price, the ladders follow the hidden state
        while book[0, bid] == 0 and bid > fair - DEPTH:
            bid -= 1
        while book[1, ask] == 0 and ask < fair + DEPTH:
            ask += 1
        want_bid = int(np.floor(fair - 0.2))
        want_ask = int(np.floor(fair - 0.2)) + 1
        for side in range(2):
            sign = 1 if side == 0 else -1
            touch = want_bid if side == 0 else want_ask
            for k in range(-4, DEPTH + 6):
                tick = touch - sign * k
                size = book[side, tick]
                new = size
                inside = k < 0
                hole = k > 0 and sparse == -sign and tick % 2 == 1
                level = (k + 1) // 2 if sparse == -sign else k
                profile = 1.0 if flat else 1.8 / (1 + 0.18 * level)
                if inside or hole or k >= DEPTH + 3:
                    # makers withdraw from prices that the efficient price has passed, and from holes and the far end
                    if size > 0 and (turned or inside or k >= DEPTH + 3 or np.random.random() < 4 * dt):
                        new = 0
                elif k >= DEPTH:
                    continue
                elif size == 0 or turned:
                    if turned or np.random.random() < (20 if k < 2 else 4) * dt:
                        new = max(int(QUEUE * profile * np.exp(np.random.normal(0, 0.4))), 1)
                elif k == 0:
                    # the queue at the touch: short ones grow, long ones shrink, against the lean of the price
                    ratio = size / QUEUE
                    if np.random.random() < 3.0 * dt / (0.5 + ratio):
                        new = size + max(int(QUEUE * 0.3 * np.random.exponential(1.0)), 1)
                    if np.random.random() < 2.0 * dt * ratio:
                        new = max(new - int(QUEUE * 0.3 * np.random.exponential(1.0)), 1)
                elif np.random.random() < 1.25 * dt:
                    new = max(int(QUEUE * profile * np.exp(np.random.normal(0, 0.4))), 1)
                if new != size:
                    book[side, tick] = new
                    update += 1
                    if not dirty[side, tick]:
                        dirty[side, tick] = True
                        touched[n_touched, 0] = side
                        touched[n_touched, 1] = tick
                        n_touched += 1
        laid = True
        bid = want_bid + 4
        ask = want_ask - 4
        while book[0, bid] == 0:
            bid -= 1
        while book[1, ask] == 0:
            ask += 1
        # a snapshot is taken between two publications, as a REST server does
        if step % SNAPSHOT_STEPS == 2:
            for side in range(2):
                for tick in range(want_bid - DEPTH - 8, want_ask + DEPTH + 8):
                    if book[side, tick] > 0:
                        row = snapshots[n_rows]
                        row[0] = n_snapshots
                        row[1] = 1 - 2 * side
                        row[2] = tick
                        row[3] = book[side, tick]
                        n_rows += 1
            snapshot_ids[n_snapshots, 0] = step * STEP_MS
            snapshot_ids[n_snapshots, 1] = update
            n_snapshots += 1
        if step % PUBLISH_STEPS == PUBLISH_STEPS - 1:
            publication = step // PUBLISH_STEPS
            for i in range(n_touched):
                side = touched[i, 0]
                tick = touched[i, 1]
                row = levels[n_levels]
                row[0] = publication
                row[1] = 1 - 2 * side
                row[2] = tick
                row[3] = book[side, tick]
                n_levels += 1
                dirty[side, tick] = False
            n_touched = 0
            update += 1
            ids[publication, 0] = first
            ids[publication, 1] = update
            first = update + 1
    return n_levels, n_trades, n_rows, n_snapshots
