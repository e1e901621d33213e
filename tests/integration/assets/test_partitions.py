"""Partition keys: dated, append-only, and nothing that is not listed."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from assets.partitions import (
    date_and_instrument,
    dated,
    days_of_month,
    instrument_day,
    instrument_month,
    month_and_instrument,
)
from ml.core.config import Config
from ml.core.errors import InstrumentError
from tests.support.scenario import INSTRUMENT, listing

LISTED = Config(Path("captures"), date(2025, 3, 3), date(2025, 3, 5), (INSTRUMENT,))
DAYS = ["2025-03-03", "2025-03-04", "2025-03-05"]


def context(**keys):
    return SimpleNamespace(partition_key=dg.MultiPartitionKey(keys))


@pytest.fixture(autouse=True)
def known():
    """What Dagster does before it asks for keys: say which instance knows the instruments."""
    with listing(INSTRUMENT.id) as instance, partition_loading_context(dynamic_partitions_store=instance):
        yield


def of(declared):
    return dated(dg.AssetSpec("table", partitions_def=declared), LISTED).partitions_def


def test_the_keys_are_the_listed_dates_and_instruments():
    """Every listed date, the last one included, with every listed instrument; the key reads date|instrument."""
    assert of(instrument_day).get_partition_keys() == [f"{day}|{INSTRUMENT.id}" for day in DAYS]


def test_an_asset_without_partitions_stays():
    """It is returned as it was."""
    spec = dg.AssetSpec("table")
    assert dated(spec, LISTED) is spec


def test_a_key_says_date_and_instrument():
    """The instrument comes with its decimals and tick, not as a name."""
    found = date_and_instrument(context(date="2025-03-04", instrument=INSTRUMENT.id), LISTED)
    assert found == ("2025-03-04", INSTRUMENT)


def test_an_unlisted_instrument_is_an_error():
    """The message holds the lines to add."""
    with pytest.raises(InstrumentError, match=r"sim\.OTHER(.|\n)*\[\[instrument\]\]"):
        date_and_instrument(context(date="2025-03-04", instrument="sim.OTHER"), LISTED)


def test_months_reach_to_that_of_the_last_date():
    """The month of the last listed date is a partition, though it is not over; its key reads instrument|month."""
    assert of(instrument_month).get_partition_keys() == [f"{INSTRUMENT.id}|2025-03"]
    found = month_and_instrument(context(month="2025-03", instrument=INSTRUMENT.id), LISTED)
    assert found == ("2025-03", INSTRUMENT)


def test_a_month_is_made_of_its_days():
    """Dagster knows which days a month depends on."""
    months = of(instrument_month)
    wanted = months.subset_with_partition_keys([f"{INSTRUMENT.id}|2025-03"])
    found = days_of_month.get_upstream_mapped_partitions_result_for_partitions(wanted, months, of(instrument_day))
    assert set(found.partitions_subset.get_partition_keys()) == {f"{day}|{INSTRUMENT.id}" for day in DAYS}
