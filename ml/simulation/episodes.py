"""Layering episodes and what looks like them: which orders are placed, moved, filled and pulled, and when.

Here: the variants, the ranges of their parameters, and one episode drawn against a market's best prices.
Not here: adding an episode to streams of events (`ml.simulation.overlay`) or to capture files
(`ml.simulation.plant_files`).

Layering is several large orders on one side, away from the touch, that are cancelled after a small order on the other
side was filled (Commission Delegated Regulation (EU) 2016/522, annex II, section 1, 5(e)). Hard negatives are
legitimate orders with part of that shape.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import SettingsError
from ml.core.time import SECOND

I64 = NDArray[np.int64]
Pieces = tuple[tuple[float, float], ...]
"""Intervals from which a parameter is drawn, each as likely as another; equal ends are a single value."""
M_GRID = (0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Sizes of a layer, in typical best sizes, at which recall is measured."""
JITTER = 0.15
"""Standard deviation of the logarithm of a layer's size around m."""
WIDE_JITTER = 0.5
LADDER_LEVELS = 5


@dataclass(frozen=True)
class Ranges:
    """From what the parameters of an episode are drawn.

    Args:
        m: size of a layer in typical best sizes.
        layers: how many prices.
        first_bps: distance of the nearest layer from the touch, in bps.
        step_bps: distance between layers, in bps.
        placing_s: time over which the layers are placed, in seconds.
        rest_s: time between the last placement and the first pull, in seconds.
        pull_s: time over which the layers are pulled, in seconds.
        fill_before_s: time by which the genuine order's fill precedes the first pull, in seconds.
        slow_pull_s: `pull_s` of the variant `staggered`.
        brief_rest_s: `rest_s` of the variant `sub_second`.
        requote_s: time between two quotations of a ladder, in seconds.
    """

    m: Pieces = tuple((m, m) for m in M_GRID)
    layers: Pieces = ((3, 3), (4, 4), (5, 5), (6, 6))
    first_bps: Pieces = ((1.5, 6.0),)
    step_bps: Pieces = ((0.2, 1.2),)
    placing_s: Pieces = ((0.1, 2.5),)
    rest_s: Pieces = ((1.5, 12.0),)
    pull_s: Pieces = ((0.02, 0.3),)
    fill_before_s: Pieces = ((0.05, 0.8),)
    slow_pull_s: Pieces = ((1.0, 5.0),)
    brief_rest_s: Pieces = ((0.1, 0.4),)
    requote_s: Pieces = ((1.0, 5.0),)

    def overlap(self, other: "Ranges") -> list[str]:
        """Names of the parameters of which both may draw the same value."""
        return common(self, other)


def common(one: Any, other: Any) -> list[str]:
    """Names of the parameters of two dataclasses of intervals of which both may draw the same value."""
    names = [part.name for part in fields(one)]
    return [name for name in names if _meet(getattr(one, name), getattr(other, name))]


def draw_from(rng: np.random.Generator, pieces: Pieces) -> float:
    """A value from intervals."""
    low, high = pieces[int(rng.integers(len(pieces)))]
    return float(rng.uniform(low, high))


def _meet(one: Pieces, other: Pieces) -> bool:
    return any((a < d and c < b) or a == c for a, b in one for c, d in other)


class Tape(NamedTuple):
    """What an episode is drawn against: best prices and sizes after each message, and trades.

    `ts` i64 ns UTC; `price`, `size` i64 (2, n): best of bid, ask, in units; 0 where a side is empty. `worst` i64
    (2, n): the farthest displayed price. `known` bool (n): the message is an ordinary change of a known book.
    `trade_ts`, `trade_price` i64, by time. `lot`, `tick` in units.
    """

    ts: I64
    price: I64
    size: I64
    worst: I64
    known: NDArray[np.bool_]
    trade_ts: I64
    trade_price: I64
    tick: int
    lot: int

    def at(self, ts: int) -> int:
        """The last message at or before a time; -1 before the first."""
        return int(np.searchsorted(self.ts, ts, side="right")) - 1

    def touch(self, side: int, ts: int) -> int:
        """The best price of a side (1 bid, -1 ask) at a time."""
        return int(self.price[0 if side > 0 else 1, self.at(ts)])

    def span(self, start: int, end: int) -> slice:
        """The messages whose book stands at some time within [start, end]."""
        return slice(max(self.at(start), 0), self.at(end) + 1)


