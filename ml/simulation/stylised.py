"""Stylised facts of a stream of book events and trades: what a simulated market must share with a real one.

Here: measuring them, and the bands around those of BTCUSDT perpetual futures.
Not here: the market (`ml.simulation.exchange`).

Every fact is a number without a look at how the stream was made, so that recorded and simulated streams are measured
alike. Definitions follow Cont, Kukanov, Stoikov (2014) for order flow imbalance, Hill (1975) for the tail index, Bacry,
Mastromatteo, Muzy (2015) for the branching ratio 1 - 1 / sqrt(Fano factor).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.market.book import ladder
from ml.market.book.compiled import plain
from ml.market.book.layout import BookStream, TradeStream, constant
from ml.market.decode.events import CLEAR, SNAPSHOT, TIME

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
SHAPE_EVERY = 16
"""Messages between two looks at the whole book."""
NEAR = (0, 20, 100, 1000)
LEVELS = 20


@dataclass(frozen=True)
class Band:
    """A fact's reference value, and between which values a simulated market must lie.

    Args:
        fact: its name in `measure`.
        reference: of the recorded market.
        low: smallest value that is accepted.
        high: largest.
    """

    fact: str
    reference: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in the band."""
        return self.low <= value <= self.high


def _around(fact: str, reference: float) -> Band:
    """Half to double."""
    return Band(fact, reference, reference / 2, reference * 2)


def _near(fact: str, reference: float, distance: float = 0.1) -> Band:
    return Band(fact, reference, reference - distance, reference + distance)


BANDS = (
    Band("spread_one_tick", 0.9986, 0.98, 1.0),
    _around("best_size_median", 11.6),
    _around("best_size_p10", 1.4),
    _around("best_size_p90", 30.0),
    _around("level_2_20_mean", 0.25),
    _around("level_2_20_median", 0.04),
    _around("occupied_20", 7.6),
    Band("occupied_100", 57.0, 28.5, 100.0),
    _around("depth_10_levels", 17.7),
    _around("depth_100_ticks", 33.6),
    _around("depth_1000_ticks", 494.0),
    _around("interval_ms_p10", 46.0),
    _around("interval_ms_p50", 52.0),
    _around("interval_ms_p99", 73.0),
    _around("updates_per_second", 835.0),
    _around("orders_per_second", 7.6),
    _around("trades_per_order", 2.9),
    Band("order_size_ln_mean", -3.5, -3.5 - np.log(2), -3.5 + np.log(2)),
    _around("order_size_ln_sd", 2.08),
    Band("order_size_tail_index", 1.17, 0.585, 2.34),
    _around("walking_share", 0.11),
    _around("ticks_walked", 12.0),
    *(
        _around(f"sign_acf_{lag}", value)
        for lag, value in ((1, 0.25), (2, 0.24), (5, 0.14), (10, 0.13), (20, 0.10), (50, 0.06), (100, 0.07))
    ),
    _around("fano_100ms", 2.8),
    _around("fano_1s", 7.4),
    _around("fano_10s", 40.0),
    Band("branching_10s", 0.84, 0.75, 0.92),
    _around("added_per_second", 448.0),
    _around("cancelled_per_second", 425.0),
    _around("traded_per_second", 2.3),
    Band("cancelled_share", 0.995, 0.99, 1.0),
    Band("cancelled_share_touch", 0.91, 0.82, 0.96),
    _around("lifetime_s_p10", 0.052),
    _around("lifetime_s_p50", 0.57),
    _around("lifetime_s_p90", 15.0),
    _around("added_touch_q50", 0.1),
    _around("added_touch_q97", 24.0),
    _around("added_touch_q99", 40.0),
    _around("added_100_q50", 0.05),
    _around("added_100_q97", 1.4),
    _around("added_100_q99", 3.0),
    _around("added_1000_q50", 0.07),
    _around("added_1000_q97", 25.0),
    _around("added_1000_q99", 35.0),
    _around("decreases_on_both_sides", 0.44),
    Band("decreases_correlation", 0.88, 0.44, 1.0),
    _around("mid_changes_per_second", 0.52),
    *(_around(f"sigma_bps_{h}s", value) for h, value in ((1, 0.47), (10, 2.0), (30, 4.4), (60, 6.2))),
    Band("beyond_10_bps_10s", 0.0, 0.0, 0.02),
    _around("beyond_10_bps_30s", 0.04),
    _around("beyond_10_bps_60s", 0.18),
    _around("ofi_r2_100ms", 0.49),
    Band("ofi_r2_1s", 0.72, 0.36, 1.0),
    Band("ofi_r2_10s", 0.90, 0.45, 1.0),
    *(
        _near(f"imbalance_auc_{h}", v)
        for h, v in (("100ms", 0.99), ("500ms", 0.96), ("1s", 0.93), ("5s", 0.76), ("10s", 0.70))
    ),
    _around("kurtosis_100ms", 70.0),
    _around("kurtosis_1s", 19.0),
    _around("kurtosis_10s", 7.0),
)
"""BTCUSDT perpetual futures of Binance, 480 s of 19 July 2024. Half to double; areas under a curve within 0.1.

Changes of the mid price are counted between messages of the book; within messages there are four times as many."""


