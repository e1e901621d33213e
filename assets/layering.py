"""Cues of layering, one partition per UTC date and instrument.

The detector and what it finds belong to `ml.layering`, what is learned from labelled cues to `assets.layering_model`.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.core.prefetch import prefetch
from ml.core.versions import LAYERING, code_version
from ml.promotion.registry import champion_of
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=instrument_day,
    group_name="layering",
    kinds={"parquet", "lightgbm"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(LAYERING),
    automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("layering_cues"),
)
def layering_cues(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    book_events: Stored,
    trades: pl.LazyFrame,
    configuration: dg.ResourceParam[Config],
    data_root: dg.ResourceParam[DataRoot],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Large orders that were placed and pulled together on one side: cues to look at, never proof of anything."""
    from ml.layering import thresholds
    from ml.layering.days import cues_of_day
    from ml.market.days.samples import tail
    from ml.market.days.tables import BOOK

    date, instrument = date_and_instrument(context, configuration)
    before = tail(raw_frames.group(0), instrument, date)
    champion = champion_of(data_root, LAYERING_MODEL)
    events = prefetch(book_events.parts(*BOOK))
    calibration = thresholds.of(data_root, instrument, configuration.layering.budget)
    cues = cues_of_day(events, trades.collect(), before, instrument, calibration, champion)
    counts = {"cues": cues.height, "indeterminate": cues.filter(pl.col("verdict") != "cue").height}
    counts |= {"champion": champion.id if champion else "none"}
    counts |= {"threshold": calibration.threshold, "threshold from": calibration.source}
    yield dg.MaterializeResult(value=cues, metadata=counts)
    yield from rule_results("layering_cues", cues)
