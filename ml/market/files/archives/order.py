"""The order of an archive's rows: by their ids or times where a file has lost it, and which times fit no others.

Here: whether a file is in order, the order that it should have, and its odd times.
Not here: reading rows (`ml.market.files.archives.detect`), what a row says (`ml.market.files.archives.table`).

An archive keeps one clock. Followed row by row, a single time that is far ahead would make all later rows look late, so
each time is judged by all others: those that never go back from row to row are the file's, as many as there can be, and
a row is odd whose time lies outside its neighbours among them. So are the ids of aggregated trades: each holds one
trade at least, so from row to row its own id never grows by more than the first id of its trades.
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
    """By what a row is ordered: time in ns UTC and id, and the first id of what the row holds together.

    UNKNOWN where it cannot be read or the format has none.
    """

    stamp: int = UNKNOWN
    number: int = UNKNOWN
    first: int = UNKNOWN


class Order(NamedTuple):
    """The rows of a file by their position, in the order in which they are read, and those with odd time or ids."""

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
    firsts = array("q")
    for key in keys:
        stamps.append(key.stamp)
        # a row whose id cannot be read stays behind the one before it
        numbers.append(numbers[-1] if key.number == UNKNOWN and numbers else key.number)
        firsts.append(key.first)
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
    odd = _odd_ids(ids, np.array(firsts, np.int64), rows)
    times[list(odd)] = UNKNOWN
    return Order(rows, odd | _odd_times(times, rows[times[rows] != UNKNOWN]))


def _odd_ids(ids: I64, firsts: I64, rows: I64) -> dict[int, FrameError]:
    """The rows, given in the order of their ids, whose first id is too low or too high for their own."""
    rows = rows[(ids[rows] != UNKNOWN) & (firsts[rows] != UNKNOWN)]
    odd = _outside(firsts[rows] - ids[rows], 0)
    return {int(rows[k]): _ids_error(int(ids[rows[k]]), int(firsts[rows[k]])) for k, _, _ in odd}


def _odd_times(times: I64, rows: I64) -> dict[int, FrameError]:
    """The rows, given in their order, whose time lies outside those around them."""
    odd = _outside(times[rows], MAX_BACK_NS)
    return {int(rows[k]): _time_error(int(times[rows[k]]), lowest, highest) for k, lowest, highest in odd}


def _outside(values: I64, slack: int) -> list[tuple[int, int, int]]:
    """The positions of those that lie further outside their neighbours than `slack`, each with its bounds."""
    if not len(values) or (values >= np.maximum.accumulate(values) - slack).all():
        return []
    kept = _never_back(values)
    lowest = np.maximum.accumulate(np.where(kept, values, values[kept][0]))
    highest = np.minimum.accumulate(np.where(kept, values, values[kept][-1])[::-1])[::-1]
    outside = np.flatnonzero((values < lowest - slack) | (values > highest + slack))
    return [(int(k), int(lowest[k]), int(highest[k])) for k in outside]


def _ids_error(number: int, first: int) -> FrameError:
    around = "those of the rows around it: an aggregated trade holds one trade at least"
    return FrameError(OUT_OF_ORDER, f"its id {number} with the first trade {first} does not fit {around}")


def _time_error(stamp: int, lowest: int, highest: int) -> FrameError:
    around = f"those of the rows around it, {_text(lowest)} to {_text(highest)}"
    return FrameError(OUT_OF_ORDER, f"its time {_text(stamp)} does not fit {around}")


def _text(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).isoformat(" ").removesuffix("+00:00") + f".{ns // 10**6 % 1000:03}"


def _never_back(values: I64) -> np.ndarray:
    """Which of the rows to keep so that none goes back and as many as possible are left."""
    lowest = array("q")
    last = array("q")
    """Of the sequences of each length the lowest last value, and the row that has it."""
    before = np.full(len(values), UNKNOWN)
    for k, value in enumerate(values.tolist()):
        length = bisect_right(lowest, value)
        if length:
            before[k] = last[length - 1]
        if length == len(lowest):
            lowest.append(value)
            last.append(k)
        else:
            lowest[length] = value
            last[length] = k
    kept = np.zeros(len(values), bool)
    k = last[-1]
    while k != UNKNOWN:
        kept[k] = True
        k = int(before[k])
    return kept
