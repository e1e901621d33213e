"""Features of the book and the tape, a row a second.

Here: the feature table, one partition a UTC date x instrument.
Not here: what happened next (`assets.labels`).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import table
from assets.partitions import date_and_instrument, instrument_day
from ml.features.sets import BASE
from ml.fingerprint import FEATURES, fingerprint


@dg.asset(
    partitions_def=instrument_day, group_name="features", kinds={"parquet", "numba"}, io_manager_key="parquet",
    owners=["team:research"], code_version=f"{BASE.hash}-{fingerprint(FEATURES)}", automation_condition=ON_FRESH_INPUT,
    check_specs=rule_specs("features"), metadata={"feature set": BASE.name, "feature set hash": BASE.hash},
)  # fmt: skip
def features(
    context: dg.AssetExecutionContext, raw_frames: pl.LazyFrame, book_samples: pl.LazyFrame
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """Book shape, order flow and trade flow of each sample; null with a reason where the book was not known."""
    from ml.features.build import build, null_counts
    from ml.market.samples import tail
    from ml.market.tables import samples_array

    date, instrument = date_and_instrument(context)
    before = tail(raw_frames.filter(pl.col("kind") == "checkpoint").collect(), instrument, date)
    rows = build(samples_array(book_samples.collect()), before, instrument)
    yield dg.MaterializeResult(value=rows, metadata={"rows by null reason": table(null_counts(rows))})
    yield from rule_results("features", rows)
