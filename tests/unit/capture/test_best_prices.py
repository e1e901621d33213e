"""Best prices of a stream's book, against a book kept in full."""

from hypothesis import given
from hypothesis import strategies as st

from ml.capture.best_prices import REFETCH_INTERVAL_NS, Tops

LEVEL = st.tuples(st.sampled_from(["0.5", "1", "1.50", "1.5", "10", "11.25"]), st.sampled_from(["0", "0.000", "2"]))
MESSAGE = st.tuples(st.lists(LEVEL, max_size=4), st.lists(LEVEL, max_size=4), st.integers(0, 5))


@given(st.lists(MESSAGE, max_size=12))
def test_it_is_crossed_when_the_whole_book_is(messages):
    """Levels added, changed and removed in any order, snapshots in between, sides that empty."""
    tops = Tops()
    book = ({}, {})
    crossed = 0
    for bids, asks, kind in messages:
        if kind == 0:
            book = ({}, {})
        for held, levels in zip(book, (bids, asks), strict=True):
            held |= {float(price): float(size) for price, size in levels}
        best = [[price for price, size in held.items() if size] for held in book]
        crossed = crossed + 1 if all(best) and max(best[0]) > min(best[1]) else 0
        tops.take(bids, asks, reset=kind == 0)
        assert tops.crossed == crossed


def test_a_crossed_book_is_mended_after_two_messages_and_not_again_for_ten_minutes():
    """One message may be half of a change; an auction is crossed for hours."""
    tops = Tops()
    asked = list[int]()
    for second in range(1, 2_000):
        tops.take([("2", "1")], [("1", "1")], reset=second % 7 == 0)
        if tops.must_repair(second * 10**9):
            asked.append(second)
    step = REFETCH_INTERVAL_NS // 10**9
    assert asked == [2, 2 + step, 2 + 2 * step, 2 + 3 * step]


def test_a_crossed_book_stays_wrong_until_its_snapshot():
    """The kernel gave it up, and takes it back by a snapshot alone, though the levels part again."""
    tops = Tops()
    for _ in range(2):
        tops.take([("2", "1")], [("1", "1")], reset=False)
    tops.take([("2", "0")], [], reset=False)
    assert (tops.crossed, tops.must_repair(0)) == (0, True)
    tops.take([("1", "1")], [("2", "1")], reset=True)
    assert not tops.must_repair(REFETCH_INTERVAL_NS)
