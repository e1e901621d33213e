"""The classes of a direction label.

Here: their codes, and classing movements by a threshold, as arrays or as expressions.
Not here: movements (`ml.labels.future`), thresholds (`ml.labels.spec`).
"""

import numpy as np
import polars as pl

DOWN = 0
NEUTRAL = 1
UP = 2
FIXED_THRESHOLD = 0.001
"""Ten basis points: the class threshold of the predecessor, kept for comparison."""


def directions(movement: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Classes i8 from movements (fractions) and a threshold: DOWN below minus it, UP above it, else NEUTRAL."""
    return np.where(movement > threshold, UP, np.where(movement < -np.asarray(threshold), DOWN, NEUTRAL)).astype(
        np.int8
    )


def fixed_direction(movement: pl.Expr) -> pl.Expr:
    """Classes i8 from movements by the fixed threshold; null stays null."""
    return (
        pl.when(movement > FIXED_THRESHOLD)
        .then(UP)
        .when(movement < -FIXED_THRESHOLD)
        .then(DOWN)
        .when(movement.is_not_null())
        .then(NEUTRAL)
        .cast(pl.Int8)
    )
