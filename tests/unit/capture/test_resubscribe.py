"""When books and connections are requested again."""

import itertools

from ml.capture.resubscribe import APART_SECONDS, MANY, MOST_PATIENCE, PATIENCE_SECONDS, Renewal

BOOKS = tuple(f"S{k}" for k in range(3 * MANY))


def test_a_book_that_waits_is_asked_for_at_once_and_once():
    """Its connection stays as it is, and so do the other books."""
    renewal = Renewal([("A", "B"), ("C",)])
    assert renewal.due(set(), 0.0) == ([], [])
    assert renewal.due({"B"}, 1.0) == (["B"], [])
    assert renewal.due({"B"}, 1.1) == ([], [])
    assert renewal.due(set(), 1.2) == ([], [])


def test_a_book_that_does_not_come_back_has_its_connection_reopened_ever_more_rarely():
    """After five seconds, then ten, at most ten minutes; the wait starts over once it came back."""
    renewal = Renewal([("X",), ("A", "B")])
    reopened = list[float]()
    for tenth in range(1, 40_000):
        now = tenth / 10
        if renewal.due({"A"}, now).connections == [1]:
            reopened.append(now)
    waits = [round(b - a) for a, b in itertools.pairwise(reopened)]
    assert round(reopened[0]) == PATIENCE_SECONDS
    assert waits[:4] == [10, 20, 40, 80]
    assert max(waits) == MOST_PATIENCE
    renewal.due(set(), 5_000.0)
    assert renewal.due({"A"}, 5_001.0) == (["A"], [])
    assert renewal.due({"A"}, 5_001.0 + PATIENCE_SECONDS) == ([], [1])


def test_a_book_is_not_asked_for_more_often_than_venues_take():
    """One that breaks again soon waits; renewals stay apart."""
    renewal = Renewal([("A",)])
    asked = list[float]()
    for tenth in range(10_000):
        now = tenth / 10
        waiting = {"A"} if tenth % 20 else set()
        if renewal.due(waiting, now).books:
            asked.append(now)
    assert min(b - a for a, b in itertools.pairwise(asked)) >= APART_SECONDS
    assert len(asked) > 50


def test_many_books_at_once_are_asked_for_by_one_dial():
    """Fewer messages than one by one; not again at the next look."""
    renewal = Renewal([BOOKS])
    assert renewal.due(set(BOOKS[: MANY - 1]), 0.0) == (list(BOOKS[: MANY - 1]), [])
    assert renewal.due(set(BOOKS), 1.0) == ([], [0])
    assert renewal.due(set(BOOKS), 1.1) == ([], [])
