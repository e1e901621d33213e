"""Partition keys: UTC date or month and instrument, from `lobforge.toml` in the data root.

This module has the partitions definitions and parses keys; the file belongs to `ml.core.config`. Keys are dated and
append-only: a removed key could no longer be addressed.
"""

import warnings
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import dagster as dg

from ml.core import config, settings
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot

ROOT = DataRoot(settings.load().data_root)
_CONFIG = config.load(ROOT)
FETCHED = ["archive_files"] if _CONFIG.sources else []
"""The asset that fetches captures; a dependency only if a source is configured."""


def _after(last: date) -> str:
    """The month after that of a date, so that the date's own is a partition."""
    return (last.replace(day=1) + timedelta(31)).strftime("%Y-%m")


instrument_day = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition(
            start_date=_CONFIG.first_date.isoformat(),
            end_date=(_CONFIG.last_date + timedelta(days=1)).isoformat() if _CONFIG.last_date else None,
        ),
        "instrument": dg.StaticPartitionsDefinition(_CONFIG.ids),
    }
)


instrument_month = dg.MultiPartitionsDefinition(
    {
        "month": dg.MonthlyPartitionsDefinition(
            start_date=_CONFIG.first_date.strftime("%Y-%m"),
            end_date=_after(_CONFIG.last_date) if _CONFIG.last_date else None,
            fmt="%Y-%m",
            end_offset=0 if _CONFIG.last_date else 1,
        ),
        "instrument": dg.StaticPartitionsDefinition(_CONFIG.ids),
    }
)
"""The current month is a partition too: it is recomputed as its days arrive."""

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


def month_and_instrument(context: dg.AssetExecutionContext) -> tuple[str, Instrument]:
    """The month (YYYY-MM) of the partition being made, and its instrument with the decimals of its latest entry."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 - the definition above makes no other
    return key.keys_by_dimension["month"], _CONFIG.instrument(key.keys_by_dimension["instrument"])


def date_and_instrument(context: dg.AssetExecutionContext) -> tuple[str, Instrument]:
    """The date (YYYY-MM-DD) of the partition being made, and its instrument as it was on that date."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 - the definition above makes no other
    date = key.keys_by_dimension["date"]
    return date, _CONFIG.instrument(key.keys_by_dimension["instrument"], date)


def of_date(instrument: Instrument) -> Callable[[str], Instrument]:
    """What an instrument was on a date (YYYY-MM-DD)."""
    return partial(_CONFIG.instrument, instrument.id)
