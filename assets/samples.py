"""The order book sampled once per second, one partition per UTC date and instrument.

Features belong to `assets.features`.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import picture
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.prefetch import prefetch
from ml.core.versions import KERNEL, code_version
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=instrument_day,
    group_name="samples",
    kinds={"parquet", "numba"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(KERNEL),
    automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("book_samples"),
)
def book_samples(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    book_events: Stored,
    trades: pl.LazyFrame,
    validity: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """The best 20 levels each second, and what was added, cancelled and traded since the second before."""
    from ml.market.days.samples import sample_day
    from ml.market.days.tables import BOOK
    from ml.plotting import plots

    date, instrument = date_and_instrument(context, configuration)
    opening = raw_frames.group(0)
    events = prefetch(book_events.parts(*BOOK))
    samples = sample_day(opening, events, trades.collect(), validity.collect(), instrument, date)
    drawn = picture(data_root, "book_samples", context.partition_key, plots.depth(samples, instrument))
    yield dg.MaterializeResult(value=samples, metadata={"depth": drawn})
    yield from rule_results("book_samples", samples)
