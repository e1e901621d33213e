"""Labels of the mid price, one partition per UTC date and instrument.

Class thresholds belong to `assets.datasets.label_spec`.
"""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import picture
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LABELS, code_version
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=instrument_day,
    group_name="labels",
    kinds={"parquet", "numba"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(LABELS),
    automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("future_labels"),
)
def future_labels(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    book_samples: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Movement and direction of the mid price per horizon, before and after costs; null near gaps and midnight."""
    from ml.labels import future
    from ml.market.days.samples import tail
    from ml.plotting import plots

    date, instrument = date_and_instrument(context, configuration)
    before = tail(raw_frames.group(0), instrument, date)
    rows = future.label(book_samples.collect(), before, date, configuration.labels)
    drawn = picture(data_root, "future_labels", context.partition_key, plots.label_shares(rows))
    metadata = {
        "coverage": future.coverage(rows),
        "rows without label": future.reasons(rows),
        "class shares": future.class_shares(rows),
        "classes": drawn,
    }
    yield dg.MaterializeResult(value=rows, metadata=metadata | {"plan": asdict(configuration.labels)})
    yield from rule_results("future_labels", rows)
