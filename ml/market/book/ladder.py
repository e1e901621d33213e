"""The order book as integers: a dense ladder of sizes near the touch, sorted arrays for the far levels.

Here: setting levels, reading the best ones, keeping the ladder's window around the price. All compiled.
Not here: time, messages and samples (`ml.market.book.kernel`).

One index of the dense ladder is one price unit, so a book is exact whatever the tick. Far levels are few and rarely
touched: a binary search and a move of the tail are cheap enough there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.market.book.compiled import njit_inline, njit_no_alloc

WINDOW = 1 << 17
MARGIN = WINDOW // 8
FAR_CAPACITY = 1 << 15
NO_ASK = 1 << 62

BASE, BEST_BID, BEST_ASK, N_FAR_BIDS, N_FAR_ASKS, FULL, LOWEST, HIGHEST = range(8)


class Book(NamedTuple):
    """One book; side 0 is bid, side 1 ask.

    `dense` i64 (2, WINDOW): size at price `head[BASE] + index`. `far_price`, `far_size` i64 (2, FAR_CAPACITY): levels
    outside the window by ascending price. `head` i64 (8): base, best prices inside the window (0 if none), far counts,
    whether a far level found no room: then the book is no longer known; and the bounds of the window's indices at which
    sizes may stand, both included.
    """

    dense: NDArray[np.int64]
    far_price: NDArray[np.int64]
    far_size: NDArray[np.int64]
    head: NDArray[np.int64]


def empty_book() -> Book:
    """A book without levels."""
    return Book(
        dense=np.zeros((2, WINDOW), np.int64),
        far_price=np.zeros((2, FAR_CAPACITY), np.int64),
        far_size=np.zeros((2, FAR_CAPACITY), np.int64),
        head=np.array([0, 0, 0, 0, 0, 0, WINDOW, -1]),
    )


def levels(book: Book, side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All levels of a side by ascending price: prices and sizes, i64."""
    n = int(book.head[N_FAR_BIDS + side])
    dense = np.flatnonzero(book.dense[side])
    far = np.flatnonzero(book.far_size[side, :n])
    prices = np.concatenate([book.far_price[side][far], dense + book.head[BASE]])
    sizes = np.concatenate([book.far_size[side][far], book.dense[side][dense]])
    order = np.argsort(prices)
    return prices[order], sizes[order]


@njit_no_alloc
def clear(book: Book, center: int) -> None:
    """Remove all levels and put the window around a price."""
    head = book.head
    for side in range(2):
        for index in range(head[LOWEST], head[HIGHEST] + 1):
            book.dense[side, index] = 0
    for i in range(head.size):
        head[i] = 0
    head[BASE] = center - WINDOW // 2
    head[LOWEST] = WINDOW
    head[HIGHEST] = -1


@njit_inline
def set_levels(
    book: Book,
    sides: NDArray[np.int8],
    prices: NDArray[np.int64],
    sizes: NDArray[np.int64],
    start: int,
    end: int,
    before: NDArray[np.int64],
) -> None:
    """Set the levels in rows start to end (side > 0 bid, < 0 ask, 0 none; size 0 removes). `settle` must follow.

    The sizes before go to `before`, i64, at least end - start long; an empty array asks for none.
    """
    head = book.head
    dense = book.dense
    keep = before.size > 0
    base = head[BASE]
    bid = head[BEST_BID]
    ask = head[BEST_ASK] if head[BEST_ASK] > 0 else NO_ASK
    lowest = head[LOWEST]
    highest = head[HIGHEST]
    which = sides[start:end]
    price_of = prices[start:end]
    size_of = sizes[start:end]
    for r in range(which.size):
        if which[r] == 0:
            continue
        side = 0 if which[r] > 0 else 1
        price = price_of[r]
        size = size_of[r]
        index = price - base
        if index < 0 or index >= WINDOW:
            old = _set_far(book, side, price, size)
            if keep:
                before[r] = old
            continue
        if keep:
            before[r] = dense[side, index]
        dense[side, index] = size
        lowest = min(lowest, index)
        highest = max(highest, index)
        # as selections, not branches: whether a size is 0 cannot be predicted
        if side == 0:
            bid = max(bid, price if size > 0 else 0)
        else:
            ask = min(ask, price if size > 0 else NO_ASK)
    head[BEST_BID] = bid
    head[BEST_ASK] = ask if ask < NO_ASK else 0
    head[LOWEST] = lowest
    head[HIGHEST] = highest


