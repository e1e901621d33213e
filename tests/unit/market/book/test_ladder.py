"""The compiled book against two dictionaries, near the price and far from it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.market.book.compiled import njit_no_alloc
from ml.market.book.ladder import FULL, WINDOW, best, clear, count, empty_book, levels, set_levels, settle, top
from tests.oracles.book import DictBook
from tests.support.examples import examples

CENTER = 10_000_000
NEAR = st.integers(-20, 20)
EDGE = st.sampled_from([-WINDOW // 2 - 1, -WINDOW // 2, WINDOW // 2 - 1, WINDOW // 2, WINDOW // 2 + 1])
FAR = st.sampled_from([-9_999_999, -5_000_000, -100_000, 70_000, 3 * WINDOW, 10**9, 10**15])
LEVEL = st.tuples(st.sampled_from([1, -1]), st.one_of(NEAR, EDGE, FAR), st.integers(0, 3))
MESSAGES = st.lists(st.lists(LEVEL, max_size=6), max_size=8)


@njit_no_alloc
def apply(book, sides, prices, sizes, before):
    """One message, as the kernel applies it."""
    set_levels(book, sides, prices, sizes, 0, prices.size, before)
    settle(book)


@njit_no_alloc
def ladder(book, side, prices, sizes):
    """The best levels, as the kernel reads them."""
    top(book, side, prices, sizes)


def send(book, message, center=CENTER):
    """Apply (side, distance from the center, size) to a book; returns the sizes before."""
    sides, prices, sizes = (np.array([level[i] for level in message], np.int64) for i in range(3))
    before = np.zeros(max(len(message), 1), np.int64)
    apply(book, sides.astype(np.int8), prices + center, sizes, before)
    return before[: len(message)].tolist()


def started():
    book = empty_book()
    clear(book, CENTER)
    return book, DictBook()


def agree(book, slow):
    """Best, count, all levels and the best twenty of both sides are the dictionaries'."""
    for index, side in enumerate((1, -1)):
        assert best(book, index) == (slow.best(side) or 0)
        assert count(book, index) == len(slow.sides[side])
        assert list(zip(*(a.tolist() for a in levels(book, index)), strict=True)) == sorted(slow.sides[side].items())
        prices = np.full(20, -1)
        sizes = np.full(20, -1)
        ladder(book, index, prices, sizes)
        expected = slow.top(side, 20)
        assert list(zip(prices.tolist(), sizes.tolist(), strict=True)) == expected + [(0, 0)] * (20 - len(expected))


@settings(max_examples=examples(40, 150), deadline=None)
@given(MESSAGES)
def test_every_book_equals_the_dictionaries(messages):
    """After each message, whatever moves in or out of the window, with a crossed or an empty side too."""
    book, slow = started()
    for message in messages:
        expected = [slow.set(side, price + CENTER, size) for side, price, size in message]
        assert send(book, message) == expected
        agree(book, slow)


@pytest.mark.parametrize("step", [WINDOW // 8, WINDOW // 2, WINDOW, 7 * WINDOW])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_price_that_walks_away_takes_the_window_along(step, direction):
    """Levels that it leaves behind are kept, and found again when it comes back."""
    book, slow = started()
    path = [direction * step * k for k in range(5)]
    for mid in [*path, *reversed(path)]:
        message = [(1, mid - 1, 2), (-1, mid + 1, 3), (1, mid - WINDOW // 2, 1), (-1, mid + WINDOW // 2, 1)]
        message += [(1, price - CENTER, 0) for price in slow.sides[1] if price > CENTER + mid]
        message += [(-1, price - CENTER, 0) for price in slow.sides[-1] if price < CENTER + mid]
        for side, price, size in message:
            slow.set(side, price + CENTER, size)
        send(book, message)
        agree(book, slow)


def test_clearing_leaves_nothing():
    """Near or far, and the window stands around the new price."""
    book, slow = started()
    send(book, [(1, -5, 1), (-1, 5, 1), (1, -9_000_000, 1), (-1, 10**9, 1)])
    clear(book, 77)
    agree(book, slow)
    assert send(book, [(1, 0, 4)], center=77) == [0]
    assert best(book, 0) == 77


def test_far_levels_that_come_and_go_do_not_fill_the_book():
    """Places of removed far levels are used again; only too many at once are too many."""
    book, _ = started()
    send(book, [(1, -1, 1), (-1, 1, 1)])
    for batch in range(5):
        far = [(1, -2_000_000 - 10_000 * batch - k, 1) for k in range(9_000)]
        send(book, far)
        send(book, [(side, price, 0) for side, price, _ in far])
    assert (book.head[FULL], count(book, 0)) == (0, 1)
    send(book, [(1, -2_000_000 - k, 1) for k in range(33_000)])
    assert book.head[FULL] == 1
