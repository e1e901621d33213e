"""Trees of a trained LightGBM model as arrays, evaluated by compiled code.

Here: reading them from the model's text, and scores of clusters.
Not here: training and files (`ml.layering.model`).

LightGBM's own `predict` takes longer for one row than everything else that a live message needs; evaluated here, the
same trees give the same scores, which a test compares.
"""

from math import exp
from typing import NamedTuple

import numpy as np

from ml.core.errors import ModelRefused
from ml.layering.features import NAMES
from ml.layering.layout import F64
from ml.market.book.compiled import njit_inline, njit_no_alloc
from ml.market.book.layout import I64

FILLED = NAMES.index("filled")
PLAIN_SPLIT = 2
"""LightGBM's `decision_type` of a split by a number in a column without missing values."""


class Trees(NamedTuple):
    """Binary trees whose leaves are added up; the sigmoid of the sum is the score.

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
        children=np.concatenate(children),
        leaves=np.concatenate(columns["leaf_value"]),
        roots=np.array(roots, np.int64),
    )


@njit_inline
def _score(trees: Trees, row: F64) -> float:
    total = 0.0
    for k in range(len(trees.roots)):
        at = trees.roots[k]
        while at >= 0:
            at = trees.children[at, int(row[trees.feature[at]] > trees.threshold[at])]
        total += trees.leaves[~at]
    return 1.0 / (1.0 + exp(-total))


@njit_no_alloc
def predict(trees: Trees, values: F64, scores: F64) -> None:
    """Scores f64 (n), 0 to 1, of feature rows f64 (n, features)."""
    for i in range(len(values)):
        scores[i] = _score(trees, values[i])


@njit_no_alloc
def predict_band(trees: Trees, values: F64, band: F64, scores: F64) -> None:
    """Scores f64 (n, 3): least, as attributed and largest, over what the lots may have been traded.

    Column `filled` of `values` holds what it held before when it is done.
    """
    for i in range(len(values)):
        row = values[i]
        filled = row[FILLED]
        score = _score(trees, row)
        low = score
        high = score
        for edge in range(2):
            if band[i, edge] != filled:
                row[FILLED] = band[i, edge]
                other = _score(trees, row)
                low = min(low, other)
                high = max(high, other)
        row[FILLED] = filled
        scores[i, 0] = low
        scores[i, 1] = score
        scores[i, 2] = high
