"""Drift: feature profiles, the baseline of the training data, and the distance of a day from it.

Use it before trusting a model on a new day. Promotion belongs to `assets.promotion`.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.conditions import ON_FRESH_DAY, ON_FRESH_INPUT
from assets.metadata import picture, table
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import DRIFT, code_version
from ml.evaluation import drift
from ml.features.sets import BASE
from ml.plotting import plots

AS_TRAINED = dg.AssetCheckSpec(
    "as_trained", asset="drift_report", description="The day was compared, and no feature drifted."
)


@dg.asset(
    partitions_def=instrument_day,
    group_name="features",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(DRIFT),
    automation_condition=ON_FRESH_INPUT,
)
def feature_profile(features: pl.LazyFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """Coverage and distribution of each feature over a day."""
    rows = drift.profile(features.collect(), BASE.columns)
    return dg.MaterializeResult(value=rows, metadata={"profile": table(rows)})


@dg.asset(
    group_name="dataset",
    kinds={"parquet", "numpy"},
    io_manager_key="parquet",
    code_version=code_version(DRIFT),
)
def drift_baseline(dataset_panel: pl.LazyFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """Distribution of each feature over the panel, and the variation between blocks of the panel."""
    baseline = drift.fit(dataset_panel.collect(), BASE.columns)
    return dg.MaterializeResult(value=baseline, metadata={"feature set hash": BASE.hash})


@dg.asset(
    partitions_def=instrument_day,
    group_name="monitoring",
    kinds={"parquet", "numpy"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(DRIFT),
    automation_condition=ON_FRESH_DAY,
    check_specs=[AS_TRAINED],
)
def drift_report(
    context: dg.AssetExecutionContext,
    features: pl.LazyFrame,
    drift_baseline: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    listed: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Distance of each feature from the training data, with the distance that is normal for it."""
    _, instrument = date_and_instrument(context, listed)
    known = drift_baseline.filter(pl.col("instrument") == instrument.id).collect()
    found = drift.compare(features.collect(), known)
    drawn = picture(data_root, "drift_report", context.partition_key, plots.distances(found))
    metadata = {"distances": drawn, "table": table(found)}
    yield dg.MaterializeResult(value=found, metadata=metadata)
    compared = int(found["distance"].count())
    gone = found.filter("drifted")["feature"].to_list()
    told = {"features compared": compared, "drifted": gone}
    yield dg.AssetCheckResult(passed=compared > 0 and not gone, severity=dg.AssetCheckSeverity.WARN, metadata=told)
