"""Adds episodes to streams of book events and trades: displayed sizes, trades, and what the feed loses.

Here: arrays in, arrays out, and the table of truth.
Not here: what an episode is (`ml.simulation.episodes`), capture files (`ml.simulation.plant_files`).

The size of an episode is added to the displayed size at its price. A change becomes visible in the first message at or
after its time, as one more level of that message or as another size of a level that it already has.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.market.book import ladder
from ml.market.book.compiled import plain
from ml.market.book.layout import BookStream, TradeStream, constant
from ml.market.decode.events import CLEAR, SNAPSHOT, TIME
from ml.simulation.episodes import Episode, Ranges, Tape, draw_episode

I64 = NDArray[np.int64]
WARM_UP_S = 60
"""Seconds of book before the first episode: its sizes are multiples of a median over them. In a file of less than four
times that, a quarter of it."""
APART_S = 2
LOOKED = 64
"""Messages after which the farthest displayed price is looked up again."""
TRIES = 20
LOST_S = 0.5
"""Seconds of messages that a reset of the feed loses."""
TRUTH = {
    "episode_id": pl.String,
    "instrument": pl.String,
    "variant": pl.String,
    "side": pl.Int8,
    "start": pl.Int64,
    "first_pull": pl.Int64,
    "last_pull": pl.Int64,
    "prices": pl.List(pl.Int64),
    "sizes": pl.List(pl.Int64),
    "m": pl.Float64,
    "label": pl.Int8,
}
"""Columns of the table of truth: side 1 bid, -1 ask; times ns UTC; prices, sizes in units; label 1 layering."""


class Edits(NamedTuple):
    """Levels that messages show otherwise: message, side, price, size in units, and the row that it replaces.

    `row` is -1 for a level that the message does not have.
    """

    message: I64
    side: NDArray[np.int8]
    price: I64
    size: I64
    row: I64

    def part(self, kept: NDArray[np.bool_]) -> "Edits":
        """Some of them."""
        return Edits(self.message[kept], self.side[kept], self.price[kept], self.size[kept], self.row[kept])


def tape(books: BookStream, trades: TradeStream, instrument: Instrument) -> Tape:
    """Best prices and sizes after each message, with the trades by time."""
    given = constant(books)
    price = np.zeros((2, len(books.ts)), np.int64)
    size = np.zeros((2, len(books.ts)), np.int64)
    worst = np.zeros((2, len(books.ts)), np.int64)
    known = np.zeros(len(books.ts), np.bool_)
    _best(ladder.empty_book(), given, price, size, worst, known)
    order = np.argsort(trades.ts, kind="stable")
    return Tape(
        np.maximum.accumulate(books.ts) if len(books.ts) else books.ts,
        price,
        size,
        worst,
        known,
        trades.ts[order],
        trades.price[order],
        instrument.tick,
        instrument.lot,
    )


def draw_episodes(
    market: Tape,
    seed: int,
    variants: Sequence[str],
    count: int,
    ranges: Ranges | None = None,
    sizes: Sequence[float] = (),
) -> list[Episode]:
    """Episodes spread over a market, none at the time of another.

    Args:
        market: where they are planted.
        seed: the same gives the same episodes.
        variants: each in turn.
        count: how many are wanted; fewer where the market does not allow more.
        ranges: of their parameters.
        sizes: of a layer in typical best sizes, each in turn with all variants; drawn where empty.
    """
    rng = np.random.default_rng(seed)
    found: list[Episode] = []
    if len(market.ts) == 0:
        return found
    length = int(market.ts[-1] - market.ts[0])
    first = int(market.ts[0]) + min(WARM_UP_S * SECOND, length // 4)
    width = max((int(market.ts[-1]) - first) // max(count, 1), 1)
    free = first
    for k in range(count):
        variant = variants[k % len(variants)]
        m = sizes[k // len(variants) % len(sizes)] if sizes else None
        for _ in range(TRIES):
            start = max(free, first + k * width) + int(rng.uniform(0, max(width, SECOND)))
            if start > market.ts[-1]:
                break
            episode = draw_episode(rng, variant, ranges or Ranges(), market, start, m)
            if episode is not None:
                found.append(episode)
                free = episode.end + APART_S * SECOND
                break
    return found


def truth(episodes: Sequence[Episode], instrument: str, seed: int) -> pl.DataFrame:
    """The table of truth, see `TRUTH`; ids tell instrument, seed and number."""
    rows = [
        {
            "episode_id": f"{instrument}-{seed}-{k:05d}",
            "instrument": instrument,
            "variant": episode.variant,
            "side": episode.side,
            "start": episode.start,
            "first_pull": episode.first_pull,
            "last_pull": episode.last_pull,
            "prices": episode.prices,
            "sizes": episode.sizes,
            "m": episode.m,
            "label": episode.label,
        }
        for k, episode in enumerate(episodes)
    ]
    return pl.DataFrame(rows, schema=TRUTH)


def plant(books: BookStream, trades: TradeStream, episodes: Sequence[Episode]) -> tuple[BookStream, TradeStream]:
    """The streams with the episodes in them; rows of other prices stay as they are."""
    for episode in episodes:
        if episode.reset is not None:
            books = _with_reset(books, episode.reset)
    return _edited(books, edits(books, episodes)), _with_prints(trades, books, episodes)


def edits(books: BookStream, episodes: Sequence[Episode]) -> Edits:
    """What messages show otherwise because of the episodes."""
    changes = [change for episode in episodes for change in episode.changes]
    if not changes:
        empty = np.zeros(0, np.int64)
        return Edits(empty, empty.astype(np.int8), empty, empty, empty)
    ts, side, price, size = np.array(changes, np.int64).T
    at = _following(books, ts)
    keys, which = np.unique(_key(side, price), return_inverse=True)
    row_keys = _key(books.side, books.price)
    place = np.minimum(np.searchsorted(keys, row_keys), len(keys) - 1)
    rows = np.flatnonzero((keys[place] == row_keys) & (books.side != 0))
    of_row = np.searchsorted(books.end, rows, side="right")
    clears = np.flatnonzero(books.flags & CLEAR)
    found: list[tuple[int, int, int, int, int]] = []
    by_key = _groups(place[rows], len(keys))
    changes_by_key = _groups(which, len(keys))
    for k, key in enumerate(keys.tolist()):
        timeline = [(int(at[c]), 1, -1, int(size[c])) for c in changes_by_key[k]]
        timeline += [(int(of_row[r]), 2, int(rows[r]), int(books.size[rows[r]])) for r in by_key[k]]
        timeline += [(c, 0, -1, 0) for c in clears.tolist()]
        found += _timeline(sorted(timeline), len(books.ts), key)
    if not found:
        return edits(books, [])
    message, sides, prices, sizes, replaced = np.array(sorted(found), np.int64).T
    return Edits(message, sides.astype(np.int8), prices, sizes, replaced)


def _timeline(timeline: list[tuple[int, int, int, int]], count: int, key: int) -> list[tuple[int, int, int, int, int]]:
    """Edits of one price: clears (0), changes of the episodes (1) and levels of the stream (2), by message."""
    found: list[tuple[int, int, int, int, int]] = []
    side = 1 if key % 2 else -1
    real = 0
    extra = 0
    k = 0
    while k < len(timeline):
        message = timeline[k][0]
        before = extra
        rows: list[int] = []
        if timeline[k][1] == 0:
            before = 0
        while k < len(timeline) and timeline[k][0] == message:
            _, kind, row, size = timeline[k]
            if kind == 1:
                extra += size
            else:
                real = size
            if kind == 2:
                rows.append(row)
            k += 1
        if message >= count:
            break
        if rows and extra:
            found += [(message, side, key // 2, real + extra, row) for row in rows]
        elif not rows and extra != before:
            found.append((message, side, key // 2, real + extra, -1))
    return found


def _edited(books: BookStream, changed: Edits) -> BookStream:
    size = books.size.copy()
    kept = changed.row >= 0
    size[changed.row[kept]] = changed.size[kept]
    message, side, price, added = (column[~kept] for column in changed[:4])
    where = books.end[message]
    counts = np.bincount(message, minlength=len(books.ts))
    return books._replace(
        end=books.end + np.cumsum(counts),
        side=np.insert(books.side, where, side),
        price=np.insert(books.price, where, price),
        size=np.insert(size, where, added),
    )


def _with_prints(trades: TradeStream, books: BookStream, episodes: Sequence[Episode]) -> TradeStream:
    """The trades with those of the episodes, each before the first frame at or after its time."""
    planted = sorted(trade for episode in episodes for trade in episode.trades)
    if not planted:
        return trades
    ts, side, price, size = np.array(planted, np.int64).T
    arrival = books.arrival[np.minimum(_following(books, ts), len(books.ts) - 1)]
    by_arrival = np.searchsorted(trades.arrival, arrival, side="left")
    where = np.minimum(by_arrival, np.searchsorted(np.maximum.accumulate(trades.ts), ts, side="left"))
    if len(trades.ts):
        there = where < len(trades.ts)
        arrival[there] = np.minimum(arrival[there], trades.arrival[where[there]])
    return TradeStream(
        np.insert(trades.ts, where, ts),
        np.insert(trades.arrival, where, arrival),
        np.insert(trades.flags, where, 0),
        np.insert(trades.side, where, side),
        np.insert(trades.price, where, price),
        np.insert(trades.size, where, size),
    )


def _with_reset(books: BookStream, ts: int) -> BookStream:
    """The stream with a loss: messages after a time are missing, then the book is unknown, then a snapshot comes."""
    first = int(np.searchsorted(books.ts, ts, side="left"))
    behind = min(int(np.searchsorted(books.ts, ts + int(LOST_S * SECOND))), len(books.ts) - 1)
    if first >= behind:
        return books
    side, price, size = book_at(books, behind)
    starts = np.concatenate([np.zeros(1, np.int64), books.end])
    begin = int(starts[first])
    stop = int(starts[behind])
    stamp = books.ts[behind - 1]
    arrival = books.arrival[behind - 1]
    rows = len(side) + 1 - (stop - begin)
    return BookStream(
        np.concatenate([books.ts[:first], [stamp, stamp], books.ts[behind:]]),
        np.concatenate([books.arrival[:first], [arrival, arrival], books.arrival[behind:]]),
        np.concatenate([books.flags[:first], [CLEAR, CLEAR | SNAPSHOT], books.flags[behind:]]),
        np.concatenate([books.end[:first], [begin + 1, begin + 1 + len(side)], books.end[behind:] + rows]),
        np.concatenate([books.side[:begin], np.zeros(1, np.int8), side, books.side[stop:]]),
        np.concatenate([books.price[:begin], [0], price, books.price[stop:]]),
        np.concatenate([books.size[:begin], [0], size, books.size[stop:]]),
    )


def opened(books: BookStream, before: BookStream) -> BookStream:
    """The stream with a snapshot in front: the book as it stood at the end of the stream before it."""
    side, price, size = book_at(before, len(before.ts))
    return BookStream(
        np.concatenate([books.ts[:1], books.ts]),
        np.concatenate([books.arrival[:1], books.arrival]),
        np.concatenate([np.array([CLEAR | SNAPSHOT], books.flags.dtype), books.flags]),
        np.concatenate([[len(side)], books.end + len(side)]),
        np.concatenate([side, books.side]),
        np.concatenate([price, books.price]),
        np.concatenate([size, books.size]),
    )


def book_at(books: BookStream, behind: int) -> tuple[NDArray[np.int8], I64, I64]:
    """Side, price and size of all levels of the book after the first so many messages."""
    clears = np.flatnonzero(books.flags[:behind] & CLEAR)
    begin = int(books.end[clears[-1] - 1]) if len(clears) and clears[-1] > 0 else 0
    stop = int(books.end[behind - 1])
    newest_first = slice(stop - 1, begin - 1 if begin else None, -1)
    side = books.side[newest_first]
    price = books.price[newest_first]
    size = books.size[newest_first]
    last = np.unique(_key(side, price), return_index=True)[1]
    last = last[(size[last] > 0) & (side[last] != 0)]
    return side[last], price[last], size[last]


def _following(books: BookStream, ts: I64) -> I64:
    """The first message with levels at or after each time; the number of messages where there is none."""
    usable = np.flatnonzero(books.flags & TIME == 0)
    where = np.searchsorted(np.maximum.accumulate(books.ts[usable]), ts, side="left")
    return np.append(usable, len(books.ts))[where]


def _key(side: NDArray[np.integer], price: I64) -> I64:
    return price * 2 + (side > 0)


def _groups(number: I64, count: int) -> list[list[int]]:
    """Positions by number."""
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(count + 1))
    return [order[bounds[k] : bounds[k + 1]].tolist() for k in range(count)]


@plain
def _best(book, books, price, size, worst, known):  # type: ignore[no-untyped-def]
    """Replay the messages; write what is best and farthest after each, and whether it was an ordinary change."""
    none = np.zeros(0, np.int64)
    anchored = False
    start = 0
    farthest = np.zeros(2, np.int64)
    for k in range(len(books.ts)):
        end = books.end[k]
        flags = books.flags[k]
        if flags & CLEAR:
            ladder.clear(book, books.price[end - 1] if end > start else 0)
            anchored = (flags & SNAPSHOT) != 0
        ladder.set_levels(book, books.side, books.price, books.size, start, end, none)
        ladder.settle(book)
        known[k] = anchored and not flags & CLEAR
        for side in range(2):
            best = ladder.best(book, side)
            price[side, k] = best
            known[k] = known[k] and best > 0
            index = best - book.head[ladder.BASE]
            if 0 <= index < ladder.WINDOW:
                size[side, k] = book.dense[side, index]
        if k % LOOKED == 0 or flags & CLEAR:
            farthest[:] = 0
            for side in range(2):
                for index in range(book.head[ladder.LOWEST], book.head[ladder.HIGHEST] + 1):
                    if book.dense[side, index] > 0:
                        farthest[side] = book.head[ladder.BASE] + index
                        if side == 0:
                            break
        worst[:, k] = farthest
        start = end
