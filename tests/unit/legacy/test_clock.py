"""Times in any unit."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.legacy.clock import UNITS, normalise

MS = 1_762_473_600_123
NS = MS * 10**6


@given(st.integers(1_400_000_000, 4_199_999_999), st.sampled_from(sorted(UNITS)))
def test_an_integer_has_the_unit_of_its_size(seconds, unit):
    """Seconds, ms, us and ns cannot be taken for one another between 2014 and 2103."""
    found = normalise(pl.Series([seconds * 10**9 // UNITS[unit]]))
    assert found.row(0) == (seconds * 10**9, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MS / 1000, NS),
        (str(MS), NS),
        (str(NS), NS),
        ("1762473600.123", NS),
        ("2025-11-07T00:00:00.123Z", NS),
        ("2025-11-07 00:00:00.123", NS),
        ("2025-11-07T01:00:00.123+01:00", NS),
        (" 2025-11-07 ", NS // 86_400_000_000_000 * 86_400_000_000_000),
    ],
)
def test_text_and_floats_are_read(value, expected):
    """With an offset or in UTC, with or without a fraction."""
    assert normalise(pl.Series([value])).row(0) == (expected, None)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pl.Series([0]), "no_timestamp"),
        (pl.Series([None], dtype=pl.Int64), "no_timestamp"),
        (pl.Series([float("nan")]), "no_timestamp"),
        (pl.Series(["0"]), "no_timestamp"),
        (pl.Series([" "]), "no_timestamp"),
        (pl.Series([None], dtype=pl.Null), "no_timestamp"),
        (pl.Series([12]), "bad_timestamp"),
        (pl.Series([-MS]), "bad_timestamp"),
        (pl.Series([1e300]), "bad_timestamp"),
        (pl.Series(["noon"]), "bad_timestamp"),
        (pl.Series(["2025-13-01"]), "bad_timestamp"),
        (pl.Series([True]), "bad_timestamp"),
        (pl.Series([datetime(1999, 1, 1, tzinfo=UTC)]), "bad_timestamp"),
    ],
)
def test_what_is_no_time_has_its_reason(values, reason):
    """Missing and impossible are told apart."""
    assert normalise(values).row(0) == (None, reason)


def test_datetimes_keep_their_zone():
    """A column of datetimes, with or without a zone."""
    utc = pl.Series([datetime(2025, 11, 7, tzinfo=UTC)])
    midnight = NS // 10**9 * 10**9
    assert normalise(utc)["ts"][0] == normalise(utc.dt.replace_time_zone(None))["ts"][0] == midnight
    assert normalise(utc.dt.replace_time_zone("Europe/Berlin"))["ts"][0] == midnight - 3_600 * 10**9


def test_units_may_differ_from_row_to_row():
    """Each value is judged by itself."""
    assert normalise(pl.Series([MS, NS, MS // 1000]))["ts"].to_list() == [NS, NS, MS // 1000 * 10**9]