class Change(NamedTuple):
    """A displayed order that appears, or less of it: ns UTC, side (1 bid, -1 ask), price and signed size in units."""

    ts: int
    side: int
    price: int
    size: int


class PlantedTrade(NamedTuple):
    """A trade: ns UTC, aggressor (1 buy, -1 sell), price and size in units."""

    ts: int
    side: int
    price: int
    size: int


@dataclass
class Episode:
    """One episode: what happened, and what was placed where.

    Args:
        variant: its name in `VARIANTS`.
        side: of the layers, 1 bid or -1 ask.
        m: size of a layer in typical best sizes.
        prices: of the layers when the first was pulled, in units.
        sizes: of the layers, in units.
        start: first placement, ns UTC.
        first_pull: first removal of a layer, ns UTC.
        last_pull: last removal of a layer, ns UTC.
        changes: of displayed orders.
        trades: trades that belong to it.
        reset: time at which the feed is lost and starts over, ns UTC; None where it is not.
    """

    variant: str
    side: int
    m: float
    prices: list[int]
    sizes: list[int]
    start: int
    first_pull: int = 0
    last_pull: int = 0
    changes: list[Change] = field(default_factory=list[Change])
    trades: list[PlantedTrade] = field(default_factory=list[PlantedTrade])
    reset: int | None = None

    @property
    def label(self) -> int:
        """1 for layering, 0 for what only looks like it."""
        return int(self.variant in LAYERING)

    @property
    def end(self) -> int:
        """The last thing that happens, ns UTC."""
        return max(
            [self.last_pull, self.reset or 0, *(c.ts for c in self.changes), *(trade.ts for trade in self.trades)]
        )

    def rest(self, side: int, price: int, size: int, start: int, end: int) -> None:
        """An order that is displayed from one time to another."""
        self.changes += [Change(start, side, price, size), Change(end, side, price, -size)]


