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
from assets.metadata import image
from assets.partitions import date_and_instrument, instrument_day
from ml.core.paths import DataRoot
from ml.core.versions import DATASET, TRAINING_FEATURES, code_version
from ml.features.sets import BASE
from ml.labels.spec import LabelSpec
from ml.learning import dataset
from ml.learning.training_features import join


class Dataset(dg.Config):
    """Partitions of a dataset; empty means all stored partitions."""

    start: str | None = None
    end: str | None = None
    instruments: list[str] = Field(default_factory=list)

    def selection(self) -> dataset.Selection:
        """The same as ml knows it."""
        return dataset.Selection(self.start, self.end, tuple(self.instruments))


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
    context: dg.AssetExecutionContext, features: pl.LazyFrame, future_labels: pl.LazyFrame
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Features and labels of each sample side by side: the offline feature store."""
    _, instrument = date_and_instrument(context)
    rows = join(features.collect(), future_labels.collect(), instrument.id)
    yield dg.MaterializeResult(value=rows)
    yield from rule_results("training_features", rows)


@dg.asset(
    group_name="dataset",
    kinds={"json"},
    io_manager_key="json",
    owners=["team:research"],
    deps=[training_features],
    code_version=code_version(DATASET),
)
def label_spec(config: Dataset, data_root: dg.ResourceParam[DataRoot]) -> dg.MaterializeResult[dict[str, Any]]:
    """The class threshold, fitted once on the first training block and the same in every fold."""
    spec = dataset.fit_spec(data_root, config.selection())
    if spec is None:
        return dg.MaterializeResult(value={}, metadata={"label spec": "none: too few rows"})
    return dg.MaterializeResult(value=asdict(spec), metadata=asdict(spec) | {"hash": spec.hash})


@dg.asset(
    group_name="dataset",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(DATASET),
    deps=[training_features],
    check_specs=rule_specs("dataset_panel"),
)
def dataset_panel(
    config: Dataset, data_root: dg.ResourceParam[DataRoot], label_spec: dict[str, Any]
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """The rows for training and evaluation, with their class; the dataset id is a hash of their content."""
    from ml.plotting import plots

    spec = LabelSpec(**label_spec) if label_spec else None
    entries = config.selection().entries(data_root)
    rows = dataset.build(dataset.read_rows(data_root, entries), spec, BASE)
    metadata = {
        "dataset id": dataset.dataset_id(entries, spec, BASE),
        "partitions": len(entries),
        "classes": image(plots.class_shares(rows)),
    }
    yield dg.MaterializeResult(value=rows, metadata=metadata)
    yield from rule_results("dataset_panel", rows)
