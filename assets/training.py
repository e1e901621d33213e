"""The candidate model and its out-of-sample predictions.

The candidate is trained on all rows; the predictions come from walk-forward folds. Promotion belongs to
`assets.promotion`.
"""

from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import image, table
from ml.core.paths import DataRoot
from ml.core.settings import Settings
from ml.core.versions import LEARNING, code_version
from ml.storage.parquet import Stored


@dg.asset(
    group_name="validation",
    kinds={"parquet", "lightgbm"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def fold_predictions(
    dataset_panel: pl.LazyFrame, tuned_params: dict[str, Any], settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult[pl.DataFrame]:
    """Walk-forward predictions of the model and three baselines, each on rows after all it was trained on."""
    from ml.learning import metrics, walk_forward
    from ml.plotting import plots

    rows = walk_forward.panel_predictions(dataset_panel.collect(), tuned_params, settings.threads)
    scores = walk_forward.fold_scores(rows)
    test = rows.filter(pl.col("part") == "test")
    bins = metrics.reliability(test["direction"].to_numpy(), walk_forward.probabilities(test))
    plotted = (
        {"folds": image(plots.folds(scores)), "reliability": image(plots.reliability(bins))} if rows.height else {}
    )
    return dg.MaterializeResult(value=rows, metadata={"scores": table(scores), **plotted})


@dg.asset(
    group_name="training",
    kinds={"lightgbm"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def candidate_model(
    dataset_panel: Stored,
    label_spec: dict[str, Any],
    tuned_params: dict[str, Any],
    data_root: dg.ResourceParam[DataRoot],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[dict[str, Any]]:
    """The candidate, trained on all rows of the panel; text and json below the data root, named by their hash."""
    from ml.learning import candidate
    from ml.learning.dataset import PanelRecord
    from ml.learning.models.lightgbm import load
    from ml.plotting import plots

    model = candidate.train(data_root, pl.concat(dataset_panel.parts()), label_spec, tuned_params, settings.threads)
    plotted = {"gains": image(plots.gains(load(data_root.model(model)).gains()))} if model else {}
    return dg.MaterializeResult(
        value={"model_id": model, "dataset_id": PanelRecord.of(dataset_panel).dataset_id},
        metadata={"model": model or "none: too few rows"} | plotted,
    )
