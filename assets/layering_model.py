"""From the label log to a decision on the model of layering cues, over all stored days at once; and the benchmark.

Cues belong to `assets.layering`, labels, models and gates to `ml.layering`, the record to `ml.promotion.layering`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.layering import layering_cues
from assets.metadata import picture, table
from assets.samples import book_samples
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LAYERING, code_version
from ml.learning.candidate import Candidate
from ml.promotion.registry import Registry


@dg.asset(
    group_name="layering", kinds={"parquet", "sqlite"}, io_manager_key="parquet", code_version=code_version(LAYERING)
)
def layering_labels(data_root: dg.ResourceParam[DataRoot]) -> dg.MaterializeResult[pl.DataFrame]:
    """What people and truth files say of cues, all votes of the label log taken together."""
    from ml.layering.labels import LabelLog

    with LabelLog(data_root.label_log) as log:
        labels = log.labels()
    return dg.MaterializeResult(
        value=labels, metadata={"by tier": table(labels.group_by("tier", "label").len().sort("tier", "label"))}
    )


@dg.asset(
    group_name="layering",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    code_version=code_version(LAYERING),
    deps=[dg.AssetDep(one, partition_mapping=dg.AllPartitionMapping()) for one in (layering_cues, book_samples)],
    check_specs=rule_specs("layering_dataset"),
)
def layering_dataset(
    layering_labels: pl.LazyFrame, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Every stored cue with its features, the market around it and its label; also in the predecessor's files."""
    from ml.layering import patterns
    from ml.layering.dataset import dataset

    rows = dataset(data_root, configuration, layering_labels.collect())
    files = patterns.write(data_root.patterns, rows)
    known = rows.group_by("tier", "label").len().sort("tier", "label")
    yield dg.MaterializeResult(value=rows, metadata={"labels": table(known), "files of patterns": files})
    yield from rule_results("layering_dataset", rows)


@dg.asset(
    group_name="layering", kinds={"parquet", "lightgbm"}, io_manager_key="parquet", code_version=code_version(LAYERING)
)
def layering_predictions(
    layering_dataset: pl.LazyFrame, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[pl.DataFrame]:
    """What models say of labelled cues that lie after all they were trained on, by purged walk-forward folds."""
    from ml.layering.walk_forward import of_dataset, summary
    from ml.plotting import cues

    found = of_dataset(layering_dataset.collect(), configuration.layering.weak)
    shown = pl.DataFrame([{"by": name} | _flat(figures) for name, figures in summary(found).items()])
    drawn = picture(data_root, "layering_predictions", None, cues.precision_recall(found))
    return dg.MaterializeResult(value=found, metadata={"scores": table(shown), "precision and recall": drawn})


@dg.asset(group_name="layering", kinds={"lightgbm", "onnx"}, io_manager_key="json", code_version=code_version(LAYERING))
def layering_model(
    layering_dataset: pl.LazyFrame, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[Candidate]:
    """The candidate, trained on all labelled cues; below the data root, named by its hash."""
    from ml.layering.adaptive import labelled, load, missing
    from ml.plotting import plots
    from ml.promotion.layering import train

    rows = layering_dataset.collect()
    candidate = train(data_root, rows, configuration.layering.weak)
    if candidate.model_id is None:
        return dg.MaterializeResult(value=candidate, metadata={"model": f"none: {missing(labelled(rows))}"})
    card = load(data_root.model(candidate.model_id)).card
    shown = {"model": candidate.model_id, "family": card.family, "threshold": card.threshold, "rows": card.rows}
    drawn = picture(data_root, "layering_model", None, plots.gains(card.importance))
    return dg.MaterializeResult(value=candidate, metadata=shown | {"gains": drawn})


@dg.asset(group_name="layering", kinds={"mlflow", "json"}, io_manager_key="json", code_version=code_version(LAYERING))
def layering_decision(
    layering_dataset: pl.LazyFrame,
    layering_predictions: pl.LazyFrame,
    layering_model: Candidate,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[dict[str, Any]]:
    """Promote, refuse or insufficient, with every gate's number; an immutable, hash-chained record."""
    from ml.promotion.layering import CueEvidence, decide

    evidence = CueEvidence(layering_dataset.collect(), layering_predictions.collect(), layering_model)
    record = decide(data_root, configuration, registry, evidence)
    gates = pl.DataFrame(record["gates"]).select("name", "outcome", "value", "threshold", "required", "detail")
    return dg.MaterializeResult(
        value=record, metadata={"decision": record["decision"], "gates": table(gates), "record": record["hash"]}
    )


class Benchmark(dg.Config):
    """Hours of unplanted market, streams to train on and streams that fix the thresholds, and their length in s."""

    hours: float = 0.5
    streams: int = 24
    quiet: int = 12
    seconds: int = 1800


@dg.asset(group_name="layering", kinds={"json", "lightgbm"}, io_manager_key="json", code_version=code_version(LAYERING))
def layering_benchmark(
    context: dg.AssetExecutionContext, config: Benchmark, data_root: dg.ResourceParam[DataRoot]
) -> dg.MaterializeResult[dict[str, Any]]:
    """Recall, false alarms, precision and delay of the detector on simulated markets that nothing was trained on."""
    from ml.layering.benchmark import benchmark
    from ml.plotting import cues

    report = benchmark(config.hours, config.streams, config.quiet, config.seconds, (), context.log.info)
    found = report["simulator"]
    shown = {
        "recall": found["recall_m2"],
        "false alarms an hour": found["false_alarms_per_hour"],
        "hours": found["hours"],
    }
    drawn = picture(data_root, "layering_benchmark", None, cues.recall(found))
    return dg.MaterializeResult(value=report, metadata=shown | {"recall by size": drawn})


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores without those that are tables of their own."""
    return {name: value for name, value in scores.items() if not isinstance(value, dict)}
