"""The order of an archive's rows: by their ids or times where a file has lost it, and which times fit no others.

Here: whether a file is in order, the order that it should have, and its odd times.
Not here: reading rows (`ml.market.files.archives.detect`), what a row says (`ml.market.files.archives.table`).

An archive keeps one clock. Followed row by row, a single time that is far ahead would make all later rows look late, so
each time is judged by all others: those that never go back from row to row are the file's, as many as there can be, and
a row is odd whose time lies outside its neighbours among them.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from ml.core.errors import FrameError
from ml.market.bulk.shapes import I64
from ml.market.decode.clock import MAX_BACK_NS

UNKNOWN = -1
OUT_OF_ORDER = "out_of_order"


class Key(NamedTuple):
    """By what a row is ordered: time in ns UTC and id; UNKNOWN where it cannot be read or the format has none."""

    stamp: int = UNKNOWN
    number: int = UNKNOWN


class Order(NamedTuple):
    """The rows of a file by their position, in the order in which they are read, and those whose time is odd."""

    rows: I64
    odd: dict[int, FrameError]


def in_order(keys: Iterable[Key], late_ns: int = MAX_BACK_NS) -> bool:
    """Whether no id goes back, and no time by more than some ns."""
    latest = UNKNOWN
    number = UNKNOWN
    for key in keys:
        if key.stamp != UNKNOWN:
            if key.stamp < latest - late_ns or key.number < number:
                return False
            latest = max(latest, key.stamp)
            number = key.number
    return True


def ordered(keys: Iterable[Key], *, by_time: bool) -> Order:
    """The order of a file's rows: by id where they have one, else by time if asked for, else that of the file."""
    stamps = array("q")
    numbers = array("q")
    for key in keys:
        stamps.append(key.stamp)
        # a row whose id cannot be read stays behind the one before it
        numbers.append(numbers[-1] if key.number == UNKNOWN and numbers else key.number)
    times = np.array(stamps, np.int64)
    ids = np.array(numbers, np.int64)
    rows = np.arange(len(times))
    if (ids != UNKNOWN).any():
        rows = np.argsort(ids, kind="stable")
    elif by_time:
        steps = np.diff(times)
        if (steps < 0).sum() > (steps > 0).sum():
            rows = rows[::-1]  # a file that runs backwards: rows of one time were also written backwards
        rows = rows[np.argsort(times[rows], kind="stable")]
    return Order(rows, _odd(times, rows[times[rows] != UNKNOWN]))


def _odd(times: I64, rows: I64) -> dict[int, FrameError]:
    """The rows, given in their order, whose time lies outside those around them."""
    stamps = times[rows]
    if not len(stamps) or (stamps >= np.maximum.accumulate(stamps) - MAX_BACK_NS).all():
        return {}
    kept = _never_back(stamps)
    lowest = np.maximum.accumulate(np.where(kept, stamps, stamps[kept][0]))
    highest = np.minimum.accumulate(np.where(kept, stamps, stamps[kept][-1])[::-1])[::-1]
    outside = np.flatnonzero((stamps < lowest - MAX_BACK_NS) | (stamps > highest + MAX_BACK_NS))
    return {int(rows[k]): _error(*map(int, (stamps[k], lowest[k], highest[k]))) for k in outside}


def _error(stamp: int, lowest: int, highest: int) -> FrameError:
    around = f"those of the rows around it, {_text(lowest)} to {_text(highest)}"
    return FrameError(OUT_OF_ORDER, f"its time {_text(stamp)} does not fit {around}")


def _text(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).isoformat(" ").removesuffix("+00:00") + f".{ns // 10**6 % 1000:03}"


def _never_back(stamps: I64) -> np.ndarray:
    """Which of the rows to keep so that no time goes back and as many as possible are left."""
    lowest = array("q")
    last = array("q")
    """Of the sequences of each length the lowest last time, and the row that has it."""
    before = np.full(len(stamps), UNKNOWN)
    for k, stamp in enumerate(stamps.tolist()):
        length = bisect_right(lowest, stamp)
        if length:
            before[k] = last[length - 1]
        if length == len(lowest):
            lowest.append(stamp)
            last.append(k)
        else:
            lowest[length] = stamp
            last[length] = k
    kept = np.zeros(len(stamps), bool)
    k = last[-1]
    while k != UNKNOWN:
        kept[k] = True
        k = int(before[k])
    return kept
