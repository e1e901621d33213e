"""Drift: feature profiles, the baseline of the training data, and the distance of a day from it.

Use it before trusting a model on a new day. Promotion belongs to `assets.promotion`.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.conditions import ON_FRESH_DAY, ON_FRESH_INPUT
from assets.metadata import picture, table
from assets.partitions import DAYS, date_and_instrument, experiments, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import DRIFT, code_version
from ml.evaluation import drift
from ml.learning.dataset import PanelRecord
from ml.learning.experiment import DEFAULT
from ml.plotting import plots
from ml.storage.parquet import Stored

AS_TRAINED = dg.AssetCheckSpec(
    "as_trained", asset="drift_report", description="The day was compared, and no feature drifted."
)
DEFAULT_ALONE = dg.SpecificPartitionsPartitionMapping([DEFAULT.name])


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
    rows = drift.profile(features.collect(), DEFAULT.feature_set.columns)
    return dg.MaterializeResult(value=rows, metadata={"features": rows.height})


@dg.asset(
    partitions_def=experiments,
    group_name="dataset",
    kinds={"parquet", "numpy"},
    io_manager_key="parquet",
    code_version=code_version(DRIFT),
)
def drift_baseline(dataset_panel: Stored) -> dg.MaterializeResult[pl.DataFrame]:
    """Distribution of each feature over the panel, and the variation between blocks of the panel."""
    features = PanelRecord.of(dataset_panel).experiment.feature_set
    baseline = drift.fit(pl.concat(dataset_panel.parts()), features.columns)
    return dg.MaterializeResult(value=baseline, metadata={"feature set hash": features.hash})


@dg.asset(
    partitions_def=instrument_day,
    group_name="monitoring",
    kinds={"parquet", "numpy"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(DRIFT),
    automation_condition=ON_FRESH_DAY,
    check_specs=[AS_TRAINED],
    ins={"drift_baseline": dg.AssetIn(partition_mapping=DEFAULT_ALONE)},
)
def drift_report(
    context: dg.AssetExecutionContext,
    features: pl.LazyFrame,
    drift_baseline: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Distance of each feature from the default experiment's training data, with the distance that is normal for it."""
    from ml.promotion.rivals import gains_of

    _, instrument = date_and_instrument(context, configuration)
    known = drift_baseline.filter(pl.col("instrument") == instrument.id).collect()
    found = drift.compare(features.collect(), known, gains_of(data_root))
    drawn = picture(data_root, "drift_report", context.partition_key, plots.distances(found))
    metadata = {"summary": dg.MetadataValue.md(drift.page(found)), "distances": drawn, "table": table(found)}
    yield dg.MaterializeResult(value=found, metadata=metadata)
    compared = int(found["distance"].count())
    gone = found.filter("drifted")["feature"].to_list()
    counts = {"features compared": compared, "drifted": gone}
    yield dg.AssetCheckResult(passed=compared > 0 and not gone, severity=dg.AssetCheckSeverity.WARN, metadata=counts)