class _Draw:
    """One episode being drawn: its random numbers, parameters and market."""

    def __init__(self, rng: np.random.Generator, ranges: Ranges, tape: Tape, start: int, m: float | None) -> None:
        self.rng = rng
        self.ranges = ranges
        self.tape = tape
        self.start = start
        self.side = 1 if rng.random() < 0.5 else -1
        self.m = self.one(ranges.m) if m is None else m
        self.layers = round(self.one(ranges.layers))
        self.first = self.one(ranges.first_bps)
        self.step = self.one(ranges.step_bps)
        self.placing = self.one(ranges.placing_s)
        self.rest = self.one(ranges.rest_s)
        self.pull = self.one(ranges.pull_s)
        self.fill_before = self.one(ranges.fill_before_s)
        self.jitter = JITTER
        self.scale = typical_size(tape, start)

    def one(self, pieces: Pieces) -> float:
        """A value from intervals."""
        return draw_from(self.rng, pieces)

    def seconds(self, low: float, high: float) -> int:
        """A time span in ns."""
        return int(self.rng.uniform(low, high) * SECOND)

    def times(self, start: int, seconds: float, count: int) -> list[int]:
        """Times within a span, ascending; the first is its start."""
        rest = np.sort(self.rng.uniform(0, seconds * SECOND, count - 1)).astype(np.int64).tolist()
        return [start, *(start + later for later in rest)]

    def sizes(self, count: int, factor: float = 1.0) -> list[int]:
        """Sizes of layers."""
        drawn = self.m * factor * self.scale * self.rng.lognormal(0.0, self.jitter, count)
        lot = self.tape.lot
        return [max(round(size / lot), 1) * lot for size in drawn.tolist()]

    def ladder(self, side: int, count: int) -> list[int]:
        """Prices of layers, nearest first, all of them within what is displayed now."""
        touch = self.tape.touch(side, self.start)
        k = self.tape.at(self.start)
        reach = 0.8 * abs(touch - int(self.tape.worst[0 if side > 0 else 1, k]))
        offsets = touch * (self.first + self.step * np.arange(count)) / 1e4
        offsets *= min(1.0, reach / max(offsets[-1], 1.0))
        ticks = np.maximum(np.round(offsets / self.tape.tick), np.arange(1, count + 1)).astype(int)
        ticks = np.maximum.accumulate(ticks - np.arange(count)) + np.arange(count)  # no two at one price
        return [touch - side * tick * self.tape.tick for tick in ticks.tolist()]

    def place(self, variant: str, count: int | None = None, factor: float = 1.0) -> tuple[Episode, list[int]]:
        """An episode whose layers have prices and sizes, and when each is placed."""
        count = count or self.layers
        placed = self.times(self.start, self.placing, count)
        self.rng.shuffle(placed)
        episode = Episode(
            variant, self.side, self.m, self.ladder(self.side, count), self.sizes(count, factor), self.start
        )
        return episode, placed

    def pulls(self, placed: list[int]) -> list[int]:
        """When each layer is pulled."""
        first = max(placed) + int(self.rest * SECOND)
        times = self.times(first, self.pull, len(placed))
        self.rng.shuffle(times)
        return times

    def fill(self, episode: Episode, ts: int, side: int) -> None:
        """A small order that rested at the best price of a side and is filled at a time."""
        tape = self.tape
        price = tape.touch(side, ts)
        size = max(round(self.rng.uniform(0.05, 0.4) * self.scale / tape.lot), 1) * tape.lot
        placed = max(ts - self.seconds(0.1, 0.6), episode.start)
        row = 0 if side > 0 else 1
        if np.all(tape.price[row, tape.span(placed, ts)] == price):
            episode.rest(side, price, size, placed, ts)  # else it came and went within one message
        episode.trades.append(PlantedTrade(ts, -side, price, size))


def _layering(draw: _Draw, variant: str, count: int | None = None, factor: float = 1.0) -> Episode:
    episode, placed = draw.place(variant, count, factor)
    pulled = draw.pulls(placed)
    for layer in zip(episode.prices, episode.sizes, placed, pulled, strict=True):
        episode.rest(draw.side, *layer)
    episode.first_pull = min(pulled)
    episode.last_pull = max(pulled)
    filled = max(episode.first_pull - int(draw.fill_before * SECOND), max(placed))
    draw.fill(episode, filled, -draw.side)
    return episode


def _simultaneous(draw: _Draw) -> Episode:
    return _layering(draw, "simultaneous")


def _staggered(draw: _Draw) -> Episode:
    draw.pull = draw.one(draw.ranges.slow_pull_s)
    return _layering(draw, "staggered")


def _jittered(draw: _Draw) -> Episode:
    draw.jitter = WIDE_JITTER
    return _layering(draw, "jittered")


def _sub_second(draw: _Draw) -> Episode:
    draw.placing = draw.rng.uniform(0.0, 0.03)
    draw.rest = draw.one(draw.ranges.brief_rest_s)
    draw.pull = draw.rng.uniform(0.0, 0.02)
    draw.fill_before = draw.rng.uniform(0.0, draw.rest)
    return _layering(draw, "sub_second")


def _two_layers(draw: _Draw) -> Episode:
    return _layering(draw, "two_layers", 2)


def _single_wall(draw: _Draw) -> Episode:
    """One order of the volume of all layers."""
    return _layering(draw, "single_wall", 1, factor=draw.layers)


