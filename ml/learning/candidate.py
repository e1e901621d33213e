"""The candidate: one model trained on every row of the panel.

Here: training, its card, and its files below the data root.
Not here: whether it may serve (`ml.promotion.deployment`).
"""

from dataclasses import asdict, dataclass

import numpy as np

from ml.core.paths import DataRoot
from ml.labels.spec import LabelSpec
from ml.learning.experiment import Experiment
from ml.learning.models.trained import ModelCard, TrainedModel
from ml.learning.rows import Rows
from ml.learning.tuned import Tuned
from ml.learning.walk_forward import trainer


@dataclass(frozen=True)
class Candidate:
    """The id of a trained model, None if there were too few rows, and the id of the dataset that it was trained on."""

    model_id: str | None
    dataset_id: str


def train(
    root: DataRoot,
    rows: Rows,
    experiment: Experiment,
    label_spec: LabelSpec | None,
    tuned: Tuned | None,
    threads: int,
) -> str | None:
    """Train and store the candidate; returns its id, None where nothing was tuned for too few rows."""
    if tuned is None:
        return None
    features = experiment.feature_set
    fitted = trainer(tuned.model, tuned.options, threads)(rows, np.arange(len(rows.direction)))
    card = ModelCard(
        experiment=experiment.name,
        model=tuned.model,
        options=tuned.options,
        features=tuple(features.columns),
        horizon=experiment.horizon,
        feature_set=features.name,
        feature_set_hash=features.hash,
        code_version=features.code_version,
        label_spec=asdict(label_spec) if label_spec else {},
        panel_sha256=rows.hash,
        trained_until=int(rows.end.max()),
        rows=len(rows.direction),
    )
    model = TrainedModel(fitted, card)
    model.save(root.model(model.id))
    return model.id
