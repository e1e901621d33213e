"""Placebos: a planted stream changed so that a detector must answer in a known way.

Here: the streams and what was planted in them then.
Not here: the recall on them (`ml.layering.benchmark`).

With the sides exchanged the same is found on the other side. With each trade at another trade's time, or with time
running backwards, episodes no longer look like layering, and fewer are found.
"""

import numpy as np
import polars as pl

from ml.layering.finder import Flow
from ml.market.book.layout import I64, BookStream
from ml.market.decode.events import CLEAR, SNAPSHOT


def unbroken(flow: Flow, truth: pl.DataFrame) -> tuple[Flow, pl.DataFrame]:
    """The stream up to its second snapshot, and the episodes that are over by then."""
    books = flow.books
    snapshots = np.flatnonzero(books.flags & SNAPSHOT)
    stop = int(snapshots[1]) if len(snapshots) > 1 else len(books.ts)
    rows = int(books.end[stop - 1])
    levels = {name: getattr(books, name)[:rows] for name in ("side", "price", "size")}
    messages = {name: getattr(books, name)[:stop] for name in ("ts", "arrival", "flags", "end")}
    part = books._replace(**messages, **levels)
    count = int(np.searchsorted(flow.trades.arrival, part.arrival[-1], "right"))
    return (
        flow._replace(books=part, trades=flow.trades.part(slice(count))),
        truth.filter(pl.col("last_pull") < int(part.ts[-1])),
    )


def mirrored(flow: Flow, truth: pl.DataFrame) -> tuple[Flow, pl.DataFrame]:
    """Bids become asks and asks bids: prices are mirrored at the middle of the first book."""
    books = flow.books
    first = slice(0, int(books.end[0]))
    side, price = books.side[first], books.price[first]
    twice_mid = int(price[side > 0].max() + price[side < 0].min())
    swapped = Flow(
        flow.instrument,
        books._replace(side=-books.side, price=twice_mid - books.price),
        flow.trades._replace(side=-flow.trades.side, price=twice_mid - flow.trades.price),
    )
    return swapped, truth.with_columns(side=-pl.col("side"))


def shuffled(flow: Flow, truth: pl.DataFrame, seed: int = 0) -> tuple[Flow, pl.DataFrame]:
    """Each trade happens at the time of another one; the book stays."""
    order = np.random.default_rng(seed).permutation(len(flow.trades.ts))
    trades = flow.trades
    moved = trades._replace(side=trades.side[order], price=trades.price[order], size=trades.size[order])
    return flow._replace(trades=moved), truth


def backwards(flow: Flow, truth: pl.DataFrame) -> tuple[Flow, pl.DataFrame]:
    """Time runs backwards: what was placed is pulled. The stream is `unbroken`.

    An episode then lasts from what was its first pull to what was its first placing.
    """
    books = flow.books
    last = int(max(books.ts[-1], flow.trades.ts.max(initial=0)))
    starts = np.concatenate([[0], books.end[:-1]])
    before = np.zeros_like(books.size)
    book: dict[tuple[int, int], int] = {}
    for row, level in enumerate(zip(books.side.tolist(), books.price.tolist(), strict=True)):
        before[row] = book.get(level, 0)
        book[level] = int(books.size[row])
    left = [(*level, size) for level, size in book.items() if size > 0]
    # the last book is the snapshot; then each message undoes itself, the last one first
    order = np.concatenate([np.arange(starts[k], books.end[k])[::-1] for k in range(len(starts) - 1, 0, -1)])
    side, price, size = np.array(left, np.int64).T
    counts = np.concatenate([[len(left)], (books.end - starts)[:0:-1]])
    ts = np.concatenate([[last - books.ts[-1]], last - books.ts[:0:-1]]) + books.ts[0]
    turned = BookStream(
        ts=ts,
        arrival=_arrivals(len(ts)),
        flags=np.concatenate([[SNAPSHOT | CLEAR], np.zeros(len(ts) - 1, np.int64)]),
        end=np.cumsum(counts),
        side=np.concatenate([side, books.side[order]]).astype(np.int8),
        price=np.concatenate([price, books.price[order]]),
        size=np.concatenate([size, before[order]]),
    )
    trades = flow.trades.part(slice(None, None, -1))
    trade_ts = last - trades.ts + books.ts[0]
    trades = trades._replace(ts=trade_ts, arrival=2 * np.searchsorted(ts, trade_ts))
    base = last + int(books.ts[0])
    placed = truth.with_columns(first_pull=base - pl.col("first_pull"), last_pull=base - pl.col("start"))
    return Flow(flow.instrument, turned, trades), placed


def _arrivals(count: int) -> I64:
    """Odd numbers: a trade arrives before the message of its time, at an even one."""
    return 2 * np.arange(count, dtype=np.int64) + 1
