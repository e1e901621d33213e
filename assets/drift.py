"""Is the market still the one that the model knows? Profiles, the baseline and a day's distance from it.

Here: what a person looks at before trusting a model on a new day.
Not here: whether a model may be promoted (`assets.promotion`).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.conditions import ON_FRESH_DAY, ON_FRESH_INPUT
from assets.metadata import image, table
from assets.partitions import date_and_instrument, instrument_day
from ml.core.versions import DRIFT, code_version
from ml.evaluation import drift
from ml.features.sets import BASE
from ml.plotting import plots

AS_TRAINED = dg.AssetCheckSpec(
    "as_trained", asset="drift_report", description="The day was compared, and no feature has drifted."
)


@dg.asset(
    partitions_def=instrument_day,
    group_name="features",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    owners=["team:research"],
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
    owners=["team:research"],
    code_version=code_version(DRIFT),
)
def drift_baseline(dataset_panel: pl.LazyFrame) -> dg.MaterializeResult[pl.DataFrame]:
    """How each feature is distributed over the panel, and how far the panel's own blocks stray."""
    baseline = drift.fit(dataset_panel.collect(), BASE.columns)
    return dg.MaterializeResult(value=baseline, metadata={"feature set hash": BASE.hash})


@dg.asset(
    partitions_def=instrument_day,
    group_name="monitoring",
    kinds={"parquet", "numpy"},
    io_manager_key="parquet",
    owners=["team:research"],
    code_version=code_version(DRIFT),
    automation_condition=ON_FRESH_DAY,
    check_specs=[AS_TRAINED],
)
def drift_report(
    context: dg.AssetExecutionContext, features: pl.LazyFrame, drift_baseline: pl.LazyFrame
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Each feature's distance from what the model was trained on, beside the distance that means nothing."""
    _, instrument = date_and_instrument(context)
    known = drift_baseline.filter(pl.col("instrument") == instrument.id).collect()
    found = drift.compare(features.collect(), known)
    metadata = {"distances": image(plots.distances(found)), "table": table(found)}
    yield dg.MaterializeResult(value=found, metadata=metadata)
    compared = int(found["distance"].count())
    gone = found.filter("drifted")["feature"].to_list()
    told = {"features compared": compared, "drifted": gone}
    yield dg.AssetCheckResult(passed=compared > 0 and not gone, severity=dg.AssetCheckSeverity.WARN, metadata=told)
