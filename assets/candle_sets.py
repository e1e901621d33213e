"""Candle features and targets, one partition per month and instrument.

The tables of `unified_240` and of the 20 targets. Candles before and after the month are read as far as look-back
and horizon need them. Candles belong to `assets.candles`.
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from assets.candles import candles, rest_candles
from assets.checks import canary_results, canary_specs, rule_results, rule_specs
from assets.conditions import ON_FRESH_DAYS
from assets.metadata import picture, table
from assets.partitions import DAYS, days_of_month, instrument_month, month_and_instrument
from ml.candles import months
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import CANDLE_FEATURES, CANDLE_TARGETS, code_version
from ml.features.candle.table import UNIFIED
from ml.labels import targets
from ml.tables import coverage

STORED = [dg.AssetDep(table, partition_mapping=days_of_month) for table in (candles, rest_candles)]


@dg.asset(
    partitions_def=instrument_month,
    group_name="candle_sets",
    kinds={"parquet", "numba"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=f"{UNIFIED.hash}-{code_version(CANDLE_FEATURES)}",
    deps=STORED,
    check_specs=[*rule_specs("candle_features"), *canary_specs("candle_features")],
    metadata={"feature set": UNIFIED.name, "feature set hash": UNIFIED.hash},
    automation_condition=ON_FRESH_DAYS,
)
def candle_features(
    context: dg.AssetExecutionContext, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """240 features of each closed candle of 15 minutes; null with a reason where candles are missing before it."""
    from ml.evaluation.canaries import candles as candle_canaries
    from ml.features.candle.build import build
    from ml.plotting import plots

    month, instrument = month_and_instrument(context, configuration)
    of_date = partial(configuration.instrument, instrument.id)
    source = months.read(
        data_root,
        instrument,
        month,
        UNIFIED.timeframe,
        before=UNIFIED.look_back,
        of_date=of_date,
    )
    rows = build(source, instrument)
    wanted = rows.filter(months.inside(month))
    by_day = plots.known_days(coverage.by_day(wanted))
    drawn = picture(data_root, "candle_features", context.partition_key, by_day)
    shown = {"coverage": table(coverage.by_reason(wanted)), "by day": drawn}
    yield dg.MaterializeResult(value=wanted, metadata=shown)
    yield from rule_results("candle_features", wanted)
    yield from canary_results("candle_features", candle_canaries.run(source, instrument, rows, build, UNIFIED))


@dg.asset(
    partitions_def=instrument_month,
    group_name="candle_sets",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(CANDLE_TARGETS),
    deps=STORED,
    check_specs=rule_specs("candle_targets"),
    automation_condition=ON_FRESH_DAYS,
)
def candle_targets(
    context: dg.AssetExecutionContext, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """The 20 targets of each candle of 15 minutes; null with a reason where a candle up to the horizon is missing."""
    from ml.plotting import plots

    month, instrument = month_and_instrument(context, configuration)
    of_date = partial(configuration.instrument, instrument.id)
    ahead = max(targets.HORIZONS.values())
    source = months.read(data_root, instrument, month, targets.TIMEFRAME, after=ahead, of_date=of_date)
    rows = targets.label(source, instrument).filter(months.inside(month))
    by_day = plots.known_days(coverage.by_day(rows))
    metadata = {
        "coverage": table(coverage.by_reason(rows)),
        "by day": picture(data_root, "candle_targets", context.partition_key, by_day),
        "classes": table(targets.classes(rows)),
    }
    yield dg.MaterializeResult(value=rows, metadata=metadata)
    yield from rule_results("candle_targets", rows)
