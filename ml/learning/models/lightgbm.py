"""LightGBM direction models, as text and json.

Here: training, prediction, and the files of a model.
Not here: tuning (`ml.tuning`), the registry (`ml.promotion.registry`).

The class is the one whose probability gains most on its training share, argmax p_k / prior_k: that is the rule that
macro-accuracy rewards, while the probabilities stay those of the market.

Trees see float32, as the panel stores it: a model that is served float64 rows gives the answers that it was judged by.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ml.core.errors import ModelRefused
from ml.learning.models.width import check_width
from ml.storage.durable import write_text

CLASSES = 3
SLOW_SHARE = 0.8
FIXED_PARAMS: dict[str, Any] = {
    "objective": "multiclass",
    "num_class": CLASSES,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "bagging_freq": 1,
    "seed": 1,
}


@dataclass(frozen=True)
class ModelCard:
    """What must be known to use a model; stored beside its trees.

    `features` are the columns in the order of the feature set; `used` those that the trees may see. `priors` are the
    class shares of the training rows. Times are ns UTC.
    """

    features: tuple[str, ...]
    used: tuple[str, ...]
    priors: tuple[float, ...]
    params: dict[str, Any]
    rounds: int
    horizon: int
    feature_set: str
    feature_set_hash: str
    code_version: str
    label_spec: dict[str, Any]
    panel_sha256: str
    trained_until: int
    rows: int


class DirectionModel:
    """A trained model: class probabilities and directions for feature rows."""

    def __init__(self, booster: Any, card: ModelCard) -> None:
        self.booster = booster
        self.card = card
        self._columns = [card.features.index(name) for name in card.used]
        self._priors = np.array(card.priors)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3) of down, neutral, up for features (n, all columns of the set).

        Raises:
            ModelRefused: the rows are not as wide as the set.
        """
        check_width(features, self.card.features, self.card.feature_set)
        return self.booster.predict(features[:, self._columns].astype(np.float32), num_threads=1)

    def directions(self, probabilities: np.ndarray) -> np.ndarray:
        """Classes i8 (n) from probabilities: the largest gain on the prior."""
        return (probabilities / self._priors).argmax(axis=1).astype(np.int8)

    def gains(self) -> dict[str, float]:
        """Each used feature's share of what all splits gained; 0 for all of a model without splits."""
        gained = self.booster.feature_importance("gain")
        return dict(zip(self.card.used, (gained / max(gained.sum(), 1e-300)).tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write model.txt, card.json and the manifest of their hashes."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "model.txt": self.booster.model_to_string(),
            "card.json": json.dumps(asdict(self.card), sort_keys=True, indent=1),
        }
        for name, text in files.items():
            write_text(folder / name, text)
        hashes = {name: _sha256(text) for name, text in files.items()}
        write_text(folder / "manifest.json", json.dumps(hashes, sort_keys=True))

    @cached_property
    def id(self) -> str:
        """Hex sha256, 16 digits, over trees and card."""
        return _sha256(self.booster.model_to_string() + json.dumps(asdict(self.card), sort_keys=True))[:16]


def load(folder: Path) -> DirectionModel:
    """Read a model; only text and json are ever read.

    Raises:
        ModelRefused: a file is missing or is not the one that was saved.
    """
    import lightgbm as lgb

    texts: dict[str, str] = {}
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, expected in manifest.items():
            texts[name] = (folder / name).read_text()
            if _sha256(texts[name]) != expected:
                raise ModelRefused(f"{folder / name} is not the file that was saved: its hash differs. Promote again.")
        document = json.loads(texts["card.json"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
        raise ModelRefused(f"The model in {folder} is incomplete: {error}. Promote again.") from error
    document |= {name: tuple(document[name]) for name in ("features", "used", "priors")}
    return DirectionModel(lgb.Booster(model_str=texts["model.txt"]), ModelCard(**document))


@dataclass(frozen=True)
class Fitted:
    """Trees, the columns they may see, the class shares they were trained on."""

    booster: Any
    used: tuple[int, ...]
    priors: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3)."""
        return self.booster.predict(features[:, self.used].astype(np.float32), num_threads=1)

    def directions(self, features: np.ndarray) -> np.ndarray:
        """Classes i8 (n)."""
        return (self.probabilities(features) / self.priors).argmax(axis=1).astype(np.int8)


def fit(
    features: np.ndarray, direction: np.ndarray, ts: np.ndarray, params: dict[str, Any], rounds: int, threads: int = 1
) -> Fitted:
    """Train on rows in order of time; the result does not depend on the number of threads.

    Args:
        features: f32 or f64 (n, columns).
        direction: i8 (n), classes 0, 1, 2.
        ts: i64 ns (n); only to screen out slow features.
        params: tuned LightGBM parameters.
        rounds: boosting rounds.
        threads: threads to train with.
    """
    import lightgbm as lgb

    used = quick_features(features, ts)
    priors = np.maximum(np.bincount(direction, minlength=CLASSES) / len(direction), 1e-6)
    data = lgb.Dataset(features[:, used].astype(np.float32), direction.astype(np.int32), free_raw_data=True)
    booster = lgb.train(FIXED_PARAMS | params | {"num_threads": threads}, data, rounds)
    return Fitted(booster, used, priors)


def quick_features(features: np.ndarray, ts: np.ndarray) -> tuple[int, ...]:
    """Columns that vary within the hour.

    A column whose hourly means carry more than 80 % of its variance (a price level in disguise, say) tells trees what
    time it is, and they memorise what happened then. Judged on the training rows alone.
    """
    hour = ts // (3600 * 10**9)
    _, index, counts = np.unique(hour, return_inverse=True, return_counts=True)
    kept: list[int] = []
    for column in range(features.shape[1]):
        values = features[:, column].astype(np.float64)
        total = values.var()
        means = np.bincount(index, values) / counts
        between = float((counts * (means - values.mean()) ** 2).sum() / len(values))
        if total > 0 and between <= SLOW_SHARE * total:
            kept.append(column)
    return tuple(kept)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
