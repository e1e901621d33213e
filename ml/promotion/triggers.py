"""When a model is trained again: enough new days, drift, or a champion that predicts worse than it was promoted for.

Here: the facts of an experiment on stored data, and the trigger that follows.
Not here: the clock and the hand (`pipelines.schedules`, the job `learn`), starting runs (`pipelines.sensors`).

A champion is judged by the answers that it gave live (`ml.promotion.prediction_log`). Where no runner asked it, they
are recomputed from the stored rows: live and stored features are equal bit for bit, so that it would have answered so.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.core.config import RetrainingPlan
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot, partition_of
from ml.core.time import DAY_NS, SECOND
from ml.evaluation import ab_test
from ml.learning.dataset import PanelRecord, Selection
from ml.learning.experiment import Experiment
from ml.learning.metrics import bootstrap_difference, macro_accuracy
from ml.learning.models.trained import TrainedModel
from ml.promotion import prediction_log, shadow
from ml.promotion.registry import Registry
from ml.storage.commit import manifest, read
from ml.storage.parquet import Stored

REFERENCE = "mean_test"
"""Metric of a candidate's MLflow run: its macro-accuracy on rows after its training, mean over folds."""


@dataclass(frozen=True)
class Trigger:
    """Why a model is to be trained: `data`, `drift` or `performance`, and a sentence with the numbers."""

    kind: str
    detail: str


@dataclass(frozen=True)
class Performance:
    """The champion on stored days after its training against what it was promoted for; macro-accuracies.

    `drop` is the relative loss. Values are None where `unknown` says why. `served` counts the answers that the
    prediction log holds, `recomputed` those of stored rows that no runner asked it about.
    """

    champion: str | None
    reference: float | None
    recent: float | None
    lower: float | None
    upper: float | None
    drop: float | None
    served: int
    recomputed: int
    unknown: str

    def has_dropped(self, plan: RetrainingPlan) -> bool:
        """Whether the drop is as large as the policy says, and no chance: the interval lies below the reference."""
        if self.drop is None or self.upper is None or self.reference is None:
            return False
        return self.drop >= plan.performance_drop and self.upper < self.reference


def content_of(root: DataRoot, experiment: Experiment) -> str | None:
    """Hex sha256, 16 digits, of the stored files that the experiment would be trained on; None if there are none."""
    try:
        sources = Selection.of(experiment).sources(root)
    except DatasetError:
        return None
    return hashlib.sha256(json.dumps([(one.path, one.sha256) for one in sources]).encode()).hexdigest()[:16]


def trained_content(root: DataRoot, experiment: Experiment) -> tuple[str, list[str]] | None:
    """The same of the stored panel, and its UTC dates; None if none was made."""
    path = root.whole("dataset_panel", experiment.name)
    if not path.exists():
        return None
    sources = PanelRecord.of(Stored(path)).sources
    text = json.dumps([(one.path, one.sha256) for one in sources])
    return hashlib.sha256(text.encode()).hexdigest()[:16], sorted({one.date for one in sources})


def trigger(root: DataRoot, experiment: Experiment, plan: RetrainingPlan) -> Trigger | None:
    """The first trigger that stored data give; None for an experiment that was never trained: a person begins it."""
    trained = trained_content(root, experiment)
    content = content_of(root, experiment)
    if trained is None or content is None or content == trained[0]:
        return None
    stored = {one.date for one in Selection.of(experiment).sources(root)}
    fresh = sorted(day for day in stored if day > trained[1][-1])
    if len(fresh) >= plan.new_days:
        return Trigger("data", f"{len(fresh)} new dates from {fresh[0]} on, {plan.new_days} are enough")
    gone = _drifted(root, trained[1][-1])
    if gone:
        return Trigger("drift", f"{len(gone)} features drifted (first {gone[0]}) on the newest stored day")
    found = _reported(root, experiment)
    if found is not None and found.has_dropped(plan):
        return Trigger("performance", f"macro-accuracy {found.recent:.4f}, promoted for {found.reference:.4f}")
    return None


def performance(root: DataRoot, experiment: Experiment, registry: Registry, plan: RetrainingPlan) -> Performance:
    """The champion on the newest stored days, by a block bootstrap with a 95 % interval."""
    champion = registry.champion()
    if champion is None:
        return Performance(None, None, None, None, None, None, 0, 0, "nothing was promoted")
    metrics: dict[str, float] = registry.metadata(registry.version_of(champion).version)["metrics"]
    rows = _realised(root, experiment, registry.load_model(champion))
    if rows.height:
        last = int(rows["ts"].max())  # type: ignore[arg-type]
        rows = rows.filter(pl.col("ts") > last - plan.recent_days * DAY_NS)
    direction, predicted, ts = (rows[name].to_numpy() for name in ("direction", "predicted", "ts"))
    served = int(rows["served"].sum())
    counts = served, rows.height - served
    block = ab_test.block_ns(experiment.horizon)
    blocks = ab_test.block_count(ts, block)
    unknown = ""
    if rows.is_empty():
        unknown = "no stored row is later than its training"
    elif REFERENCE not in metrics:
        unknown = "its run has no score of its folds"
    elif blocks < ab_test.MIN_BLOCKS:
        unknown = f"{blocks} blocks of {block // SECOND} s, {ab_test.MIN_BLOCKS} are needed"
    if unknown:
        return Performance(champion, None, None, None, None, None, *counts, unknown)
    nobody = np.full(len(ts), -1)  # is never right: the difference is the accuracy itself
    draws = bootstrap_difference(direction, predicted, nobody, ts, block)
    lower, upper = (float(q) for q in np.quantile(draws, [0.025, 0.975]))
    recent, reference = macro_accuracy(direction, predicted), float(metrics[REFERENCE])
    return Performance(champion, reference, recent, lower, upper, 1 - recent / reference, *counts, "")


def _realised(root: DataRoot, experiment: Experiment, model: TrainedModel) -> pl.DataFrame:
    """Answers of a model whose label is known, in order of time: `ANSWERED` of the log, and `served`."""
    logged = prediction_log.answers(root, experiment, model)
    stored = shadow.answered(shadow.scores(root, experiment, model, model))
    names = logged.columns
    recomputed = (
        stored.rename({"champion": "predicted"}).select(names).join(logged, on=["instrument", "ts"], how="anti")
    )
    both = [logged.drop_nulls().with_columns(served=True), recomputed.with_columns(served=False)]
    return pl.concat(both).sort("ts", "instrument")


def _reported(root: DataRoot, experiment: Experiment) -> Performance | None:
    path = root.document("performance_report", experiment.name)
    return Performance(**json.loads(path.read_text())) if path.exists() else None


def _drifted(root: DataRoot, after: str) -> list[str]:
    """Features that drifted on the newest reported day after a UTC date, over instruments."""
    paths = [path for path in manifest(root, "drift_report") if partition_of(path).date > after]
    newest = max((partition_of(path).date for path in paths), default=None)
    if newest is None or date.fromisoformat(newest) <= date.fromisoformat(after):
        return []
    found = [read(root.root / path).filter(pl.col("drifted")).collect() for path in paths if f"={newest}/" in path]
    return sorted({name for frame in found for name in frame["feature"].to_list()})
