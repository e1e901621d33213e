"""What models are trained on: the feature store's rows, the label spec and the panel.

Here: the join per partition, and the two assets over a selection of partitions.
Not here: training (`assets.training`).
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import picture
from assets.partitions import date_and_instrument, experiments, instrument_day
from assets.pressure import spoofing_pressure
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import DATASET, TRAINING_FEATURES, code_version
from ml.labels.spec import LabelSpec
from ml.learning import dataset, experiment
from ml.learning.experiment import Experiment
from ml.learning.training_features import join
from ml.storage.parquet import Parts


class Dataset(dg.Config):
    """Fewer partitions than the experiment would take; empty means those of the experiment."""

    start: str | None = None
    end: str | None = None
    instruments: list[str] = Field(default_factory=list)

    def sources(self, root: DataRoot, wanted: Experiment) -> list[dataset.Source]:
        """The stored partitions of an experiment, between these dates and of these instruments."""
        narrower = dataset.Selection(self.start, self.end, tuple(self.instruments))
        return dataset.Selection.of(wanted, narrower).sources(root)


@dg.asset(
    partitions_def=instrument_day,
    group_name="dataset",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(TRAINING_FEATURES),
    automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("training_features"),
)
def training_features(
    context: dg.AssetExecutionContext,
    features: pl.LazyFrame,
    future_labels: pl.LazyFrame,
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Features and labels of each sample side by side: the offline feature store."""
    _, instrument = date_and_instrument(context, configuration)
    rows = join(features.collect(), future_labels.collect(), instrument.id)
    yield dg.MaterializeResult(value=rows)
    yield from rule_results("training_features", rows)


STORED_DAYS = [dg.AssetDep(training_features, partition_mapping=dg.AllPartitionMapping())]


@dg.asset(
    partitions_def=experiments,
    group_name="dataset",
    kinds={"json"},
    io_manager_key="json",
    owners=["team:research"],
    deps=STORED_DAYS,
    code_version=code_version(DATASET),
)
def label_spec(
    context: dg.AssetExecutionContext, config: Dataset, data_root: dg.ResourceParam[DataRoot]
) -> dg.MaterializeResult[LabelSpec | None]:
    """The class threshold, fitted once on the first training block and the same in every fold."""
    wanted = experiment.named(data_root, context.partition_key)
    spec = dataset.fit_spec(data_root, config.sources(data_root, wanted), wanted)
    if spec is None:
        return dg.MaterializeResult(value=None, metadata={"label spec": "none: too few rows"})
    return dg.MaterializeResult(value=spec, metadata=asdict(spec) | {"hash": spec.hash})


@dg.asset(
    partitions_def=experiments,
    group_name="dataset",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(DATASET),
    deps=[*STORED_DAYS, dg.AssetDep(spoofing_pressure, partition_mapping=dg.AllPartitionMapping())],
    check_specs=rule_specs("dataset_panel"),
)
def dataset_panel(
    context: dg.AssetExecutionContext,
    config: Dataset,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    label_spec: LabelSpec | None,
) -> Iterator[dg.MaterializeResult[Parts] | dg.AssetCheckResult]:
    """The rows that a model may be trained and judged on, with their class; what it was made of lies in its file."""
    from ml.plotting import plots

    wanted = experiment.named(data_root, context.partition_key)
    sources = config.sources(data_root, wanted)
    panel = dataset.panel(data_root, configuration, sources, label_spec, wanted)
    classes = list[pl.DataFrame]()
    shown = dict[str, Any]()

    def passing() -> Iterator[pl.DataFrame]:
        for rows in panel.frames:
            classes.append(rows.select("direction"))
            yield rows
        drawn = plots.class_shares(pl.concat(classes))
        shown["classes"] = picture(data_root, "dataset_panel", context.partition_key, drawn)

    metadata = {"dataset id": dataset.dataset_id(sources, label_spec, wanted), "partitions": len(sources)}
    yield dg.MaterializeResult(value=Parts(panel.schema, passing(), shown, panel.notes), metadata=metadata)
    yield from rule_results("dataset_panel", pl.concat(classes))