def _moving(draw: _Draw) -> Episode | None:
    """Layers that keep their distance from the touch; None where the touch does not move."""
    episode, placed = draw.place("moving")
    tape = draw.tape
    pulled = draw.pulls(placed)
    first = min(pulled)
    reference = tape.touch(draw.side, draw.start)
    standing = placed
    ts = max(placed) + draw.seconds(0.05, 0.3)
    moved = False
    while ts + SECOND // 5 < first:
        touch = tape.touch(draw.side, ts)
        if touch != reference:
            again = ts + draw.seconds(0.0, 0.1)
            for price, size, since in zip(episode.prices, episode.sizes, standing, strict=True):
                episode.rest(draw.side, price, size, since, ts)
            episode.prices = [price + touch - reference for price in episode.prices]
            standing = [again] * len(placed)
            reference = touch
            moved = True
        ts += draw.seconds(0.15, 0.6)
    for layer in zip(episode.prices, episode.sizes, standing, pulled, strict=True):
        episode.rest(draw.side, *layer)
    episode.first_pull = first
    episode.last_pull = max(pulled)
    draw.fill(episode, max(first - int(draw.fill_before * SECOND), max(placed)), -draw.side)
    return episode if moved else None


def _both_sides(draw: _Draw) -> Episode:
    """Decoys of a third to two thirds of the size on the other side, pulled about the same time."""
    episode = _layering(draw, "both_sides")
    count = len(episode.prices)
    # all of them stand before the first is pulled
    placing = min(draw.placing, (episode.first_pull - draw.start) / SECOND - 0.3)
    decoys = zip(
        draw.ladder(-draw.side, count),
        draw.sizes(count, draw.rng.uniform(0.33, 0.67)),
        draw.times(draw.start, placing, count),
        draw.times(episode.first_pull + draw.seconds(-0.2, 0.8), draw.pull, count),
        strict=True,
    )
    for decoy in decoys:
        episode.rest(-draw.side, *decoy)
    return episode


def _quotes(draw: _Draw, variant: str) -> tuple[Episode, dict[int, list[int]], list[int], int]:
    """A maker's ladders on both sides, placed at once: the episode, prices by side, sizes, and when all stand."""
    draw.jitter = 0.05
    count = LADDER_LEVELS
    episode, placed = draw.place(variant, count)
    prices = {draw.side: episode.prices, -draw.side: draw.ladder(-draw.side, count)}
    return episode, prices, episode.sizes, max(placed)


def _fade(draw: _Draw, start: int, count: int) -> list[int]:
    """Times at which the orders of a ladder go one by one."""
    return draw.times(start + draw.seconds(2.0, 5.0), draw.rng.uniform(6.0, 12.0), count)


def _requote(draw: _Draw, variant: str, sides: tuple[int, ...]) -> Episode:
    """A ladder that is cancelled and placed again, shifted, at the same sizes, some times; then it goes bit by bit."""
    episode, prices, sizes, standing = _quotes(draw, variant)
    count = len(sizes)
    begun: dict[int, int] = {1: draw.start, -1: draw.start}
    episode.first_pull = episode.last_pull = standing + int(draw.one(draw.ranges.requote_s) * SECOND)
    ts = episode.first_pull
    for turn in range(int(draw.rng.integers(1, 4))):
        shift = int(draw.rng.integers(1, 6)) * draw.tape.tick * (-draw.side if turn % 2 == 0 else draw.side)
        again = ts + draw.seconds(0.0, 0.1)
        for side in sides:
            for price, size in zip(prices[side], sizes, strict=True):
                episode.rest(side, price, size, begun[side], ts)
            prices[side] = [price + shift for price in prices[side]]
            begun[side] = again
        episode.last_pull = ts
        ts += int(draw.one(draw.ranges.requote_s) * SECOND)
    for side in (1, -1):
        for price, size, end in zip(prices[side], sizes, _fade(draw, ts, count), strict=True):
            episode.rest(side, price, size, begun[side], end)
    return episode


