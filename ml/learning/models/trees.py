"""Trees of a trained LightGBM model as arrays, evaluated by compiled code.

Here: reading them from the model's text, the sum of their leaves, and class probabilities of rows.
Not here: training and files (`ml.learning.models.lightgbm`), scores of layering clusters (`ml.layering.trees`).

LightGBM's own `predict` takes longer to be called for one row than its trees take to answer; evaluated here, the same
trees give the same numbers, bit for bit, which tests compare.
"""

from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import ModelRefused
from ml.market.book.compiled import njit_inline, njit_no_alloc

PLAIN_SPLIT = 2
"""LightGBM's `decision_type` of a split by a number in a column without missing values."""
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Trees(NamedTuple):
    """Trees whose leaves are added up, for several classes in turn: tree k belongs to class k modulo their number.

    Splits of all trees lie one after the other. Row k of `children` holds what follows split k if the value is at most
    `threshold[k]`, and if it is larger: the number of a split, or ~number of a leaf. `roots` has each tree's first.
    """

    feature: I64
    threshold: F64
    children: I64
    leaves: F64
    roots: I64


def read(text: str) -> Trees:
    """Trees from the text of a LightGBM model.

    Raises:
        ModelRefused: it splits by category or treats missing values apart.
    """
    columns: dict[str, list[list[float]]] = {
        name: [] for name in ("split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")
    }
    for line in text.split("end of trees")[0].splitlines():
        name, _, values = line.partition("=")
        if name in columns:
            columns[name].append([float(value) for value in values.split()])
    if any(kind != PLAIN_SPLIT for tree in columns["decision_type"] for kind in tree):
        raise ModelRefused("The trees split by category or treat missing values apart. Train them on complete numbers.")
    splits = np.cumsum([0, *map(len, columns["threshold"])])
    leaves = np.cumsum([0, *map(len, columns["leaf_value"])])
    children = list[I64]()
    roots = list[int]()
    for k, sides in enumerate(zip(columns["left_child"], columns["right_child"], strict=True)):
        both = np.array(sides, np.int64).T.reshape(-1, 2)
        children.append(np.where(both >= 0, both + splits[k], both - leaves[k]))
        roots.append(int(splits[k]) if len(both) else int(~leaves[k]))
    return Trees(
        feature=np.concatenate(columns["split_feature"]).astype(np.int64),
        threshold=np.concatenate(columns["threshold"]),
        children=np.ascontiguousarray(np.concatenate(children)),
        leaves=np.concatenate(columns["leaf_value"]),
        roots=np.array(roots, np.int64),
    )


@njit_inline
def leaf_sum(trees: Trees, row: F64, first: int, step: int) -> float:
    """The sum over every `step`-th tree from `first` on of the leaf that a row reaches."""
    total = 0.0
    for k in range(first, len(trees.roots), step):
        at = trees.roots[k]
        while at >= 0:
            at = trees.children[at, int(row[trees.feature[at]] > trees.threshold[at])]
        total += trees.leaves[~at]
    return total  # type: ignore[return-value]


@njit_no_alloc
def class_probabilities(trees: Trees, rows: F32, probabilities: F64) -> None:
    """The softmax of the classes' sums, into f64 (n, classes), of rows f32 (n, features); in LightGBM's order."""
    classes = probabilities.shape[1]
    for i in range(len(rows)):
        largest = -np.inf
        for c in range(classes):
            total = leaf_sum(trees, rows[i], c, classes)
            probabilities[i, c] = total
            largest = max(largest, total)
        weight = 0.0
        for c in range(classes):
            probabilities[i, c] = exp(probabilities[i, c] - largest)
            weight += probabilities[i, c]
        for c in range(classes):
            probabilities[i, c] /= weight


def prepare() -> None:
    """Have the compiled function loaded, or compiled, before the first row waits for it."""
    none = np.zeros(0, np.int64)
    empty = Trees(none, np.zeros(0), np.zeros((0, 2), np.int64), np.zeros(0), none)
    class_probabilities(empty, np.zeros((1, 1), np.float32), np.zeros((1, 3)))
