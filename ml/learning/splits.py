"""Purged walk-forward splits by label interval.

Here: the folds, by time; nothing is ever shuffled.
Not here: what is trained on them (`ml.learning.walk_forward`).

A training row whose label interval [t0, t1) touches the test span [min t0, max t1) is dropped (Lopez de Prado 2018,
ch. 7). Training lies before the test, so an embargo after the test has nothing to drop; the gap that matters here is
before it, and `embargo` widens that one.
"""

from dataclasses import dataclass

import numpy as np

from ml.core.errors import DatasetError


@dataclass(frozen=True)
class Fold:
    """Row numbers of one fold, ascending in time: training, and the test block after it."""

    number: int
    train: np.ndarray
    test: np.ndarray


def edges(start: np.ndarray, first_share: float, n_splits: int) -> np.ndarray:
    """Times (ns) that bound the first training block and the test blocks, equal in rows: n_splits + 1 values."""
    ordered = np.sort(start)
    positions = np.linspace(first_share * len(ordered), len(ordered), n_splits + 1).astype(int)
    return np.append(ordered[positions[:-1]], ordered[-1] + 1)


def walk_forward(
    start: np.ndarray, end: np.ndarray, first_share: float, n_splits: int, embargo: int, sliding: bool = False
) -> list[Fold]:
    """Folds over rows with label intervals [start, end), i64 ns, in any order of rows.

    Args:
        start: label start per row.
        end: label end per row.
        first_share: share of the rows that only ever train, 0 to 1.
        n_splits: number of test blocks after them.
        embargo: ns that must lie between the end of a training label and the test span.
        sliding: whether a fold trains on as many of the last rows as the first one has, instead of on all before it.

    Raises:
        DatasetError: a fold would have no training or no test rows.
    """
    bounds = edges(start, first_share, n_splits)
    order = np.argsort(start, kind="stable")
    folds: list[Fold] = []
    for number in range(n_splits):
        test = order[(start[order] >= bounds[number]) & (start[order] < bounds[number + 1])]
        if test.size == 0:
            raise DatasetError(f"Fold {number} of {n_splits} has no test rows: {len(start)} rows are too few.")
        train = purge(order, start, end, int(start[test].min()), int(end[test].max()), embargo)
        if train.size == 0:
            raise DatasetError(f"Fold {number} of {n_splits} has no training rows left after purging. Use more data.")
        if sliding and folds:
            train = train[-len(folds[0].train) :]
        folds.append(Fold(number, train, test))
    return folds


def purge(
    order: np.ndarray, start: np.ndarray, end: np.ndarray, test_start: int, test_end: int, embargo: int
) -> np.ndarray:
    """Rows of `order` that lie before the test span and whose label ends `embargo` ns or more before it."""
    return order[(start[order] < test_end) & (end[order] <= test_start - embargo)]


def last_block(fold: Fold, size: int) -> np.ndarray:
    """The last `size` training rows: the training block as long as the test block that follows it."""
    return fold.train[-size:]


def seal(fold: Fold, start: np.ndarray, end: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The test rows of the last fold that are looked at freely, and those of the sealed newest slice.

    A row whose label reaches into the sealed slice is in neither.

    Args:
        fold: the last one.
        start: label start per row of all rows, i64 ns.
        end: label end per row.
        share: of all rows, that is sealed.
    """
    ordered = np.sort(start)
    first = ordered[min(round((1 - share) * len(ordered)), len(ordered) - 1)]
    return fold.test[end[fold.test] <= first], fold.test[start[fold.test] >= first]
