"""Is what a link's replay knows the truth? Every verdict, the book, every stored row and every gap, against history."""

from typing import Any

import numpy as np

from ml.market.book import layout
from ml.market.book.ladder import levels
from ml.market.decode.continuity import Step, Verdict
from ml.tables.schemas import LEVELS
from tests.support.emulator.link import Link
from tests.support.emulator.market import START

SIDES = ((1, 0, layout.BID_PRICE, layout.BID_SIZE), (-1, 1, layout.ASK_PRICE, layout.ASK_SIZE))


class Judge:
    """Follows a link; `known` counts the changes that the book must hold, None while it must be unknown."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.known: int | None = None
        self.breaks: list[Step] = []
        self.sure = 0
        """The same, but for a snapshot that replaced a known book: only the next change shows that it fits."""
        self.after: list[tuple[int, int]] = []
        """Changes that the book held at each break, surely and as it seemed."""
        self.books = [link.market.opening]
        self._seen = self._rows = 0
        self._came: dict[int, int] = {}
        """The latest event time when the book first had that many changes, ns UTC."""

    def look(self) -> None:
        """What must hold at any time."""
        self._learn()
        for step, at, clock in self.link.steps[self._seen :]:
            self._follow(step, at)
            if step.verdict in (Verdict.APPLY, Verdict.ANCHOR) and self.known is not None:
                self._came.setdefault(self.known, clock)
        self._seen = len(self.link.steps)
        self._book()
        self._stored_rows()
        found = [(gap["from_id"], gap["to_id"], gap["reason"]) for gap in self.link.feed.gaps() if gap["from_id"]]
        assert found == [(step.from_id, step.to_id, step.reason) for step in self.breaks]
        assert self.link.feed.decoder.tally.trades == len(self.link.trades)
        watched = self.link.watch.chains[self.link.symbol]
        replayed = self.link.feed.decoder.continuity
        # a capture that a late frame has set back breaks at the next change, and asks then
        behind = replayed.last_id is not None and watched.last_ts < replayed.last_ts
        assert watched.last_id in (None, replayed.last_id) or behind, "the capture asks for no snapshot"

    def ts(self, position: int) -> int:
        """When the book had that many changes, as its frames say, ns UTC."""
        return (self.link.market.history[position - 1].ts_ms + self.link.protocol.lag_ms) * 10**6 if position else 0

    def _learn(self) -> None:
        for change in self.link.market.history[len(self.books) - 1 :]:
            book = {side: dict(levels) for side, levels in self.books[-1].items()}
            for side, price, size in change.levels:
                book[side].pop(price, None)
                if size:
                    book[side][price] = size
            self.books.append(book)

    def _position(self, last_id: int) -> int:
        return START if last_id == START else 1 + [c.last_id for c in self.link.market.history].index(last_id)

    def _follow(self, step: Step, at: int | None) -> None:
        """The book may only be replaced by what is true, and only be changed by the next change."""
        match step.verdict:
            case Verdict.APPLY:
                assert at is not None
                assert self.known == at - 1, f"change {at} was applied to a book of {self.known} changes"
                self.known = self.sure = at
            case Verdict.ANCHOR:
                position = self._position(step.message.last_id) if at is None else at
                assert self.known is None or self.known <= position <= self.known + 1, "replaced without a break"
                self.sure = position if self.known is None else self.sure
                self.known = position
            case Verdict.BREAK:
                assert self.known is not None
                assert step.from_id == self._id(self.known), "the gap does not begin after the last known change"
                self.breaks.append(step)
                self.after.append((self.sure, self.known))
                self.known = None
            case _:
                pass

    def _id(self, position: int) -> int:
        return self.link.market.history[position - 1].last_id if position else START

    def _book(self) -> None:
        state = self.link.feed.sampler.state
        assert (state.meta[layout.ANCHORED] == 1) == (self.known is not None)
        if self.known is None:
            return
        for side, index, _, _ in SIDES:
            prices, sizes = levels(state.book, index)
            assert dict(zip(prices.tolist(), sizes.tolist(), strict=True)) == self.books[self.known][side]

    def _stored_rows(self) -> None:
        """A row that was given out as valid is the true book at its time, but for changes that came late."""
        sampler = self.link.feed.sampler
        for row in sampler.samples[self._rows : sampler.released]:
            if row[layout.VALID]:
                self._row(row)
        self._rows = sampler.released

    def _row(self, row: np.ndarray) -> None:
        t = int(row[layout.TS])
        held = sum(self.ts(position + 1) < t for position in range(len(self.link.market.history)))
        while held and self._came.get(held, 0) >= t:
            held -= 1
        for side, _, price, size in SIDES:
            best = sorted(self.books[held][side].items(), reverse=side > 0)[:LEVELS]
            stored = list(zip(row[price : price + LEVELS].tolist(), row[size : size + LEVELS].tolist(), strict=True))
            assert stored[: len(best)] == best, f"the row of {t} is not the book of {held} changes"

    def conclude(self) -> None:
        """What must hold at the end: what is in no gap was known, and each gap begins where knowledge ended."""
        spans = self.link.feed.intervals()
        broken = [span for span in spans if span.from_id is not None]
        for span, (sure, known) in zip(broken, self.after, strict=True):
            assert self.ts(sure) <= span.end_ts
            # a snapshot that came once more, and late, begins an interval of no length
            assert span.end_ts <= self.ts(known + 1) or span.end_ts == span.start_ts
        rows = self.link.feed.sampler.samples[: self.link.feed.sampler.released]
        for row in rows:
            t = int(row[layout.TS])
            assert bool(row[layout.VALID]) == any(span.start_ts < t <= span.end_ts for span in spans), t


def ask_until_known(link: Link, asks: int = 3) -> None:
    """What a capture does while a book is unknown: the answers come at once, and nothing else goes wrong."""
    calm(link)
    for _ in range(asks):
        if link.rest and link.watch.unknown():
            link.ask()
            link.arrive(link.answers[-1])
        elif link.watch.waiting():
            link.renew()
        elif link.watch.unknown():
            link.fall("reconnect")
        calm(link)


def calm(link: Link, changes: int = 3) -> None:
    """Everything in flight arrives in order, and some changes more."""
    for _ in range(changes):
        link.happen(400)
    while link.flight:
        link.deliver()


__all__ = ["Any", "Judge", "ask_until_known", "calm"]
