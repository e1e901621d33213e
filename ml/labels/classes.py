"""The classes of a direction label.

Here: their codes, and classing movements by a threshold.
Not here: movements (`ml.labels.future`), thresholds (`ml.labels.spec`).
"""

import numpy as np

DOWN, NEUTRAL, UP = 0, 1, 2


def directions(movement: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Classes i8 from movements (fractions) and a threshold: DOWN below minus it, UP above it, else NEUTRAL."""
    return np.where(movement > threshold, UP, np.where(movement < -np.asarray(threshold), DOWN, NEUTRAL)).astype(
        np.int8
    )
