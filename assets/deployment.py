"""Models that serve, on stored days: their answers, a challenger's comparison, and the step that follows.

Gates of a candidate belong to `assets.promotion`; errors and processor time are judged where rows are served
(`live.router`). Run the job `challenge` after days were stored, or leave it to its schedule.
"""

from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from assets.conditions import ON_FRESH_INPUT
from assets.datasets import STORED_DAYS
from assets.metadata import asked_by, picture, table
from assets.partitions import DAYS, date_and_instrument, experiments, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LABELS, LEARNING, code_version
from ml.learning import experiment
from ml.promotion.registry import Registry

_OF_EXPERIMENT: dict[str, Any] = {
    "partitions_def": experiments,
    "group_name": "deployment",
    "code_version": code_version(LEARNING),
}


@dg.asset(kinds={"parquet", "lightgbm"}, io_manager_key="parquet", deps=STORED_DAYS, **_OF_EXPERIMENT)
def shadow_scores(
    context: dg.AssetExecutionContext,
    data_root: dg.ResourceParam[DataRoot],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[pl.DataFrame]:
    """What the champion and the model beside it say of every stored row that neither was trained on."""
    from ml.promotion import trial

    wanted = experiment.named(data_root, context.partition_key)
    rows = trial.score(data_root, wanted, registry.of(wanted.name))
    return dg.MaterializeResult(value=rows, metadata={"rows both answered": rows.drop_nulls().height})


@dg.asset(kinds={"json"}, io_manager_key="json", **_OF_EXPERIMENT)
def ab_report(
    context: dg.AssetExecutionContext,
    shadow_scores: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[dict[str, Any]]:
    """The paired block test of both models, look by look, with the data that it still needs."""
    from ml.plotting import lifecycle
    from ml.promotion import trial

    wanted = experiment.named(data_root, context.partition_key)
    report = asdict(trial.report(shadow_scores.collect(), wanted, registry.of(wanted.name), configuration.lifecycle))
    looks = report["comparison"].get("looks", [])
    shown: dict[str, Any] = {"outcome": report["outcome"], "stage": report["stage"], "waiting": report["waiting"]}
    if looks:
        shown["looks"] = table(pl.DataFrame(looks).select("at", "gain", "lower", "upper", "fraction", "detail"))
        shown["gain"] = picture(data_root, "ab_report", context.partition_key, lifecycle.gains(looks))
    return dg.MaterializeResult(value=report, metadata=shown)


@dg.asset(kinds={"mlflow", "json"}, io_manager_key="json", **_OF_EXPERIMENT)
def deployment(
    context: dg.AssetExecutionContext,
    ab_report: dict[str, Any],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[dict[str, Any]]:
    """The step that follows: split traffic, promote, refuse or roll back; nothing while nothing is to be decided."""
    from ml.promotion import trial

    models = registry.of(context.partition_key)
    record = trial.deploy(trial.Report(**ab_report), models, configuration.lifecycle, asked_by(context)) or {}
    now = models.life()
    shown = {"decision": record.get("decision", "none"), "champion": now.champion or "none", "stage": str(now.stage)}
    return dg.MaterializeResult(value=record, metadata=shown | {"beside": now.beside or "nobody"})


@dg.asset(
    partitions_def=instrument_day,
    group_name="monitoring",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(LABELS),
    automation_condition=ON_FRESH_INPUT,
)
def served_predictions(
    context: dg.AssetExecutionContext,
    future_labels: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> dg.MaterializeResult[pl.DataFrame]:
    """Each model's live answer to each second, whether it was served, and its label."""
    from ml.promotion import prediction_log

    date, instrument = date_and_instrument(context, configuration)
    rows = prediction_log.of_day(data_root, instrument.id, date, future_labels.collect())
    return dg.MaterializeResult(value=rows, metadata={"seconds served": int(rows["served"].sum())})


@dg.asset(
    kinds={"json", "lightgbm"},
    io_manager_key="json",
    deps=[*STORED_DAYS, dg.AssetDep(served_predictions, partition_mapping=dg.AllPartitionMapping())],
    **_OF_EXPERIMENT,
)
def performance_report(
    context: dg.AssetExecutionContext,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[dict[str, Any]]:
    """The champion's accuracy on the newest stored days, as it was served, beside the one it was promoted for."""
    from ml.promotion import triggers

    wanted = experiment.named(data_root, context.partition_key)
    found = triggers.performance(data_root, wanted, registry.of(wanted.name), configuration.retraining)
    report = asdict(found)
    shown = {name: "unknown" if value is None else value for name, value in report.items()}
    return dg.MaterializeResult(
        value=report, metadata=shown | {"has dropped": found.has_dropped(configuration.retraining)}
    )
