"""The scorer: LightGBM trees over the features of a cluster, as text and json; one ships with the package.

Here: scores, files, training.
Not here: the trees' evaluation (`ml.layering.trees`), what they are trained on (`ml.layering.training`), thresholds on
an instrument (`ml.layering.calibration`).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ml.core.errors import ModelRefused
from ml.core.versions import LAYERING, code_version
from ml.layering import trees
from ml.layering.features import NAMES
from ml.layering.finder import Found
from ml.layering.layout import F64
from ml.learning.models.trees import Trees, read
from ml.market.book.layout import I64
from ml.storage import model_files

MODEL, CARD = "model.txt", "card.json"
REMEDY = "Build it again."
SHIPPED = Path(__file__).parent / "shipped"
ROUNDS = 400
RISES = ("lot_size", "depth_share", "layers", "rest", "moved_share")
FALLS = ("two_sided",)
"""Features that, all others being equal, may only raise or only lower a score. A variant that training does not have is
else taken for harmless where such a feature is extreme: layers that follow the price, if moved lots were all market
makers' in training."""
PARAMS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "max_bin": 127,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 1,
    "monotone_constraints": [(name in RISES) - (name in FALLS) for name in NAMES],
    "monotone_constraints_method": "intermediate",
}


@dataclass(frozen=True)
class CueCard:
    """What must be known to use a scorer; stored beside its trees.

    Args:
        features: columns in the order in which the trees see them.
        thresholds: score from which a cluster is a cue, where nothing is known of the instrument, by false alarms an
            hour in the simulated market, as (budget, threshold).
        budget: false alarms an hour, where the user names none.
        hours: of unplanted simulated market on which it was chosen.
        rows: clusters it was trained on.
        positives: how many of these were planted.
        trained_on: what market and episodes.
        code_version: of the clusters that it was trained on.
    """

    features: tuple[str, ...]
    thresholds: tuple[tuple[float, float], ...]
    budget: float
    hours: float
    rows: int
    positives: int
    trained_on: str
    code_version: str

    def threshold_at(self, budget: float) -> float:
        """The simulator's threshold for a budget: of those on record the one of the largest budget that it allows."""
        allowed = [threshold for known, threshold in self.thresholds if known <= budget]
        return min(allowed) if allowed else max(threshold for _, threshold in self.thresholds)


class CueModel:
    """A scorer of clusters: trees, the text that they were read from, and what must be known to use them."""

    def __init__(self, trees: Trees, card: CueCard, text: str) -> None:
        self.trees = trees
        self.card = card
        self.text = text

    @classmethod
    def of(cls, booster: Any, card: CueCard) -> Self:
        """The scorer of a trained LightGBM model."""
        text = booster.model_to_string()
        return cls(read(text), card, text)

    def scores(self, found: Found) -> F64:
        """Scores f64 (n, 3): least, as attributed and largest, over what the lots may have been traded."""
        scores = np.empty((len(found), 3))
        trees.predict_band(self.trees, found.values, found.band, scores)
        return scores

    def predict(self, values: F64) -> F64:
        """Score f64 (n), 0 to 1, of feature rows f64 (n, features)."""
        scores = np.empty(len(values))
        trees.predict(self.trees, values, scores)
        return scores

    def save(self, folder: Path) -> None:
        """Write model.txt, card.json and the manifest of their hashes."""
        card = json.dumps(asdict(self.card), sort_keys=True, indent=1) + "\n"
        model_files.save(folder, {MODEL: self.text.encode(), CARD: card.encode()})


def load(folder: Path = SHIPPED) -> CueModel:
    """Read a scorer; only text and json are ever read.

    Raises:
        ModelRefused: a file is missing or is not the one that was saved, or its clusters are not those of the running
            code.
    """
    files = model_files.load(folder, REMEDY)
    try:
        document = json.loads(files[CARD])
        text = files[MODEL].decode()
        pairs = tuple((budget, threshold) for budget, threshold in document["thresholds"])
        card = CueCard(**document | {"features": tuple(document["features"]), "thresholds": pairs})
    except (ValueError, KeyError, TypeError) as error:
        raise model_files.incomplete(folder, error, REMEDY) from error
    if card.features != NAMES:
        differs = sorted(set(card.features) ^ set(NAMES))
        raise ModelRefused(
            f"The scorer in {folder} has other features ({differs or 'in another order'}). Build it again."
        )
    running = code_version(LAYERING)
    if card.code_version != running:
        raise ModelRefused(
            f"The scorer in {folder} was trained on clusters of {card.code_version}, but {running} is running. "
            "Build it again."
        )
    return CueModel(read(text), card, text)


def fit(values: F64, labels: I64, weights: F64 | None = None, rounds: int = ROUNDS) -> Any:
    """Trees for feature rows f64 (n, features) and labels (n), 1 for planted layering; same rows, same trees."""
    import lightgbm as lgb

    data = lgb.Dataset(values, labels.astype(np.float64), weight=weights, feature_name=list(NAMES))
    return lgb.train(PARAMS, data, rounds)
