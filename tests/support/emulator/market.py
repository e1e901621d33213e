"""The true book of one symbol: every change that ever happened, whether or not it was delivered."""

import random
from dataclasses import dataclass, field

DEPTH = 30
START = 1_000_000
"""Ids begin so high that those after a restart are others."""


@dataclass(frozen=True)
class Change:
    """What happened at one update: levels as (side, price, size), 0 removes; and the trade, if any.

    `prev_id` is the last id of the change before, which after a restart is the larger one.
    """

    prev_id: int
    first_id: int
    last_id: int
    ts_ms: int
    levels: tuple[tuple[int, int, int], ...]
    trade: tuple[int, int, int] | None


@dataclass
class Market:
    """A random market in whole ticks and lots; `gap_ids` is the step between update ids (1 for Bybit)."""

    symbol: str
    seed: int
    gap_ids: int = 1
    update: int = START
    opened_ms: int = 1_741_000_000_000
    history: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.mid = 10_000
        self.sides: dict[int, dict[int, int]] = {
            side: {self.mid - side * k: self.rng.randint(1, 50) for k in range(1, DEPTH + 1)} for side in (1, -1)
        }
        self.trades, self.published = 0, self.update
        self.opening = {side: dict(levels) for side, levels in self.sides.items()}

    def step(self, ts_ms: int) -> Change:
        """Let a few levels change; the book never crosses."""
        levels: dict[tuple[int, int], int] = {}
        if self.rng.random() < 0.2:
            levels |= self._move(self.rng.choice((1, -1)))
        for _ in range(self.rng.randint(1, 6)):
            side = self.rng.choice((1, -1))
            price = self.mid - side * self.rng.randint(1, DEPTH)
            levels[side, price] = self.rng.choice((0, 1)) * self.rng.randint(1, 50) if self._deep(side) else 9
        for (side, price), size in levels.items():
            if size:
                self.sides[side][price] = size
            else:
                self.sides[side].pop(price, None)
        before = self.published
        first = self.update + 1
        self.published = self.update = self.update + self.rng.randint(1, self.gap_ids)
        trade = None
        if self.rng.random() < 0.3:
            self.trades += 1
            side = self.rng.choice((1, -1))
            trade = (side, self.mid + side, self.rng.randint(1, 9))
        change = Change(before, first, self.update, ts_ms, tuple((s, p, q) for (s, p), q in levels.items()), trade)
        self.history.append(change)
        return change

    def restart(self, ts_ms: int, update: int) -> Change:
        """Let the ids starts over with an `update` at which no level changes."""
        change = Change(self.published, update, update, ts_ms, (), None)
        self.published = self.update = update
        self.history.append(change)
        return change

    def book_after(self, count: int) -> dict[int, dict[int, int]]:
        """The book once the first `count` changes of the history had happened."""
        book = {side: dict(levels) for side, levels in self.opening.items()}
        for change in self.history[:count]:
            for side, price, size in change.levels:
                if size:
                    book[side][price] = size
                else:
                    book[side].pop(price, None)
        return book

    def _deep(self, side: int) -> bool:
        return len(self.sides[side]) > DEPTH // 2

    def _move(self, by: int) -> dict[tuple[int, int], int]:
        """Shift the mid by a tick: the levels that it would cross go first."""
        self.mid += by
        gone = [(side, price) for side in (1, -1) for price in self.sides[side] if (self.mid - price) * side <= 0]
        return dict.fromkeys(gone, 0)
