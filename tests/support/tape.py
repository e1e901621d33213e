"""A made-up market for orders to meet: bids at 1 000 and below, asks above, and trades that take from them.

Nothing ever crosses, so that a resting order is filled by trades alone.
"""

import numpy as np

from ml.market.book.layout import BookStream, TradeStream
from ml.market.decode.events import LAST, SNAPSHOT
from tests.oracles.book import DictBook

MID = 1_000
STEP = 10**8


def market(seed, steps=200, start=10**18):
    """Messages (ts, [(side, price, size)]) and trades (ts, aggressor, price, size), at times of their own."""
    rng = np.random.default_rng(seed)
    book = DictBook()
    opening = [(1, MID - k, int(rng.integers(20, 60))) for k in range(8)]
    opening += [(-1, MID + 1 + k, int(rng.integers(20, 60))) for k in range(8)]
    messages = [(start, opening)]
    trades = []
    for level in opening:
        book.set(*level)
    for n in range(1, steps):
        ts = start + n * STEP
        side = int(rng.choice([1, -1]))
        if rng.random() < 0.4 and len(book.top(side, 3)) > 2:
            left = int(rng.integers(1, 70))
            rows = []
            for price, size in book.top(side, 2):
                taken = min(left, size)
                if taken:
                    trades.append((ts, -side, price, taken))
                    rows.append((side, price, size - taken))
                left -= taken
            ts += 1_000
        else:
            depth = int(rng.integers(0, 6))
            rows = [(side, MID - depth if side > 0 else MID + 1 + depth, int(rng.integers(0, 60)))]
        for row in rows:
            book.set(*row)
        messages.append((ts, rows))
    return messages, trades


def streams(messages, trades):
    """The same as the kernel's streams; the first message is a snapshot."""
    rows = [row for _, rows in messages for row in rows]
    end = np.cumsum([len(rows) for _, rows in messages])
    ts = np.array([ts for ts, _ in messages])
    flags = np.where(np.arange(len(ts)) == 0, SNAPSHOT, 0) | LAST
    side, price, size = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    books = BookStream(ts, np.arange(len(ts)), flags, end, side.astype(np.int8), price, size)
    columns = np.array(trades, np.int64).reshape(-1, 4).T
    flags = np.zeros(len(trades), np.uint8)
    return books, TradeStream(
        columns[0], np.arange(len(trades)), flags, columns[1].astype(np.int8), columns[2], columns[3]
    )
