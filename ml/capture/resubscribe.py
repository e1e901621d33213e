"""When to request a book again whose snapshot is part of the stream: first resubscribe, then reconnect.

It decides which books and connections, from how long books have waited; it sends nothing. Messages belong to
`ml.capture.plans`, sending and connecting to `ml.capture.connections`.

A resubscription costs one book a gap, a reconnect costs all books of the connection. So a waiting book is
resubscribed at once, and its connection is reopened only if that did not help or if many books wait.
"""

from collections.abc import Sequence
from typing import NamedTuple

PATIENCE_SECONDS = 5.0
MOST_PATIENCE = 600.0
"""How long a book may wait before its connection is opened again; doubled after each time that this did not help."""
APART_SECONDS = 15.0
"""Least time between two renewals of a book: OKX takes 480 requests per hour and connection, a renewal is two."""
MANY = 10
"""So many books of one connection that wait for a snapshot are no longer requested one by one."""


class Due(NamedTuple):
    """What to do now: books to subscribe again, and numbers of connections to open again."""

    books: list[str]
    connections: list[int]


class Renewal:
    """Follows which books wait for a snapshot.

    Args:
        carried: the books of each connection.
    """

    def __init__(self, carried: Sequence[tuple[str, ...]]) -> None:
        self.carried = carried
        self._since = dict[str, float]()
        self._asked = dict[str, float]()
        self._patience = dict[int, float]()

    def due(self, waiting: set[str], now: float) -> Due:
        """What to do for the books that are unknown though their diffs come; `now` is monotonic, s."""
        self._since = {symbol: self._since.get(symbol, now) for symbol in waiting}
        found = Due([], [])
        for number, books in enumerate(self.carried):
            stuck = [symbol for symbol in books if symbol in waiting]
            if not stuck:
                self._patience.pop(number, None)
                continue
            fresh = [symbol for symbol in stuck if now - self._asked.get(symbol, -APART_SECONDS) >= APART_SECONDS]
            self._asked |= dict.fromkeys(fresh, now)
            patience = self._patience.get(number, PATIENCE_SECONDS)
            if len(fresh) >= MANY or now - min(self._since[symbol] for symbol in stuck) >= patience:
                found.connections.append(number)
                self._patience[number] = min(2 * patience, MOST_PATIENCE)
                self._since |= dict.fromkeys(stuck, now)
            else:
                found.books.extend(fresh)
        return found