class Replayed(NamedTuple):
    """What the compiled replay notes.

    `touch` i64 (n, 4): best bid, its size, best ask, its size after each message. `flow` f64 (n, 6): decreases of
    bids, of asks, volume added, removed, removed at the touch, order flow imbalance of the best level. `added` f64
    (m, 2): distance in ticks and size of additions. `lives` f64: seconds that levels 20 to 100 ticks away existed.
    `shape` f64 (k, 2, 5 + LEVELS): occupied of the first 20 and 100 ticks, depth of 10 levels, 100 and 1 000 ticks,
    sizes by level.
    """

    touch: I64
    flow: F64
    added: F64
    lives: F64
    shape: F64


def measure(books: BookStream, trades: TradeStream, instrument: Instrument) -> dict[str, float]:
    """All facts of a stream, by name; sizes in base currency, times in seconds where the name says no other unit."""
    found = replay(books, instrument.tick)
    unit = 10.0**-instrument.size_decimals
    ts = np.maximum.accumulate(books.ts)
    good = (found.touch[:, 0] > 0) & (found.touch[:, 2] > found.touch[:, 0])
    first = int(np.flatnonzero(good)[0])
    ts = ts[first:]
    touch = found.touch[first:]
    flow = found.flow[first:]
    seconds = (ts[-1] - ts[0]) / SECOND
    within = (trades.ts >= ts[0]) & (trades.ts <= ts[-1])
    facts = _book_facts(ts, touch, flow, found, unit, instrument.tick)
    facts["updates_per_second"] = float(books.end[-1] - books.end[first]) / seconds
    inside = trades._replace(
        ts=trades.ts[within], side=trades.side[within], price=trades.price[within], size=trades.size[within]
    )
    facts |= _order_facts(inside, unit, instrument.tick)
    traded = float(trades.size[within].sum()) * unit
    removed, removed_touch = flow[1:, 3].sum() * unit, flow[1:, 4].sum() * unit
    facts["added_per_second"] = flow[1:, 2].sum() * unit / seconds
    facts["traded_per_second"] = traded / seconds
    facts["cancelled_per_second"] = (removed - traded) / seconds
    facts["cancelled_share"] = 1 - traded / removed
    facts["cancelled_share_touch"] = 1 - traded / removed_touch
    facts |= _price_facts(ts, touch, flow[:, 5])
    return {name: float(value) for name, value in facts.items()}


def compare(facts: dict[str, float]) -> list[tuple[Band, float, bool]]:
    """Each band with the value and whether it holds."""
    return [(band, facts[band.fact], band.holds(facts[band.fact])) for band in BANDS]