def _ladder_requote(draw: _Draw) -> Episode:
    return _requote(draw, "ladder_requote", (1, -1))


def _inventory_skew(draw: _Draw) -> Episode:
    return _requote(draw, "inventory_skew", (draw.side,))


def _pull_after_fill(draw: _Draw) -> Episode:
    """A maker whose order at the touch is hit pulls the rest of that side, and quotes it again farther away."""
    episode, prices, sizes, standing = _quotes(draw, "pull_after_fill")
    count = len(sizes)
    hit = standing + int(draw.rest * SECOND)
    draw.fill(episode, hit, draw.side)
    pulled = draw.times(hit + draw.seconds(0.005, 0.2), draw.pull, count)
    again = max(pulled) + draw.seconds(0.2, 1.5)
    shift = int(draw.rng.integers(2, 8)) * draw.tape.tick * -draw.side
    gone = _fade(draw, again, count)
    for price, size, ts, end in zip(prices[draw.side], sizes, pulled, gone, strict=True):
        episode.rest(draw.side, price, size, draw.start, ts)
        episode.rest(draw.side, price + shift, size, again, end)
    for price, size, end in zip(prices[-draw.side], sizes, _fade(draw, again, count), strict=True):
        episode.rest(-draw.side, price, size, draw.start, end)
    episode.first_pull = min(pulled)
    episode.last_pull = max(pulled)
    return episode


def _iceberg(draw: _Draw) -> Episode | None:
    """An order at the touch that shows again what was filled; None where the touch moves meanwhile."""
    tape = draw.tape
    price = tape.touch(draw.side, draw.start)
    cycles = int(draw.rng.integers(3, 7))
    episode = Episode("iceberg", draw.side, draw.m, [price], draw.sizes(1), draw.start)
    ts = draw.start
    for _ in range(cycles):
        filled = ts + draw.seconds(0.2, 1.2)
        episode.rest(draw.side, price, episode.sizes[0], ts, filled)
        episode.trades.append(PlantedTrade(filled, -draw.side, price, episode.sizes[0]))
        episode.first_pull = episode.first_pull or filled
        episode.last_pull = filled
        ts = filled + draw.seconds(0.0, 0.06)
    row = 0 if draw.side > 0 else 1
    steady = np.all(tape.price[row, tape.span(draw.start, ts)] == price)
    return episode if steady else None


def _accumulation(draw: _Draw) -> Episode | None:
    """Layers that are meant, and filled when the price comes; None where it does not come within 20 s."""
    tape = draw.tape
    row = 0 if draw.side > 0 else 1
    touch = tape.touch(draw.side, draw.start)
    ahead = tape.span(draw.start, draw.start + 20 * SECOND)
    depth = (touch - tape.price[row, ahead]) * draw.side
    reached = int(depth.max()) // tape.tick
    count = min(draw.layers, reached - 1)
    if count < 2:
        return None
    ticks = np.sort(draw.rng.choice(np.arange(1, reached), count, replace=False))
    prices = [touch - draw.side * int(tick) * tape.tick for tick in ticks]
    episode = Episode("accumulation", draw.side, draw.m, prices, draw.sizes(count), draw.start)
    placed = draw.times(draw.start, min(draw.placing, 0.5), count)
    for price, size, since in zip(prices, episode.sizes, placed, strict=True):
        passed = ahead.start + int(np.flatnonzero(depth > (touch - price) * draw.side)[0])
        filled = int(tape.ts[passed])
        if filled <= since:
            return None
        episode.rest(draw.side, price, size, since, filled)
        episode.trades.append(PlantedTrade(filled, -draw.side, price, size))
        episode.first_pull = min(episode.first_pull or filled, filled)
        episode.last_pull = max(episode.last_pull, filled)
    return episode


