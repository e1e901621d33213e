"""Hyper-parameter search on the first training block only."""

from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import image
from ml.core.settings import Settings
from ml.core.versions import LEARNING, code_version


@dg.asset(
    group_name="training",
    kinds={"optuna", "lightgbm"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def tuned_params(
    dataset_panel: pl.LazyFrame, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[dict[str, Any]]:
    """The best parameters of a few seeded trials inside the first training block; none where the rows are too few."""
    from ml.learning.tuning import tune
    from ml.plotting import plots

    tuned = tune(dataset_panel.collect(), settings.threads)
    if tuned is None:
        return dg.MaterializeResult(value={}, metadata={"candidate": "none: too few rows"})
    picture = image(plots.trials([trial["log_loss"] for trial in tuned.trials]))
    metadata = {"trials": tuned.n_trials, "log loss": tuned.log_loss, "by trial": picture}
    return dg.MaterializeResult(value=asdict(tuned), metadata=metadata | tuned.params)
