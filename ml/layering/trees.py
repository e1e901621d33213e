"""Scores of layering clusters by compiled trees.

Here: the score of a cluster, and its least and largest over what the lots may have been traded.
Not here: reading trees and walking them (`ml.learning.models.trees`), training and files (`ml.layering.model`).
"""

from math import exp

from ml.layering.features import NAMES
from ml.layering.layout import F64
from ml.learning.models.trees import Trees, leaf_sum
from ml.market.book.compiled import njit_inline, njit_no_alloc

FILLED = NAMES.index("filled")


@njit_inline
def _score(trees: Trees, row: F64) -> float:
    return 1.0 / (1.0 + exp(-leaf_sum(trees, row, 0, 1)))


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
