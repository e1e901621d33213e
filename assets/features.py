"""Features of the order book and trades, one row per second, one partition per UTC date and instrument.

Labels belong to `assets.labels`.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import leak_results, leak_specs, rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import feature_coverage
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import FEATURES, code_version
from ml.features.sets import WHOLE
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=instrument_day,
    group_name="features",
    kinds={"parquet", "numba"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=f"{WHOLE.hash}-{code_version(FEATURES)}",
    automation_condition=ON_FRESH_INPUT,
    check_specs=[*rule_specs("features"), *leak_specs("features")],
    metadata={"feature set": WHOLE.name, "feature set hash": WHOLE.hash},
)
def features(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    book_samples: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Features of book, order flow, trades, price, minutes and time of each sample; unknown values are null."""
    from ml.evaluation.canaries import features as leaks
    from ml.features.tick.build import build
    from ml.market.days.samples import tail
    from ml.market.days.tables import samples_array

    date, instrument = date_and_instrument(context, configuration)
    before = tail(raw_frames.group(0), instrument, date)
    samples = samples_array(book_samples.collect())
    rows = build(samples, before, instrument)
    yield dg.MaterializeResult(value=rows, metadata=feature_coverage(data_root, context.partition_key, rows))
    yield from rule_results("features", rows)
    yield from leak_results("features", leaks.by_set(samples, before, rows, instrument))
