"""What a model must beat: three baselines that need no book beyond the best levels.

Here: majority, last direction, logistic regression on queue imbalance.
Not here: how they are compared (`ml.evaluation`).
"""

from typing import Protocol

import numpy as np

from ml.labels.classes import NEUTRAL

IMBALANCE_PREFIX = "qi_"
NAMES = ("majority", "last_direction", "logistic_imbalance")


class Baseline(Protocol):
    """Fitted on training rows, asked for directions of others."""

    def directions(self, features: np.ndarray, last_direction: np.ndarray) -> np.ndarray:
        """Classes i8 (n) for features f64 (n, columns) and the direction of the horizon that has just ended."""
        ...


class Majority:
    """Always the most frequent class of the training rows."""

    def __init__(self, direction: np.ndarray) -> None:
        self.answer = int(np.bincount(direction, minlength=3).argmax())

    def directions(self, features: np.ndarray, last_direction: np.ndarray) -> np.ndarray:
        """The same class for all."""
        return np.full(len(features), self.answer, np.int8)


class LastDirection:
    """What the price did over the horizon that has just ended."""

    def directions(self, features: np.ndarray, last_direction: np.ndarray) -> np.ndarray:
        """The last direction itself."""
        return last_direction.astype(np.int8)


class LogisticImbalance:
    """Logistic regression on the queue imbalances, classes weighted equally."""

    def __init__(self, features: np.ndarray, direction: np.ndarray, names: list[str]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.columns = [k for k, name in enumerate(names) if name.startswith(IMBALANCE_PREFIX)]
        self.model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
        self.model.fit(features[:, self.columns], direction)

    def directions(self, features: np.ndarray, last_direction: np.ndarray) -> np.ndarray:
        """The most probable class under equal weights."""
        return self.model.predict(features[:, self.columns]).astype(np.int8)


def fit(features: np.ndarray, direction: np.ndarray, names: list[str]) -> dict[str, Baseline]:
    """All three baselines, fitted on training rows."""
    return {
        "majority": Majority(direction),
        "last_direction": LastDirection(),
        "logistic_imbalance": LogisticImbalance(features, direction, names),
    }


def last_directions(direction: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For each row the class of the latest label of its group that had ended by its start; NEUTRAL where there is none.

    Args:
        direction: i8 (n) classes.
        start: i64 (n) label start, ascending within a group.
        end: i64 (n) label end, ascending within a group.
        group: (n) instrument per row.
    """
    last = np.full(len(direction), NEUTRAL, np.int8)
    for name in np.unique(group):
        rows = np.flatnonzero(group == name)
        position = np.searchsorted(end[rows], start[rows], side="right") - 1
        known = position >= 0
        last[rows[known]] = direction[rows[position[known]]]
    return last
