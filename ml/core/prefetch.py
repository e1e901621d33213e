"""Prefetching: compute the next items of an iterable in a thread while the current one is used.

Useful for sources whose work is compiled code that runs in parallel with other threads.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
END = object()


def prefetch(source: Iterable[T], items: int = 2) -> Iterator[T]:
    """The items of a source, made in a thread of their own; what the source raises is raised here, in its place.

    On one core two threads would only wait for each other: then each item is made when it is taken.

    Args:
        source: is read by that thread alone.
        items: at most so many are made before they are taken.
    """
    if _cores() == 1:
        yield from source
        return
    made = iter(source)
    with ThreadPoolExecutor(1, "ahead") as thread:
        awaited = deque(thread.submit(next, made, END) for _ in range(items))
        while (item := awaited.popleft().result()) is not END:
            awaited.append(thread.submit(next, made, END))
            yield item  # type: ignore[misc]


def _cores() -> int:
    """That this process may use; not every system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
