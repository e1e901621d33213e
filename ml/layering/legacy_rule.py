"""The predecessor's layering rule, as a baseline for users who compare.

Here: the rule on snapshots of the best levels.
Not here: what replaced it (`ml.layering.detector`).

Every change of a level's size counts as an order of the whole size, and every price that leaves the view as a
cancellation: that is the rule, not a recommendation. The domain notes of the project say how it fails.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.market.book.ladder import best, empty_book, levels, set_levels, settle
from ml.market.book.ladder import clear as clear_book
from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import CLEAR, TIME


@dataclass(frozen=True)
class LegacySettings:
    """The rule's settings, with the predecessor's values.

    Args:
        depth: levels per side in view.
        every_s: seconds between snapshots.
        orders: least number of orders in a group.
        window_s: seconds within which they are placed.
        band: share of the price within which they lie.
        max_cv: largest coefficient of variation of their sizes.
        min_volume: least volume of a group, in base currency.
        cancel_rate: least share of prices that vanished among those that changed.
        execution_s: seconds of trades and cancellations that count.
        impact_bps: expected move per unit of volume.
        weights: of volume, timing, cancellation, execution and price impact.
        alert: score from which a group is an alert.
        collect: score from which a group is kept for training.
    """

    depth: int = 50
    every_s: float = 1.0
    orders: int = 3
    window_s: float = 30.0
    band: float = 0.005
    max_cv: float = 0.3
    min_volume: float = 0.5
    cancel_rate: float = 0.5
    execution_s: float = 60.0
    impact_bps: float = 1.5
    weights: tuple[float, float, float, float, float] = (0.25, 0.20, 0.25, 0.15, 0.15)
    alert: float = 0.65
    collect: float = 0.35


class LegacyAlert(NamedTuple):
    """A group of which the rule is sure enough to collect it: ns UTC, side (1 bid, -1 ask), score 0 to 1."""

    ts: int
    side: int
    score: float


class _Change(NamedTuple):
    ts: int
    price: int
    size: int


class LegacyRule:
    """The rule on one instrument; `update` takes the view of a snapshot."""

    def __init__(self, instrument: Instrument, settings: LegacySettings | None = None) -> None:
        self.instrument = instrument
        self.settings = settings or LegacySettings()
        self._view: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._changed: dict[int, deque[_Change]] = {1: deque(), -1: deque()}
        self._vanished: dict[int, deque[_Change]] = {1: deque(), -1: deque()}
        self._trades = deque[tuple[int, int, int]]()
        self._mids = deque[tuple[int, float]]()

    def trade(self, ts: int, side: int, size: int) -> None:
        """Note a trade of an aggressor."""
        self._trades.append((ts, side, size))

    def update(self, ts: int, view: dict[int, dict[int, int]]) -> Iterator[LegacyAlert]:
        """The groups of both sides after a snapshot: price to size by side."""
        s = self.settings
        bids, asks = view[1], view[-1]
        if not bids or not asks:
            return
        mid = (max(bids) + min(asks)) / 2
        self._mids.append((ts, mid))
        _drop(self._mids, ts - round(s.window_s * SECOND))
        _drop(self._trades, ts - round(s.execution_s * SECOND))
        for side in (1, -1):
            before, now = self._view[side], view[side]
            if before:
                self._changed[side] += [_Change(ts, p, q) for p, q in now.items() if before.get(p) != q]
                self._vanished[side] += [_Change(ts, p, q) for p, q in before.items() if p not in now]
            _drop(self._changed[side], ts - round(s.execution_s * SECOND))
            _drop(self._vanished[side], ts - round(s.execution_s * SECOND))
            score = self._score(ts, side, mid)
            if score >= s.collect:
                yield LegacyAlert(ts, side, score)
        self._view = view

    def _score(self, ts: int, side: int, mid: float) -> float:
        s = self.settings
        recent = [change for change in self._changed[side] if change.ts > ts - s.window_s * SECOND]
        if len(recent) < s.orders:
            return 0.0
        group = [change for change in recent if abs(change.price - recent[-1].price) <= s.band * mid]
        sizes = np.array([change.size for change in group], float)
        volume = self.instrument.size(int(sizes.sum()))
        rate = len({c.price for c in self._vanished[side]}) / max(len({c.price for c in self._changed[side]}), 1)
        if len(group) < s.orders or volume < s.min_volume or rate < s.cancel_rate:
            return 0.0
        if sizes.std() > s.max_cv * sizes.mean():
            return 0.0
        executed = self.instrument.size(sum(size for _, aggressor, size in self._trades if aggressor == side))
        moved = side * 1e4 * (mid - self._mids[0][1]) / mid
        parts = (
            min(volume / (5 * s.min_volume), 1.0),
            1 - (group[-1].ts - group[0].ts) / (s.window_s * SECOND),
            min(rate, 1.0),
            min(executed / volume, 1.0),
            min(max(moved / (s.impact_bps * volume), 0.0), 1.0),
        )
        return sum(weight * part for weight, part in zip(s.weights, parts, strict=True))


def alerts(
    instrument: Instrument, books: BookStream, trades: TradeStream, settings: LegacySettings | None = None
) -> list[LegacyAlert]:
    """The groups that the rule collects in a stream of book messages and trades."""
    rule = LegacyRule(instrument, settings)
    book = empty_book()
    none = np.zeros(0, np.int64)
    found = list[LegacyAlert]()
    every = round(rule.settings.every_s * SECOND)
    due = 0
    j = 0
    start = 0
    for k in range(len(books.ts)):
        end = int(books.end[k])
        flags = int(books.flags[k])
        ts = int(books.ts[k])
        while j < len(trades.ts) and trades.arrival[j] <= books.arrival[k]:
            rule.trade(int(trades.ts[j]), int(trades.side[j]), int(trades.size[j]))
            j += 1
        if flags & CLEAR:
            clear_book(book, int(books.price[end - 1]) if end > start else 0)
        if flags & TIME == 0:
            set_levels(book, books.side, books.price, books.size, start, end, none)
            settle(book)
        start = end
        if ts >= due and best(book, 0) and best(book, 1):
            due = (ts // every + 1) * every
            found += rule.update(ts, {1: _view(book, 0, rule.settings.depth), -1: _view(book, 1, rule.settings.depth)})
    return found


def _view(book: object, side: int, depth: int) -> dict[int, int]:
    prices, sizes = levels(book, side)  # type: ignore[arg-type]
    kept = slice(-depth, None) if side == 0 else slice(depth)
    return dict(zip(prices[kept].tolist(), sizes[kept].tolist(), strict=True))


def _drop(entries: "deque", before: int) -> None:  # type: ignore[type-arg]
    while entries and entries[0][0] < before:
        entries.popleft()
