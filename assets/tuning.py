"""Hyper-parameter search on the first training block only."""

from typing import Any

import dagster as dg

from assets.metadata import picture
from assets.partitions import experiments
from ml.core.paths import DataRoot
from ml.core.settings import Settings
from ml.core.versions import LEARNING, code_version
from ml.learning.tuned import Tuned
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=experiments,
    group_name="training",
    kinds={"optuna", "lightgbm"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def tuned_params(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    data_root: dg.ResourceParam[DataRoot],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Tuned | None]:
    """The best parameters of a few seeded trials inside the first training block; none where the rows are too few."""
    from ml.evaluation.returns import search_overfitting
    from ml.learning import lineage
    from ml.learning.dataset import PanelRecord, rows_of
    from ml.learning.tuning import tune
    from ml.plotting import plots

    record = PanelRecord.of(dataset_panel)
    tuned = tune(rows_of(dataset_panel, data_root), record.experiment, settings.threads)
    if tuned is None:
        return dg.MaterializeResult(value=None, metadata={"candidate": "none: too few rows"})
    lineage.note(data_root, record, tuned)
    trials = plots.trials([trial["log_loss"] for trial in tuned.trials])
    drawn = picture(data_root, "tuned_params", context.partition_key, trials)
    metadata: dict[str, Any] = {"trials": tuned.n_trials, "log loss": tuned.log_loss, "by trial": drawn}
    metadata["probability of overfitting"] = search_overfitting(tuned.trials)
    return dg.MaterializeResult(value=tuned, metadata=metadata | tuned.options)
