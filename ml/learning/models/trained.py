"""A trained model with its card: what is stored, registered and served.

Here: the card, prediction for rows of the whole feature set, and the files with their hashes.
Not here: the models themselves (`ml.learning.models.catalog`), the registry (`ml.promotion.registry`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ml.core.errors import ModelRefused
from ml.features.sets import feature_set
from ml.learning.models.catalog import CATALOG
from ml.learning.models.family import CLASSES, Model, directions
from ml.storage import model_files

CARD = "card.json"
REMEDY = "Promote again."


@dataclass(frozen=True)
class ModelCard:
    """What must be known to use a model; stored beside its files.

    `model` is the family and `options` what it was trained with. `features` are the columns in the order of the feature
    set. Times are ns UTC.
    """

    experiment: str
    model: str
    options: dict[str, Any]
    features: tuple[str, ...]
    horizon: int
    feature_set: str
    feature_set_hash: str
    code_version: str
    label_spec: dict[str, Any]
    panel_sha256: str
    trained_until: int
    rows: int


class TrainedModel:
    """A trained model: class probabilities and directions for feature rows."""

    def __init__(self, model: Model, card: ModelCard) -> None:
        self.model = model
        self.card = card

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3) of down, neutral, up for features (n, all columns of the set).

        Raises:
            ModelRefused: the rows are not as wide as the set.
        """
        check_width(features, self.card.features, self.card.feature_set)
        return self.model.predict_proba(features)

    def directions(self, probabilities: np.ndarray) -> np.ndarray:
        """Classes i8 (n) from probabilities: the largest gain on the prior."""
        return directions(probabilities, self.model.priors)

    def describe(self) -> dict[str, float]:
        """How much each column that it looks at counts, as a share of one whole."""
        return {self.card.features[k]: share for k, share in self.model.describe().items()}

    def save(self, folder: Path) -> None:
        """Write the model's files, card.json and the manifest of their hashes."""
        model_files.save(folder, self._files)

    @property
    def id(self) -> str:
        """Hex sha256, 16 digits, over all files."""
        return self._id

    @cached_property
    def _id(self) -> str:
        return model_files.identity(self._files)

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return self.model.save() | {CARD: json.dumps(asdict(self.card), sort_keys=True, indent=1).encode()}


def load(folder: Path) -> TrainedModel:
    """Read a model; what is read is data, never code.

    Raises:
        ModelRefused: a file is missing or is not the one that was saved.
    """
    files = model_files.load(folder, REMEDY)
    try:
        document = json.loads(files.pop(CARD))
        card = ModelCard(**document | {"features": tuple(document["features"])})
        return TrainedModel(CATALOG[card.model].load(files), card)
    except (ValueError, KeyError, TypeError) as error:
        raise model_files.incomplete(folder, error, REMEDY) from error


def fits(model: TrainedModel) -> None:
    """Refuse a model whose feature set or feature code is not the running one.

    Raises:
        ModelRefused: says what differs.
    """
    card = model.card
    running = feature_set(card.feature_set)
    if card.feature_set_hash != running.hash or list(card.features) != running.columns:
        missing = sorted(set(card.features) - set(running.columns))
        extra = sorted(set(running.columns) - set(card.features))
        raise ModelRefused(
            f"The model was trained on {card.feature_set} {card.feature_set_hash}, but {running.hash} is running"
            f" (model only: {missing or 'none'}; running only: {extra or 'none'}). Train and promote again."
        )
    if card.code_version != running.code_version:
        raise ModelRefused(
            f"The model was trained on features of {card.code_version}, but {running.code_version} is running: "
            "its features may differ. Train and promote again."
        )


def smoke_test(model: TrainedModel) -> None:
    """Have a model answer for rows of zeros, of ones and of minus ones.

    Raises:
        ModelRefused: it does not, or what it gives are no probabilities.
    """
    rows = np.repeat(np.array([[0.0], [1.0], [-1.0]]), len(model.card.features), axis=1)
    try:
        p = np.asarray(model.probabilities(rows), np.float64)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ModelRefused(f"Model {model.id} gives no answer: {error!r}. Choose another version.") from error
    if p.shape != (len(rows), CLASSES) or not np.allclose(p.sum(axis=1), 1.0) or (p < 0).any():
        raise ModelRefused(f"Model {model.id} gives no probabilities, but {p.tolist()}. Choose another version.")


def check_width(features: np.ndarray, columns: Sequence[str], feature_set: str) -> None:
    """Refuse rows that are not (n, columns of the set): by position, other columns would pass for its own.

    Raises:
        ModelRefused: names the set, what it needs and what was given.
    """
    if features.ndim != 2 or features.shape[1] != len(columns):
        raise ModelRefused(
            f"Rows of shape {features.shape} do not fit a model of {feature_set}, which needs (rows, {len(columns)})"
            f", {columns[0]} to {columns[-1]}. Pass the columns of its feature set, in order."
        )
