"""One-minute candles from trades, one partition per UTC date and instrument.

Coarser candles are resampled from them (`ml.candles.from_trades.resample`). `lobforge candles` fetches the candles
of a venue.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import picture, table
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import CANDLES, code_version

rest_candles = dg.AssetSpec(
    "rest_candles",
    partitions_def=instrument_day,
    group_name="raw",
    kinds={"parquet"},
    description="Candles that the venue serves, stored by `lobforge candles`.",
)
"""Made outside Dagster."""


@dg.asset(
    partitions_def=instrument_day,
    group_name="raw",
    kinds={"parquet", "polars"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(CANDLES),
    automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("candles"),
)
def candles(
    context: dg.AssetExecutionContext,
    trades: pl.LazyFrame,
    trade_validity: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Open, high, low, close and volume of each minute, stamped with its end; null with a reason if not captured."""
    from ml.candles.from_trades import from_trades, kinds
    from ml.core.time import bounds
    from ml.plotting import plots

    date, instrument = date_and_instrument(context, configuration)
    minutes = from_trades(trades.collect(), trade_validity.collect(), *bounds(date))
    drawn = picture(data_root, "candles", context.partition_key, plots.candles(minutes, instrument))
    shown = {"minutes": table(kinds(minutes)), "close and volume": drawn}
    yield dg.MaterializeResult(value=minutes, metadata=shown)
    yield from rule_results("candles", minutes)
