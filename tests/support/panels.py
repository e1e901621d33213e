"""Made-up panels: random features, one of which tells a part of what comes."""

import numpy as np
import polars as pl

from ml.core.time import SECOND
from ml.features.sets import BASE
from ml.labels.classes import directions
from ml.learning.models.lightgbm import LightGBM, Options
from ml.learning.models.trained import ModelCard, TrainedModel
from ml.learning.rows import Rows
from ml.learning.tuned import Tuned

START_NS = 1_741_000_000 * SECOND
PARAMS = {"num_leaves": 4, "min_data_in_leaf": 100, "learning_rate": 0.1}
TELLING = "ofi_1_5s"


def panel(n: int, seed: int = 1, skill: float = 0.5, instrument: str = "sim.X") -> pl.DataFrame:
    """A panel of `n` rows one second apart; `skill` is the correlation of one feature with the movement."""
    rng = np.random.default_rng(seed)
    columns = dict(zip(BASE.columns, rng.normal(size=(len(BASE.columns), n)), strict=True))
    noise = rng.normal(size=n) * np.sqrt(1 - skill**2)
    movement = 1e-4 * (skill * columns[TELLING] + noise)
    ts = START_NS + np.arange(n) * SECOND
    return pl.DataFrame(
        {"instrument": [instrument] * n, "ts": ts, **columns, "movement": movement}
        | {"half_spread": np.full(n, 1e-6), "sigma": np.full(n, 1e-4), "label_start": ts, "label_end": ts + 10 * SECOND}
        | {"direction": directions(movement, 6e-5)}
    )


def rows(n: int, seed: int = 1, skill: float = 0.5) -> Rows:
    """The same as arrays."""
    return Rows.of(panel(n, seed, skill), BASE.columns)


def tuned(rounds: int = 10, baseline: str = "logistic_imbalance", **options: float) -> Tuned:
    """What a search might have found."""
    return Tuned("lightgbm", PARAMS | options | {"rounds": rounds}, 1.0, 8, 1, baseline, [])


def rows_of(features: np.ndarray, direction: np.ndarray, ts: np.ndarray) -> Rows:
    """Rows of columns a, b, ... with labels of ten seconds."""
    names = [chr(ord("a") + k) for k in range(features.shape[1])]
    none = np.zeros(len(ts))
    return Rows(features, names, direction, ts, ts + 10 * SECOND, np.full(len(ts), "sim.X"), none)


def small_model(rows: int = 600) -> TrainedModel:
    """A model of three columns; its card says that it saw `rows`."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(600, 3))
    direction = rng.integers(0, 3, 600).astype(np.int8)
    data = rows_of(features, direction, np.arange(600) * SECOND)
    fitted = LightGBM().fit(data, np.arange(600), Options(num_leaves=3, rounds=2))
    card = ModelCard("base_35_10s", "lightgbm", {}, tuple("abc"), 10, "s", "h", "f", {}, "p", 5, rows)
    return TrainedModel(fitted, card)
