"""What an order is filled at: a taker walks the visible book, a maker waits behind everybody who was there before.

Here: fills of single orders from the book and the trades that they meet.
Not here: which orders are sent when (`ml.evaluation.backtest`), the book (`ml.evaluation.books`).

Nobody sees our orders, so there is no impact: that is an assumption which holds for small orders alone, and the reason
why a backtest caps its orders at a share of the best level.
"""

from collections.abc import Sequence

import numpy as np

from ml.market.book.layout import TradeStream


def walk(prices: np.ndarray, sizes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Size taken from each level, i64 (n, levels): best level first, each whole before the next.

    What the visible levels do not hold stays unfilled.

    Args:
        prices: i64 (n, levels) of the side that is taken from, best first, 0 where there is no level.
        sizes: i64 (n, levels).
        wanted: i64 (n).
    """
    before = np.cumsum(sizes, axis=1) - sizes
    return np.where(prices > 0, np.clip(wanted[:, None] - before, 0, sizes), 0)


def queue_ahead(prices: np.ndarray, sizes: np.ndarray, price: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Size that rests at each order's price when it arrives, i64 (n): 0 at a price without a level, -1 if unknown.

    Unknown is a price beyond the visible levels: such an order is never filled here.

    Args:
        prices: i64 (n, levels) of the side that the order joins, best first, 0 where there is no level.
        sizes: i64 (n, levels).
        price: i64 (n) of the orders.
        side: +1 for an order to buy, -1 to sell (n).
    """
    there = prices == price[:, None]
    ahead = (sizes * there).sum(axis=1)
    deepest = np.where((prices > 0).any(axis=1), np.where(prices > 0, side[:, None] * prices, 1 << 62).min(axis=1), 0)
    beyond = (side * price < deepest) | ~(prices > 0).any(axis=1)
    return np.where(beyond, -1, ahead)


def queue_fills(
    side: int, price: int, size: int, ahead: int, trades: TradeStream, changes: Sequence[tuple[int, int]] = ()
) -> list[tuple[int, int]]:
    """Fills (ns, size) of one resting order, in order of time.

    It is filled by what trades at its price beyond the size that was ahead of it, and whole as soon as a trade is
    through its price. A level that shrinks without a trade fills nobody. By itself it moves nobody up either: who
    cancelled is not known, so all of them may have stood behind us. Given the level's `changes`, the queue ahead is
    never longer than the level, which is what most simulators assume and is the kinder bound.

    Args:
        side: +1 for an order to buy, -1 to sell.
        price: i64 units.
        size: i64 units.
        ahead: size at its price when it arrived; negative is never filled.
        trades: while it rested, in order of arrival.
        changes: times (ns) and sizes of its level while it rested; none leaves the queue to trades alone.
    """
    if ahead < 0:
        return []
    fills: list[tuple[int, int]] = []
    left = size
    pending = list(changes)
    against = np.flatnonzero(trades.side == -side)
    for j in against[side * trades.price[against] <= side * price].tolist():
        ts, traded = int(trades.ts[j]), int(trades.size[j])
        while pending and pending[0][0] < ts:
            ahead = min(ahead, pending.pop(0)[1])
        if int(trades.price[j]) != price:
            fills.append((ts, left))
            return fills
        filled = min(max(traded - ahead, 0), left)
        ahead = max(ahead - traded, 0)
        if filled:
            fills.append((ts, filled))
            left -= filled
        if not left:
            return fills
    return fills
