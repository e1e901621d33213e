"""Rows that a model can read.

Here: whether they are as wide as the model's feature set.
Not here: whether the set is the running one (`live.runner`), what is done with the rows (`lightgbm`).
"""

from collections.abc import Sequence

import numpy as np

from ml.core.errors import ModelRefused


def check_width(features: np.ndarray, columns: Sequence[str], feature_set: str) -> None:
    """Refuse rows that are not f64 (n, columns of the set): by position, other columns would pass for its own.

    Raises:
        ModelRefused: names the set, what it needs and what was given.
    """
    if features.ndim != 2 or features.shape[1] != len(columns):
        raise ModelRefused(
            f"Rows of shape {features.shape} do not fit a model of {feature_set}, which needs (rows, {len(columns)})"
            f", {columns[0]} to {columns[-1]}. Pass the columns of its feature set, in order."
        )
