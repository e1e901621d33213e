"""The candidate model and its out-of-sample predictions.

The candidate is trained on all rows; the predictions come from walk-forward folds. Promotion belongs to
`assets.promotion`.
"""

import dagster as dg
import polars as pl

from assets.metadata import picture, table
from assets.partitions import experiments
from ml.core.paths import DataRoot
from ml.core.settings import Settings
from ml.core.versions import LEARNING, code_version
from ml.labels.spec import LabelSpec
from ml.learning.candidate import Candidate
from ml.learning.tuned import Tuned
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=experiments,
    group_name="validation",
    kinds={"parquet", "lightgbm"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def fold_predictions(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    tuned_params: Tuned | None,
    data_root: dg.ResourceParam[DataRoot],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Walk-forward predictions of the model and three baselines, each on rows after all it was trained on."""
    from ml.learning import metrics, walk_forward
    from ml.learning.dataset import rows_of
    from ml.plotting import plots

    rows = walk_forward.panel_predictions(rows_of(dataset_panel, data_root), tuned_params, settings.threads)
    scores = walk_forward.fold_scores(rows)
    test = rows.filter(pl.col("part") == "test")
    bins = metrics.reliability(test["direction"].to_numpy(), walk_forward.probabilities(test))
    drawn = {"folds": plots.folds(scores), "reliability": plots.reliability(bins)} if rows.height else {}
    shown = {name: picture(data_root, name, context.partition_key, png) for name, png in drawn.items()}
    return dg.MaterializeResult(value=rows, metadata={"scores": table(scores), **shown})


@dg.asset(
    partitions_def=experiments,
    group_name="training",
    kinds={"lightgbm"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def candidate_model(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    label_spec: LabelSpec | None,
    tuned_params: Tuned | None,
    data_root: dg.ResourceParam[DataRoot],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[Candidate]:
    """The candidate, trained on all rows of the panel; text and json below the data root, named by their hash."""
    from ml.learning import candidate
    from ml.learning.dataset import PanelRecord, rows_of
    from ml.learning.models.trained import load
    from ml.plotting import plots

    record = PanelRecord.of(dataset_panel)
    rows = rows_of(dataset_panel, data_root)
    model = candidate.train(data_root, rows, record.experiment, label_spec, tuned_params, settings.threads)
    drawn = {"gains": plots.gains(load(data_root.model(model)).describe())} if model else {}
    shown = {name: picture(data_root, name, context.partition_key, png) for name, png in drawn.items()}
    return dg.MaterializeResult(
        value=Candidate(model, record.dataset_id),
        metadata={"model": model or "none: too few rows"} | shown,
    )
