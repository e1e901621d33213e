"""The predecessor's columns of each sample, for models that were trained on them.

The tables `legacy_110` and `legacy_112`, one partition per UTC date and instrument, run only on request; minutes
before the day are read if they are stored. The predecessor's own files belong to `assets.legacy`.
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from assets.candles import candles, rest_candles
from assets.checks import canary_results, canary_specs, rule_results, rule_specs
from assets.metadata import table
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.candles import months
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.time import MINUTE, bounds
from ml.core.versions import LEGACY_FEATURES, code_version
from ml.features.legacy.table import BEGUN, LEGACY_110, LEGACY_112
from ml.features.sets import FeatureSet
from ml.storage.parquet import Stored
from ml.tables import coverage


def _asset(chosen: FeatureSet) -> dg.AssetsDefinition:
    @dg.asset(
        name=chosen.name,
        partitions_def=instrument_day,
        group_name="legacy_sets",
        kinds={"parquet", "numpy"},
        io_manager_key="parquet",
        pool=DAYS,
        code_version=f"{chosen.hash}-{code_version(LEGACY_FEATURES)}",
        deps=[candles, rest_candles],
        check_specs=[*rule_specs(chosen.name), *canary_specs(chosen.name)],
        metadata={"feature set": chosen.name, "feature set hash": chosen.hash},
        description=f"The predecessor's {len(chosen.columns)} columns of each sample; their faults: docs/features.md.",
    )
    def rows(
        context: dg.AssetExecutionContext,
        raw_frames: Stored,
        book_samples: pl.LazyFrame,
        data_root: dg.ResourceParam[DataRoot],
        configuration: dg.ResourceParam[Config],
    ) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
        from ml.evaluation.canaries import legacy
        from ml.features.legacy.build import Day, build
        from ml.market.days.samples import tail
        from ml.market.days.tables import samples_array

        date, instrument = date_and_instrument(context, configuration)
        start, end = bounds(date)
        before = tail(raw_frames.group(0), instrument, date)
        since = start - BEGUN[chosen.name] * MINUTE
        minutes = months.between(
            data_root, instrument, since, end, "1m", partial(configuration.instrument, instrument.id)
        )
        day = Day(samples_array(book_samples.collect()), before, minutes, instrument, chosen)
        made = build(day)
        yield dg.MaterializeResult(value=made, metadata={"coverage": table(coverage.by_reason(made))})
        yield from rule_results(chosen.name, made)
        yield from canary_results(chosen.name, legacy.run(day, made))

    return rows


legacy_110 = _asset(LEGACY_110)
legacy_112 = _asset(LEGACY_112)
