"""What a model must beat: three baselines that need no book beyond the best levels.

Here: majority and logistic regression on queue imbalance, which are models like any other, and the last direction,
which is none: it needs the labels that have just ended.
Not here: how they are compared (`ml.evaluation`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.labels.classes import NEUTRAL
from ml.learning.models.family import CLASSES, Model, directions
from ml.learning.rows import Rows

IMBALANCE_PREFIX = "qi_"
NAMES = ("majority", "last_direction", "logistic_imbalance")
EVEN = np.full(CLASSES, 1 / CLASSES)


@dataclass(frozen=True)
class NoOptions:
    """Nothing to set."""


class Shares:
    """The class shares of the training rows, whatever the features are."""

    used: tuple[int, ...] = ()
    priors = EVEN

    def __init__(self, shares: np.ndarray) -> None:
        self.shares = shares

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """The same probabilities for all."""
        return np.tile(self.shares, (len(features), 1))

    def save(self) -> dict[str, bytes]:
        """The shares as JSON."""
        return {"model.json": json.dumps({"shares": self.shares.tolist()}).encode()}

    def describe(self) -> dict[int, float]:
        """It looks at no column."""
        return {}


class Majority:
    """The family of constant models."""

    name = "majority"
    sentence = "Always the most frequent class of the training rows."
    options = NoOptions

    def fit(self, rows: Rows, at: np.ndarray, options: NoOptions, threads: int = 1) -> Shares:
        """Count the classes of some rows."""
        return Shares(np.bincount(rows.direction[at], minlength=CLASSES) / len(at))

    def load(self, files: Mapping[str, bytes]) -> Shares:
        """The shares that were saved."""
        return Shares(np.array(json.loads(files["model.json"])["shares"]))

    def search(self, trial: Any, options: NoOptions) -> NoOptions:
        """There is nothing to search for."""
        return options


class Linear:
    """Softmax of a linear function of some standardised columns: `weights` f64 (3, columns), `bias` f64 (3)."""

    priors = EVEN

    def __init__(self, used: tuple[int, ...], center: Any, scale: Any, weights: Any, bias: Any) -> None:
        self.used = used
        self._numbers = tuple(np.asarray(one, np.float64) for one in (center, scale, weights, bias))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3)."""
        center, scale, weights, bias = self._numbers
        score = (features[:, self.used] - center) / scale @ weights.T + bias
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def save(self) -> dict[str, bytes]:
        """Columns and numbers as JSON."""
        numbers = dict(
            zip(("center", "scale", "weights", "bias"), (one.tolist() for one in self._numbers), strict=True)
        )
        return {"model.json": json.dumps({"used": self.used} | numbers).encode()}

    def describe(self) -> dict[int, float]:
        """Each column's share of the absolute weights."""
        size = np.abs(self._numbers[2]).sum(axis=0)
        return dict(zip(self.used, (size / max(size.sum(), 1e-300)).tolist(), strict=True))


class LogisticImbalance:
    """The family of logistic regressions on the queue imbalances, classes weighted equally."""

    name = "logistic_imbalance"
    sentence = "Logistic regression on the queue imbalances, classes weighted equally."
    options = NoOptions

    def fit(self, rows: Rows, at: np.ndarray, options: NoOptions, threads: int = 1) -> Linear:
        """Fit on the queue imbalances of some rows."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        used = tuple(k for k, name in enumerate(rows.names) if name.startswith(IMBALANCE_PREFIX))
        scaler = StandardScaler()
        regression = LogisticRegression(class_weight="balanced", max_iter=500)
        regression.fit(scaler.fit_transform(rows.features[np.ix_(at, np.array(used))]), rows.direction[at])
        return Linear(used, scaler.mean_, scaler.scale_, *_of_all_classes(regression))

    def load(self, files: Mapping[str, bytes]) -> Linear:
        """The regression that was saved."""
        document = json.loads(files["model.json"])
        return Linear(tuple(document.pop("used")), **document)

    def search(self, trial: Any, options: NoOptions) -> NoOptions:
        """There is nothing to search for."""
        return options


def _of_all_classes(regression: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias with a row per class; a class that the rows lack is never likely, two have one row."""
    weights = np.zeros((CLASSES, regression.coef_.shape[1]))
    bias = np.full(CLASSES, -1e9)
    known = regression.classes_
    if len(known) == 2:
        weights[known[1]] = regression.coef_[0]
        bias[known] = 0.0, regression.intercept_[0]
    else:
        weights[known] = regression.coef_
        bias[known] = regression.intercept_
    return weights, bias


def fit(rows: Rows, at: np.ndarray) -> dict[str, Model]:
    """The baselines that are models, fitted on some rows."""
    nothing = NoOptions()
    return {family.name: family.fit(rows, at, nothing) for family in (Majority(), LogisticImbalance())}


def answers(fitted: Mapping[str, Model], features: np.ndarray, last_direction: np.ndarray) -> dict[str, np.ndarray]:
    """Classes i8 (n) of each baseline for features (n, columns) and the direction of the horizon that just ended."""
    found = {name: directions(model.predict_proba(features), model.priors) for name, model in fitted.items()}
    return {name: found.get(name, last_direction.astype(np.int8)) for name in NAMES}


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
