"""Working ahead: the same items in the same order, and no more of them than asked for."""

import os
import threading
from time import sleep

import pytest

from ml.core.prefetch import prefetch


@pytest.mark.parametrize("items", [1, 2, 9])
def test_the_items_come_in_order_out_of_another_thread(items):
    """All of them, whatever is held ready."""
    makers = set()

    def source():
        for k in range(50):
            makers.add(threading.current_thread().name)
            yield k

    assert list(prefetch(source(), items)) == list(range(50))
    assert len(makers) == 1
    assert threading.current_thread().name not in makers


def test_on_one_core_nothing_is_made_before_it_is_asked_for():
    """In this thread, one after the other."""
    made = []
    cores = os.sched_getaffinity(0)

    def source():
        for k in range(5):
            made.append((k, threading.current_thread()))
            yield k

    os.sched_setaffinity(0, {min(cores)})
    try:
        taken = prefetch(source())
        assert next(taken) == 0
        assert made == [(0, threading.current_thread())]
        assert list(taken) == [1, 2, 3, 4]
    finally:
        os.sched_setaffinity(0, cores)


def test_no_more_is_made_than_can_wait():
    """Two wait while one is used."""
    made = []

    def source():
        for k in range(50):
            made.append(k)
            yield k

    taken = prefetch(source())
    assert next(taken) == 0
    sleep(0.1)
    assert made == [0, 1, 2]
    taken.close()
    assert len(made) <= 4


def test_an_error_of_the_source_comes_in_its_place():
    """What was made before it is used."""

    def source():
        yield 1
        raise ValueError("torn")

    taken = prefetch(source())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="torn"):
        next(taken)


def test_nothing_gives_nothing():
    """A source without items."""
    assert list(prefetch([])) == []
