"""The visible book at any instant, as an order meets it that arrives then.

Here: the best ten levels of both sides at given times, by the kernel that makes the samples; how a level changed.
Not here: what an order is filled at (`ml.evaluation.fills`), samples on the grid (`ml.market.days.samples`).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ml.core.time import DAY_NS
from ml.market.book import kernel, layout
from ml.market.book.layout import BookStream, State
from ml.market.book.sampler import NO_TRADES
from ml.tables.schemas import OFI_LEVELS as LEVELS

BID, ASK = 0, 1
PRICE, SIZE = 0, 1


class Resting(NamedTuple):
    """Limit orders that rest in the book, as arrays of one length.

    side i8 (+1 bid, -1 ask), price i64 (units), start and end i64 (ns): from when to before when each rests.
    """

    side: np.ndarray
    price: np.ndarray
    start: np.ndarray
    end: np.ndarray


def books_at(parts: Iterable[BookStream], times: np.ndarray) -> np.ndarray:
    """The best levels at each time, i64 (n, side, price and size, LEVELS); zeros where the book is not known right.

    The book at t holds every message before t, and none of t or later: an order of no latency meets the book that the
    sample of t shows. A one-sided or crossed book fills nobody.

    Args:
        parts: messages in arrival order, from a snapshot on (`ml.market.days.tables.book_stream`), whole in each part.
        times: i64 ns, in any order.
    """
    found = np.zeros((len(times), 2, 2, LEVELS), np.int64)
    pending = iter(np.argsort(times, kind="stable").tolist())
    wanted = next(pending, None)
    state = layout.empty_state(DAY_NS, 64)
    watermark = 0
    for part in parts:
        # a message that arrives late changes the book no earlier than those it arrives after
        clock = np.maximum(np.maximum.accumulate(part.ts), watermark)
        books = layout.constant(part)
        position = np.zeros(2, np.int64)
        while wanted is not None and times[wanted] <= clock[-1]:
            until = np.searchsorted(clock, times[wanted], side="left")
            state = _applied(state, books, int(until), position)
            found[wanted] = _levels(state)
            wanted = next(pending, None)
        if wanted is None:
            return found
        state = _applied(state, books, len(clock), position)
        watermark = int(clock[-1])
    while wanted is not None:
        found[wanted] = _levels(state)
        wanted = next(pending, None)
    return found


def level_changes(parts: Iterable[BookStream], orders: Resting) -> list[list[tuple[int, int]]]:
    """Per order, the times (ns) at which the level at its price was set while it rested, and the sizes since."""
    found: list[list[tuple[int, int]]] = [[] for _ in orders.price]
    for part in parts:
        clock = np.maximum.accumulate(part.ts)
        start = np.concatenate([[0], part.end[:-1]])
        message = np.repeat(np.arange(len(clock)), part.end - start)
        for k in np.flatnonzero((orders.start <= clock[-1]) & (orders.end > clock[0])):
            first, last = np.searchsorted(clock, [orders.start[k], orders.end[k]], side="left")
            rows = slice(int(start[first]), int(part.end[last - 1]) if last else 0)
            same = (part.price[rows] == orders.price[k]) & (np.sign(part.side[rows]) == orders.side[k])
            at = np.flatnonzero(same) + rows.start
            found[k] += zip(clock[message[at]].tolist(), part.size[at].tolist(), strict=True)
    return found


def _applied(state: State, books: BookStream, until: int, position: np.ndarray) -> State:
    """The state after the messages before number `until`, those before `position` having been applied."""
    if until <= position[0]:
        return state
    books = books._replace(ts=books.ts[:until])
    while (need := kernel.run(state, books, NO_TRADES, position)) != layout.DONE:
        if need == layout.NEED_ROWS:
            state = state._replace(rows=np.zeros(2 * len(state.rows), np.int64))
        else:  # neither samples nor intervals are read here
            state.meta[[layout.CLOSED, layout.RELEASED, layout.SPANS]] = 0
    return state


def _levels(state: State) -> np.ndarray:
    meta = state.meta
    known = meta[layout.ANCHORED] == 1 and meta[layout.ONE_SIDED] == 0 and meta[layout.CROSSED] == 0
    return state.top if known else np.zeros_like(state.top)
