"""Dates: bounds and dates of instants agree."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import DAY_NS, bounds, date_of

DATES = st.dates(date(1970, 1, 1), date(2200, 1, 1)).map(date.isoformat)


def test_a_known_date():
    """2024-02-29 began 1 709 164 800 s after the epoch."""
    assert bounds("2024-02-29") == (1_709_164_800 * 10**9, 1_709_251_200 * 10**9)


@given(DATES, st.integers(0, DAY_NS - 1))
def test_an_instant_of_a_date_is_of_that_date(day, offset):
    """The start belongs to the date, the end to the next."""
    start, end = bounds(day)
    assert end - start == DAY_NS
    assert date_of(start + offset) == day
    assert bounds(date_of(end))[0] == end
