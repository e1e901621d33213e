"""The candidate: one model trained on every row of the panel.

Here: training, its card, and its files below the data root.
Not here: whether it may serve (`ml.promotion.deployment`).
"""

import hashlib
from typing import Any

import numpy as np
import polars as pl

from ml.core.paths import DataRoot
from ml.features.sets import BASE
from ml.learning.models.lightgbm import DirectionModel, ModelCard, fit
from ml.learning.training_features import PRIMARY
from ml.learning.walk_forward import Rows


def train(
    root: DataRoot, panel: pl.DataFrame, label_spec: dict[str, Any], tuned: dict[str, Any], threads: int
) -> str | None:
    """Train and store the candidate; returns its id, None where there are no tuned parameters for too few rows."""
    if not tuned:
        return None
    rows = Rows.of(panel, BASE.columns)
    fitted = fit(rows.features, rows.direction, rows.start, tuned["params"], tuned["rounds"], threads)
    card = ModelCard(
        features=tuple(BASE.columns),
        used=tuple(BASE.columns[k] for k in fitted.used),
        priors=tuple(np.round(fitted.priors, 9).tolist()),
        params=tuned["params"],
        rounds=tuned["rounds"],
        horizon=PRIMARY,
        feature_set=BASE.name,
        feature_set_hash=BASE.hash,
        code_version=BASE.code_version,
        label_spec=label_spec,
        panel_sha256=panel_hash(panel),
        trained_until=int(rows.end.max()),
        rows=panel.height,
    )
    model = DirectionModel(fitted.booster, card)
    model.save(root.model(model.id))
    return model.id


def panel_hash(panel: pl.DataFrame) -> str:
    """Hex sha256, 16 digits, over the panel's rows."""
    return hashlib.sha256(panel.hash_rows(seed=1).to_numpy().tobytes()).hexdigest()[:16]
