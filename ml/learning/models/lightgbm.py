"""LightGBM: boosted trees, as text.

Here: training, prediction, the search space.
Not here: the compiled evaluation (`ml.learning.models.trees`), the search (`ml.learning.tuning`), the stored artefact
(`ml.learning.models.trained`).

The class is the one whose probability gains most on its training share, argmax p_k / prior_k: that is the rule that
macro-accuracy rewards, while the probabilities stay those of the market.

Trees see float32, as the panel stores it: a model that is served float64 rows gives the answers that it was judged by.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.core.time import SECOND
from ml.learning.models.family import CLASSES, option
from ml.learning.rows import BLOCK, Rows, blocks

if TYPE_CHECKING:
    from ml.learning.models.trees import Trees as Compiled

SEARCHED = {
    "num_leaves": (3, 6, False),
    "min_data_in_leaf": (400, 1_200, True),
    "learning_rate": (0.03, 0.07, True),
    "feature_fraction": (0.4, 0.8, False),
    "bagging_fraction": (0.4, 0.8, False),
    "lambda_l2": (1.0, 100.0, True),
    "rounds": (40, 80, False),
}
"""Least, most, and whether on a logarithmic scale; trials draw them in this order."""
SLOW_SHARE = 0.8
IN_MEMORY = 1 << 19
"""More rows are read block by block: the same trees, from less memory."""
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
class Options:
    """What an experiment may set; what it leaves out is searched for inside the first training block."""

    rounds: int | None = option("Boosting rounds.")
    num_leaves: int | None = option("Leaves of a tree.")
    min_data_in_leaf: int | None = option("Rows that a leaf holds at least.")
    learning_rate: float | None = option("How much of each tree is added.")
    feature_fraction: float | None = option("Share of the columns that each tree sees.")
    bagging_fraction: float | None = option("Share of the rows that each tree sees.")
    lambda_l2: float | None = option("Penalty on the square of leaf values.")


class Trees:
    """Fitted trees, the columns they may see, the class shares they were trained on."""

    def __init__(self, booster: Any, used: tuple[int, ...], priors: np.ndarray) -> None:
        self.booster = booster
        self.used = used
        self.priors = priors

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3)."""
        from ml.learning.models.trees import class_probabilities

        p = np.empty((len(features), CLASSES))
        class_probabilities(self._compiled, np.ascontiguousarray(features, np.float32), p)
        return p

    @cached_property
    def _compiled(self) -> "Compiled":
        """The trees for compiled code, over all columns of the set."""
        from ml.learning.models import trees

        found = trees.read(self.booster.model_to_string())
        return found._replace(feature=np.array(self.used, np.int64)[found.feature])

    def save(self) -> dict[str, bytes]:
        """The trees as LightGBM's text, and what they were trained with as JSON."""
        document = {"used": self.used, "priors": self.priors.tolist()}
        return {"model.txt": self.booster.model_to_string().encode(), "model.json": json.dumps(document).encode()}

    def describe(self) -> dict[int, float]:
        """Each column's share of what all splits gained; 0 for all of a model without splits."""
        gained = self.booster.feature_importance("gain")
        return dict(zip(self.used, (gained / max(gained.sum(), 1e-300)).tolist(), strict=True))


class LightGBM:
    """The family of LightGBM models."""

    name = "lightgbm"
    sentence = "Boosted decision trees of LightGBM; columns that only tell the time of the day are left out."
    options = Options

    def fit(self, rows: Rows, at: np.ndarray, options: Options, threads: int = 1) -> Trees:
        """Train on some rows; columns that do not vary within the hour are left out."""
        import lightgbm as lgb

        given = {name: value for name, value in asdict(options).items() if value is not None}
        rounds = given.pop("rounds", 100)
        direction = rows.direction[at]
        used = quick_features(rows, at)
        priors = np.maximum(np.bincount(direction, minlength=CLASSES) / len(direction), 1e-6)
        data = lgb.Dataset(_training_data(rows.features, at, used), direction.astype(np.int32), free_raw_data=True)
        booster = lgb.train(FIXED_PARAMS | given | {"num_threads": threads}, data, rounds)
        return Trees(booster, used, priors)

    def load(self, files: Mapping[str, bytes]) -> Trees:
        """The trees that were saved."""
        import lightgbm as lgb

        document = json.loads(files["model.json"])
        booster = lgb.Booster(model_str=files["model.txt"].decode())
        return Trees(booster, tuple(document["used"]), np.array(document["priors"]))

    def search(self, trial: Any, options: Options) -> Options:
        """Small trees on many rows: neighbouring labels overlap, so the rows hold far less than they count."""
        found = {
            name: trial.suggest_int(name, low, high, log=log)
            if isinstance(low, int)
            else trial.suggest_float(name, low, high, log=log)
            for name, (low, high, log) in SEARCHED.items()
            if getattr(options, name) is None
        }
        return replace(options, **found)


def quick_features(rows: Rows, at: np.ndarray) -> tuple[int, ...]:
    """Columns that vary within the hour.

    A column whose hourly means carry more than 80 % of its variance (a price level in disguise, say) tells trees what
    time it is, and they memorise what happened then. Judged on the training rows alone.
    """
    hours, index, counts = np.unique(rows.start[at] // (3600 * SECOND), return_inverse=True, return_counts=True)
    width = rows.features.shape[1]
    center = rows.features[at[:1]].astype(np.float64)  # a level would swamp the squares
    sums = np.zeros((len(hours), width))
    squares = np.zeros(width)
    for number, block in enumerate(blocks(at)):
        hour = index[number * BLOCK : number * BLOCK + len(block)]
        values = rows.features[block] - center
        squares += (values**2).sum(axis=0)
        for column in range(width):
            sums[:, column] += np.bincount(hour, values[:, column], len(hours))
    mean = sums.sum(axis=0) / len(at)
    total = squares / len(at) - mean**2
    between = (counts[:, None] * (sums / counts[:, None] - mean) ** 2).sum(axis=0) / len(at)
    return tuple(np.flatnonzero((total > 0) & (between <= SLOW_SHARE * total)).tolist())


def _training_data(features: np.ndarray, at: np.ndarray, used: tuple[int, ...]) -> Any:
    """The rows and columns that trees are trained on: an array, or what LightGBM reads block by block."""
    if len(at) <= IN_MEMORY:
        return features[at][:, used].astype(np.float32)
    import lightgbm as lgb

    class Blocks(lgb.Sequence):
        batch_size = BLOCK

        def __getitem__(self, index: Any) -> np.ndarray:
            return features[at[index]][..., used].astype(np.float64)

        def __len__(self) -> int:
            return len(at)

    return Blocks()
