"""Made-up panels: random features, one of which tells a part of what comes."""

import numpy as np
import polars as pl

from ml.core.time import SECOND
from ml.features.sets import BASE
from ml.labels.classes import directions
from ml.learning.walk_forward import Rows

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