def replay(books: BookStream, tick: int) -> Replayed:
    """Replay the book events, see `Replayed`."""
    n = len(books.ts)
    rows = int(books.end[-1])
    touch = np.zeros((n, 4), np.int64)
    flow = np.zeros((n, 6))
    added = np.zeros((rows, 2))
    lives = np.zeros(rows)
    shape = np.zeros((n // SHAPE_EVERY + 1, 2, 5 + LEVELS))
    n_added, n_lives, n_shape = _replay(
        ladder.empty_book(),
        constant(books),
        tick,
        touch,
        flow,
        added,
        lives,
        shape,
        np.zeros((2, ladder.WINDOW), np.int64),
    )
    return Replayed(touch, flow, added[:n_added], lives[:n_lives], shape[:n_shape])


def _book_facts(ts: I64, touch: I64, flow: F64, found: Replayed, unit: float, tick: int) -> dict[str, float]:
    weights = np.diff(ts).astype(float)
    facts = {"spread_one_tick": float(np.average((touch[:-1, 2] - touch[:-1, 0]) == tick, weights=weights))}
    best = touch[:, [1, 3]].ravel() * unit
    for name, q in (("p10", 10), ("median", 50), ("p90", 90)):
        facts[f"best_size_{name}"] = float(np.percentile(best, q))
    shape = found.shape.reshape(-1, 5 + LEVELS)
    facts["occupied_20"], facts["occupied_100"] = shape[:, 0].mean(), shape[:, 1].mean()
    depth = shape[:, 2:5].mean(axis=0) * unit
    facts |= dict(zip(("depth_10_levels", "depth_100_ticks", "depth_1000_ticks"), depth.tolist(), strict=True))
    behind = shape[:, 6:] * unit
    facts["level_2_20_mean"] = behind.mean()
    facts["level_2_20_median"] = float(np.median(behind))
    step = np.diff(ts) / 1e6
    for q in (10, 50, 99):
        facts[f"interval_ms_p{q}"] = float(np.percentile(step, q))
    for q in (10, 50, 90):
        facts[f"lifetime_s_p{q}"] = float(np.percentile(found.lives, q))
    distance, size = found.added.T
    for name, low, high in (("touch", 0, 0), ("100", 21, 100), ("1000", 101, 1000)):
        sizes = size[(distance >= low) & (distance <= high)] * unit
        for q in (50, 97, 99):
            facts[f"added_{name}_q{q}"] = float(np.percentile(sizes, q)) if len(sizes) else np.nan
    downs = flow[1:, :2]
    facts["decreases_on_both_sides"] = float(np.mean((downs >= 3).all(1)))
    facts["decreases_correlation"] = float(np.corrcoef(downs[:, 0], downs[:, 1])[0, 1])
    return facts


def _order_facts(trades: TradeStream, unit: float, tick: int) -> dict[str, float]:
    """Of market orders: trades of one time and aggressor."""
    order = np.lexsort((trades.side, trades.ts))
    ts = trades.ts[order]
    price = trades.price[order]
    size = trades.size[order]
    side = trades.side[order].astype(np.int64)
    begins = np.flatnonzero(np.append(True, (np.diff(ts) != 0) | (np.diff(side) != 0)))
    count = len(begins)
    sizes = np.add.reduceat(size, begins) * unit
    walked = (np.maximum.reduceat(price, begins) - np.minimum.reduceat(price, begins)) // tick
    seconds = (ts[-1] - ts[0]) / SECOND
    logs = np.log(sizes)
    facts = {
        "orders_per_second": count / seconds,
        "trades_per_order": len(ts) / count,
        "order_size_ln_mean": logs.mean(),
        "order_size_ln_sd": logs.std(),
        "order_size_tail_index": _hill(sizes),
        "walking_share": float(np.mean(walked > 0)),
        "ticks_walked": float(walked[walked > 0].mean()) if np.any(walked > 0) else 0.0,
    }
    signs = side[begins].astype(float)
    signs -= signs.mean()
    for lag in (1, 2, 5, 10, 20, 50, 100):
        facts[f"sign_acf_{lag}"] = float((signs[lag:] * signs[:-lag]).mean() / signs.var())
    for name, width in (("100ms", 0.1), ("1s", 1.0), ("10s", 10.0)):
        counts = np.bincount(((ts[begins] - ts[0]) / (width * SECOND)).astype(np.int64))[:-1]
        facts[f"fano_{name}"] = counts.var() / counts.mean()
    facts["branching_10s"] = 1 - 1 / np.sqrt(facts["fano_10s"])
    return facts


def _hill(sizes: F64) -> float:
    """The tail index over the largest 2 to 5 percent, mean of both ends."""
    ordered = np.sort(sizes)[::-1]
    found: list[float] = []
    for share in (0.02, 0.05):
        k = max(int(len(ordered) * share), 2)
        found.append(float(1 / np.mean(np.log(ordered[:k] / ordered[k]))))
    return float(np.mean(found))


def _price_facts(ts: I64, touch: I64, imbalance: F64) -> dict[str, float]:
    """Of the mid price: a step function, read at a grid of 100 ms."""
    mid = (touch[:, 0] + touch[:, 2]) / 2
    seconds = (ts[-1] - ts[0]) / SECOND
    facts = {"mid_changes_per_second": float(np.count_nonzero(np.diff(mid))) / seconds}
    step = SECOND // 10
    grid = np.arange(ts[0], ts[-1] + 1, step)
    at = np.searchsorted(ts, grid, side="right") - 1
    logs = np.log(mid[at]) * 1e4
    flow = np.cumsum(imbalance)[at]
    for h in (1, 10, 30, 60):
        moves = logs[h * 10 :] - logs[: -h * 10]
        facts[f"sigma_bps_{h}s"] = float(moves.std())
        if h > 1:
            facts[f"beyond_10_bps_{h}s"] = float(np.mean(np.abs(moves) > 10))
    for name, h in (("100ms", 1), ("1s", 10), ("10s", 100)):
        moves = np.diff(logs[::h])
        facts[f"ofi_r2_{name}"] = float(np.corrcoef(moves, np.diff(flow[::h]))[0, 1] ** 2)
        every = logs[h:] - logs[:-h]
        centred = every - every.mean()
        facts[f"kurtosis_{name}"] = float((centred**4).mean() / (centred**2).mean() ** 2)
    share = touch[:, 1] / np.maximum(touch[:, 1] + touch[:, 3], 1)
    for name, h in (("100ms", 1), ("500ms", 5), ("1s", 10), ("5s", 50), ("10s", 100)):
        moves = logs[h:] - logs[:-h]
        facts[f"imbalance_auc_{name}"] = _auc(share[at][:-h], moves)
    return facts


def _auc(score: F64, move: F64) -> float:
    """Area under the curve of a score for the sign of a move; moves of zero do not count."""
    score, move = score[move != 0], move[move != 0]
    order = np.argsort(score, kind="stable")
    values, inverse, counts = np.unique(score[order], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    up = move[order] > 0
    ups, downs = up.sum(), (~up).sum()
    return float((ranks[up].sum() - ups * (ups + 1) / 2) / max(ups * downs, 1)) if len(values) else np.nan


@plain
def _replay(book, books, tick, touch, flow, added, lives, shape, born):  # type: ignore[no-untyped-def]  # noqa: C901
    """The replay. One function, because every part reads the book between two messages."""
    before = np.zeros(1 << 16, np.int64)
    anchored = False
    n_added = n_lives = n_shape = 0
    start = 0
    base = 0
    for k in range(len(books.ts)):
        end = books.end[k]
        flags = books.flags[k]
        if flags & CLEAR:
            ladder.clear(book, books.price[end - 1])
            anchored = (flags & SNAPSHOT) != 0
            born[:] = 0
        bid, ask = ladder.best(book, 0), ladder.best(book, 1)
        ladder.set_levels(book, books.side, books.price, books.size, start, end, before)
        base = book.head[ladder.BASE]
        ladder.settle(book)
        if book.head[ladder.BASE] != base:
            born[:] = 0
        ordinary = anchored and not flags & (CLEAR | TIME)
        now = books.ts[k]
        for r in range(start, end if ordinary else start):
            side = 0 if books.side[r] > 0 else 1
            old, new = before[r - start], books.size[r]
            best = ladder.best(book, side)
            away = ((best - books.price[r]) if side == 0 else (books.price[r] - best)) // tick
            if new > old:
                flow[k, 2] += new - old
                added[n_added, 0] = away
                added[n_added, 1] = new - old
                n_added += 1
            elif new < old:
                flow[k, side] += 1
                flow[k, 3] += old - new
                if (books.price[r] >= bid) if side == 0 else (books.price[r] <= ask):
                    flow[k, 4] += old - new
            index = books.price[r] - book.head[ladder.BASE]
            if 0 <= index < ladder.WINDOW:
                if old == 0 and new > 0:
                    born[side, index] = now if 20 <= away <= 100 else 0
                elif new == 0 and born[side, index] > 0:
                    lives[n_lives] = (now - born[side, index]) / 1e9
                    n_lives += 1
                    born[side, index] = 0
        for side in range(2):
            price = ladder.best(book, side)
            index = price - book.head[ladder.BASE]
            touch[k, 2 * side] = price
            if 0 <= index < ladder.WINDOW:
                touch[k, 2 * side + 1] = book.dense[side, index]
        if k > 0 and ordinary:
            old, new = touch[k - 1], touch[k]
            flow[k, 5] = (new[1] if new[0] >= old[0] else 0) - (old[1] if new[0] <= old[0] else 0)
            flow[k, 5] -= (new[3] if new[2] <= old[2] else 0) - (old[3] if new[2] >= old[2] else 0)
        if k % SHAPE_EVERY == 0 and ordinary and touch[k, 0] > 0 and touch[k, 2] > 0:
            for side in range(2):
                row = shape[n_shape, side]
                level = 0
                for away in range(1001):
                    index = touch[k, 2 * side] - book.head[ladder.BASE] + (away if side == 1 else -away) * tick
                    size = book.dense[side, index] if 0 <= index < ladder.WINDOW else 0
                    if size == 0:
                        continue
                    row[0] += away < 20
                    row[1] += away < 100
                    row[2] += size if level < 10 else 0
                    row[3] += size if away < 100 else 0
                    row[4] += size
                    if level < LEVELS:
                        row[5 + level] = size
                    level += 1
            n_shape += 1
        start = end
    return n_added, n_lives, n_shape
