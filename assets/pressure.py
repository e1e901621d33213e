"""Spoofing pressure, one row per second, one partition per UTC date and instrument.

Only experiments whose feature set has its columns read it; the job `pressure` makes it, or the automation.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import canary_results, canary_specs, rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.prefetch import prefetch
from ml.core.versions import PRESSURE, code_version
from ml.storage.parquet import Stored

CANARIES = {
    "future_scramble": "Later events do not change earlier rows.",
    "planted_leak": "A planted leak is caught.",
}


@dg.asset(
    partitions_def=instrument_day,
    group_name="pressure",
    kinds={"parquet", "numba"},
    io_manager_key="parquet",
    pool=DAYS,
    code_version=code_version(PRESSURE),
    automation_condition=ON_FRESH_INPUT,
    check_specs=[*rule_specs("spoofing_pressure"), *canary_specs("spoofing_pressure", CANARIES)],
)
def spoofing_pressure(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    book_events: Stored,
    trades: pl.LazyFrame,
    book_samples: pl.LazyFrame,
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """How much of each side is large and new, how much of that is pulled, and what the pulls tilt; null if unknown."""
    from ml.evaluation.canaries import pressure as leaks
    from ml.features.pressure.rows import build, null_counts
    from ml.market.days.samples import tail
    from ml.market.days.tables import BOOK, samples_array

    date, instrument = date_and_instrument(context, configuration)
    before = tail(raw_frames.group(0), instrument, date)
    samples = samples_array(book_samples.collect())
    prints = trades.collect()
    rows = build(prefetch(book_events.parts(*BOOK)), prints, before, samples, instrument, date)
    nulls = {f"null, {reason}": count for reason, count in null_counts(rows).items()}
    yield dg.MaterializeResult(value=rows, metadata={"rows": rows.height} | nulls)
    yield from rule_results("spoofing_pressure", rows)
    canaries = leaks.run(book_events.parts(*BOOK), prints, before, samples, rows, instrument, date)
    yield from canary_results("spoofing_pressure", canaries)
