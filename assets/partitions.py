"""Partition keys: UTC date or month, and instrument.

Here: the partitions definitions that assets are declared with, and what a key stands for.
Not here: `lobforge.toml`, which lists dates and instruments (`ml.core.config`).

Instruments are dynamic partitions: `lobforge init` and the sensor `capture_arrivals` add those of `lobforge.toml` to
the Dagster instance. Keys are append-only: a removed key could no longer be addressed.
"""

import warnings
from datetime import date, timedelta

import dagster as dg

from ml.core.config import Config
from ml.core.instruments import Instrument

DAYS = "days"
"""The pool of what reads a whole day: how many run at once is a matter of memory (`dagster.yaml`)."""
INSTRUMENTS = dg.DynamicPartitionsDefinition(name="instrument")


def by_day(first: date, last: date | None) -> dg.MultiPartitionsDefinition:
    """UTC dates, both ends included, and instruments; without a last date each day is added as it ends."""
    end = (last + timedelta(days=1)).isoformat() if last else None
    dates = dg.DailyPartitionsDefinition(start_date=first.isoformat(), end_date=end)
    return dg.MultiPartitionsDefinition({"date": dates, "instrument": INSTRUMENTS})


def by_month(first: date, last: date | None) -> dg.MultiPartitionsDefinition:
    """Months and instruments; the current month is a partition too, since it is recomputed as its days arrive."""
    months = dg.MonthlyPartitionsDefinition(
        start_date=first.strftime("%Y-%m"),
        end_date=(last.replace(day=1) + timedelta(31)).strftime("%Y-%m") if last else None,
        fmt="%Y-%m",
        end_offset=0 if last else 1,
    )
    return dg.MultiPartitionsDefinition({"month": months, "instrument": INSTRUMENTS})


_UNDATED = (date(2009, 1, 3), None)
instrument_day = by_day(*_UNDATED)
instrument_month = by_month(*_UNDATED)
"""What assets are declared with: no configuration is read while modules are imported, `dated` puts in its dates."""

with warnings.catch_warnings():
    # known to be beta: dagster is pinned, and the tests of assets see that months are made of their days
    warnings.filterwarnings("ignore", "Class `MultiPartitionMapping` is currently in beta", dg.BetaWarning)
    days_of_month = dg.MultiPartitionMapping(
        {
            "date": dg.DimensionPartitionMapping("month", dg.TimeWindowPartitionMapping()),
            "instrument": dg.DimensionPartitionMapping("instrument", dg.IdentityPartitionMapping()),
        }
    )
"""Which days a month is made of; those around it, as far as it looks back and ahead, are read where they are stored."""


experiments = dg.DynamicPartitionsDefinition(name="experiment")
"""The experiments of `lobforge.toml`: what is trained and decided side by side."""


def dated(spec: dg.AssetSpec, configuration: Config) -> dg.AssetSpec:
    """The asset with the first and last date of a configuration; one without partitions stays as it is."""
    for declared, build in ((instrument_day, by_day), (instrument_month, by_month)):
        if spec.partitions_def == declared:
            return spec.replace_attributes(partitions_def=build(configuration.first_date, configuration.last_date))
    return spec


def date_and_instrument(context: dg.AssetExecutionContext, configuration: Config) -> tuple[str, Instrument]:
    """The date (YYYY-MM-DD) of the partition being made, and its instrument as it was on that date."""
    keys = _keys(context)
    return keys["date"], configuration.instrument(keys["instrument"], keys["date"])


def month_and_instrument(context: dg.AssetExecutionContext, configuration: Config) -> tuple[str, Instrument]:
    """The month (YYYY-MM) of the partition being made, and its instrument with the decimals of its latest entry."""
    keys = _keys(context)
    return keys["month"], configuration.instrument(keys["instrument"])


def _keys(context: dg.AssetExecutionContext) -> dict[str, str]:
    """The parts of the partition key by dimension."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 - the definitions above make no other
    return dict(key.keys_by_dimension)