@njit_inline
def settle(book: Book) -> None:
    """Find the best prices again after levels were set, and move the window when the price nears its edge."""
    head = book.head
    dense = book.dense
    base = head[BASE]
    if head[BEST_BID] > 0:
        index = head[BEST_BID] - base
        while index >= 0 and dense[0, index] == 0:
            index -= 1
        head[BEST_BID] = index + base if index >= 0 else 0
    if head[BEST_ASK] > 0:
        index = head[BEST_ASK] - base
        while index < WINDOW and dense[1, index] == 0:
            index += 1
        head[BEST_ASK] = index + base if index < WINDOW else 0
    bid = best(book, 0)
    ask = best(book, 1)
    if bid == 0 and ask == 0:
        return
    center = (bid + ask) // 2 if bid > 0 and ask > 0 else max(bid, ask)
    if abs(center - base - WINDOW // 2) > WINDOW // 2 - MARGIN:
        _move_window(book, center - WINDOW // 2)


@njit_no_alloc
def best(book: Book, side: int) -> int:
    """Best price of a side over all levels, 0 if the side is empty."""
    head = book.head
    n = book.head[N_FAR_BIDS + side]
    inside = head[BEST_BID + side]
    if side == 0:
        beyond = n > 0 and book.far_price[0, n - 1] >= head[BASE] + WINDOW
    else:
        beyond = n > 0 and book.far_price[1, 0] < head[BASE]
    if inside > 0 and not beyond:
        return inside
    found = inside
    for i in range(n):
        price = book.far_price[side, i]
        better = found == 0 or (price > found if side == 0 else price < found)
        if book.far_size[side, i] > 0 and better:
            found = price
    return found


@njit_inline
def top(book: Book, side: int, prices: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
    """Write the best levels of a side, best first, into two arrays of equal length; 0 where there are fewer."""
    head = book.head
    base = book.head[BASE]
    n = book.head[N_FAR_BIDS + side]
    k = 0
    wanted = prices.size
    step = 2 * side - 1
    far = n - 1 if side == 0 else 0
    # far levels that are better than the window, the window, far levels that are worse
    while k < wanted and 0 <= far < n and (book.far_price[side, far] - base - (WINDOW - 1) * (1 - side)) * step < 0:
        prices[k] = book.far_price[side, far]
        sizes[k] = book.far_size[side, far]
        k = k + (sizes[k] > 0)
        far = far + step
    row = book.dense[side]
    index = head[BEST_BID + side] - base
    # written always, kept if the level is there: which ticks are filled cannot be predicted; a fixed step is faster
    if side == 0 and head[BEST_BID] > 0:
        while k < wanted and index >= head[LOWEST]:
            prices[k] = base + index
            sizes[k] = row[index]
            k = k + (row[index] > 0)
            index = index - 1
    elif side == 1 and head[BEST_ASK] > 0:
        while k < wanted and index <= head[HIGHEST]:
            prices[k] = base + index
            sizes[k] = row[index]
            k = k + (row[index] > 0)
            index = index + 1
    while k < wanted and 0 <= far < n:
        prices[k] = book.far_price[side, far]
        sizes[k] = book.far_size[side, far]
        k = k + (sizes[k] > 0)
        far = far + step
    for absent in range(k, wanted):
        prices[absent] = 0
        sizes[absent] = 0


@njit_no_alloc
def count(book: Book, side: int) -> int:
    """Number of levels of a side."""
    n = 0
    for i in range(book.head[N_FAR_BIDS + side]):
        n += book.far_size[side, i] > 0
    for index in range(WINDOW):
        n += book.dense[side, index] > 0
    return n


@njit_no_alloc
def _set_far(book: Book, side: int, price: int, size: int) -> int:
    """Set a far level. A removed one keeps its place with size 0, since far prices come back repeatedly."""
    prices = book.far_price
    sizes = book.far_size
    n = book.head[N_FAR_BIDS + side]
    at = 0
    left = n
    while left > 0:
        half = left // 2
        below = prices[side, at + half] < price
        at, left = (at + half + 1, left - half - 1) if below else (at, half)
    if at < n and prices[side, at] == price:
        before = sizes[side, at]
        sizes[side, at] = size
        return before
    if size == 0:
        return 0
    if n == FAR_CAPACITY:
        kept = _drop_removed(book, side)
        if kept == n:
            book.head[FULL] = 1
            return 0
        return _set_far(book, side, price, size)
    for i in range(n, at, -1):
        prices[side, i] = prices[side, i - 1]
        sizes[side, i] = sizes[side, i - 1]
    prices[side, at] = price
    sizes[side, at] = size
    book.head[N_FAR_BIDS + side] = n + 1
    return 0


@njit_no_alloc
def _drop_removed(book: Book, side: int) -> int:
    """Close the gaps that removed far levels left; returns how many are left."""
    kept = 0
    for i in range(book.head[N_FAR_BIDS + side]):
        if book.far_size[side, i] > 0:
            book.far_price[side, kept], book.far_size[side, kept] = book.far_price[side, i], book.far_size[side, i]
            kept += 1
    book.head[N_FAR_BIDS + side] = kept
    return kept


@njit_no_alloc
def _move_window(book: Book, base: int) -> None:
    """Move the window: levels that leave it go far, far levels that enter it come in, and the best are found again."""
    head = book.head
    dense = book.dense
    shift = base - head[BASE]
    for side in range(2):
        for index in range(WINDOW):
            if dense[side, index] > 0 and not 0 <= index - shift < WINDOW:
                _set_far(book, side, head[BASE] + index, dense[side, index])
        for i in range(WINDOW):
            index = i if shift > 0 else WINDOW - 1 - i
            dense[side, index] = dense[side, index + shift] if 0 <= index + shift < WINDOW else 0
        for i in range(head[N_FAR_BIDS + side]):
            index = book.far_price[side, i] - base
            if 0 <= index < WINDOW:
                dense[side, index] = book.far_size[side, i]
                book.far_size[side, i] = 0
        _drop_removed(book, side)
    head[BASE] = base
    head[BEST_BID] = 0
    head[BEST_ASK] = 0
    head[LOWEST] = 0
    head[HIGHEST] = WINDOW - 1
    for index in range(WINDOW):
        if dense[0, index] > 0:
            head[BEST_BID] = base + index
        if dense[1, WINDOW - 1 - index] > 0:
            head[BEST_ASK] = base + WINDOW - 1 - index
