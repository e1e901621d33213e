"""Partition keys: dated, append-only, and nothing that is not listed."""

from datetime import timedelta
from types import SimpleNamespace

import dagster as dg
import pytest

from assets.partitions import date_and_instrument, instrument_day, instrument_month, month_and_instrument
from ml.core.errors import InstrumentError
from tests.conftest import default_dates
from tests.support.scenario import INSTRUMENT


def context(day, instrument):
    return SimpleNamespace(partition_key=dg.MultiPartitionKey({"date": day, "instrument": instrument}))


def test_the_keys_are_the_listed_dates_and_instruments():
    """Every listed date, the last one included, with every listed instrument; the key reads date|instrument."""
    first, last = default_dates()
    days = [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]
    assert set(instrument_day.get_partition_keys()) == {f"{day}|{INSTRUMENT.id}" for day in days}


def test_a_key_says_date_and_instrument():
    """The instrument comes with its decimals and tick, not as a name."""
    assert date_and_instrument(context("2025-03-04", INSTRUMENT.id)) == ("2025-03-04", INSTRUMENT)


def test_an_unlisted_instrument_is_an_error():
    """The message holds the lines to add."""
    with pytest.raises(InstrumentError, match=r"sim\.OTHER(.|\n)*\[\[instrument\]\]"):
        date_and_instrument(context("2025-03-04", "sim.OTHER"))


def test_months_reach_to_that_of_the_last_date():
    """The month of the last listed date is a partition, though it is not over; its key reads instrument|month."""
    assert instrument_month.get_partition_keys() == [f"{INSTRUMENT.id}|2025-03"]
    key = dg.MultiPartitionKey({"month": "2025-03", "instrument": INSTRUMENT.id})
    assert month_and_instrument(SimpleNamespace(partition_key=key)) == ("2025-03", INSTRUMENT)


def test_a_month_is_made_of_its_days():
    """Dagster knows which days a month depends on."""
    from assets.partitions import days_of_month

    wanted = instrument_month.subset_with_partition_keys([f"{INSTRUMENT.id}|2025-03"])
    found = days_of_month.get_upstream_mapped_partitions_result_for_partitions(wanted, instrument_month, instrument_day)
    assert set(found.partitions_subset.get_partition_keys()) == set(instrument_day.get_partition_keys())