def _feed_reset(draw: _Draw) -> Episode:
    """Layers that are gone after the feed was lost: nobody saw what became of them."""
    episode, placed = draw.place("feed_reset")
    lost = max(placed) + int(draw.rest * SECOND)
    for price, size, since in zip(episode.prices, episode.sizes, placed, strict=True):
        episode.rest(draw.side, price, size, since, lost)
    episode.first_pull = episode.last_pull = episode.reset = lost
    return episode


LAYERING: dict[str, Callable[[_Draw], Episode | None]] = {
    "simultaneous": _simultaneous,
    "staggered": _staggered,
    "jittered": _jittered,
    "moving": _moving,
    "sub_second": _sub_second,
    "two_layers": _two_layers,
    "single_wall": _single_wall,
    "both_sides": _both_sides,
}
HARD_NEGATIVES: dict[str, Callable[[_Draw], Episode | None]] = {
    "pull_after_fill": _pull_after_fill,
    "ladder_requote": _ladder_requote,
    "iceberg": _iceberg,
    "accumulation": _accumulation,
    "inventory_skew": _inventory_skew,
    "feed_reset": _feed_reset,
}
VARIANTS = LAYERING | HARD_NEGATIVES
PASSED_THROUGH = ("accumulation", "iceberg")
"""Variants whose orders are meant to trade."""


def draw_episode(
    rng: np.random.Generator, variant: str, ranges: Ranges, tape: Tape, start: int, m: float | None = None
) -> Episode | None:
    """An episode that begins at a time; None where the market then does not allow it.

    It needs a known book from `start` to its end, and a price that does not trade through its orders.

    Args:
        rng: all of its random numbers.
        variant: one of `VARIANTS`.
        ranges: of its parameters.
        tape: the market.
        start: ns UTC.
        m: size of a layer in typical best sizes; drawn where None.

    Raises:
        SettingsError: no such variant.
    """
    if variant not in VARIANTS:
        raise SettingsError(f"There is no variant {variant}. Choose one of {', '.join(VARIANTS)}.")
    if not _is_known(tape, start, start + SECOND):
        return None
    episode = VARIANTS[variant](_Draw(rng, ranges, tape, start, m))
    if episode is None or not _is_known(tape, start - SECOND, episode.end + SECOND):
        return None
    through = episode.variant not in PASSED_THROUGH and _is_traded_through(episode, tape)
    return None if through else episode


def typical_size(tape: Tape, ts: int, trailing_s: int = 1800) -> float:
    """Median best size of both sides over the trailing 30 minutes, in units."""
    span = tape.span(ts - trailing_s * SECOND, ts)
    step = max((span.stop - span.start) // 4_000, 1)
    return float(np.median(tape.size[:, span.start : span.stop : step]))


def _is_known(tape: Tape, start: int, end: int) -> bool:
    """Whether ordinary changes of a known book span a time."""
    if len(tape.ts) == 0 or start < tape.ts[0] or end > tape.ts[-1]:
        return False
    return bool(tape.known[tape.span(start, end)].all())


def _is_traded_through(episode: Episode, tape: Tape) -> bool:
    """Whether a price was reached at which the episode has an order."""
    for side in (1, -1):
        row = 0 if side > 0 else 1
        for change in episode.changes:
            if change.side != side or change.size < 0:
                continue
            gone = next(
                other.ts
                for other in episode.changes
                if other.side == side and other.price == change.price and other.size < 0 and other.ts >= change.ts
            )
            if np.any((tape.price[row, tape.span(change.ts, gone)] - change.price) * side < 0):
                return True
            trades = tape.trade_price[
                np.searchsorted(tape.trade_ts, change.ts) : np.searchsorted(tape.trade_ts, gone, side="right")
            ]
            if np.any((trades - change.price) * side < 0):
                return True
    return False
