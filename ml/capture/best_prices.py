"""Detects crossed books whose ids are continuous, from the best prices of the level stream.

Only for books whose snapshot is part of the stream; the others are fetched again once an hour (`live.service`). Sizes
are ignored. What happens to a crossed book belongs to `ml.market.book.kernel`.
"""

from collections.abc import Iterable, Sequence

REFETCH_INTERVAL_NS = 600 * 10**9
"""Least time between two snapshots requested for one book because it is crossed: an auction may be so for hours."""


NONE = float("-inf")
"""The best price of an empty side: with it no book is crossed."""


class Side:
    """The prices of one side, those of asks negative: the best one is the largest."""

    def __init__(self) -> None:
        self.prices = set[float]()
        self.best = NONE

    def take(self, levels: Iterable[Sequence[str]], sign: float) -> None:
        """Apply `[price, size]` levels; a size of zero removes."""
        prices = self.prices
        best = self.best
        gone = False
        for price, size in levels:
            at = sign * float(price)
            if float(size):
                prices.add(at)
                best = max(best, at)
            else:
                prices.discard(at)
                gone |= at == best
        self.best = max(prices, default=NONE) if gone else best


class Tops:
    """The prices of one book; `crossed` counts the messages in a row that left the best bid above the best ask."""

    def __init__(self) -> None:
        self.bids = Side()
        self.asks = Side()
        self.crossed = 0
        self.wrong = False
        """Whether it was crossed over two messages since its snapshot: no other levels fix it."""
        self.refetched_at = -REFETCH_INTERVAL_NS

    def take(self, bids: Iterable[Sequence[str]], asks: Iterable[Sequence[str]], *, reset: bool) -> None:
        """Apply a message's levels, which were checked; `again` is a snapshot, that replaces the book."""
        if reset:
            self.bids = Side()
            self.asks = Side()
            self.wrong = False
        self.bids.take(bids, 1.0)
        self.asks.take(asks, -1.0)
        self.crossed = self.crossed + 1 if self.bids.best + self.asks.best > 0 else 0
        self.wrong |= self.crossed > 1

    def must_repair(self, recv_ts: int) -> bool:
        """Whether the book is wrong, as the kernel will say too, and a snapshot may be requested at this time, ns."""
        if not self.wrong or recv_ts - self.refetched_at < REFETCH_INTERVAL_NS:
            return False
        self.refetched_at = recv_ts
        return True
