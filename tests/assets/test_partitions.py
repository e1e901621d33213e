"""Partition keys: dated, append-only, and nothing that is not listed."""

from datetime import timedelta
from types import SimpleNamespace

import dagster as dg
import pytest

from assets.partitions import date_and_instrument, instrument_day
from ml.errors import InstrumentError
from tests.conftest import default_dates
from tests.scenario import INSTRUMENT


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
