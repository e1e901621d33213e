"""How much of a table is known."""

import polars as pl
import pytest

from ml.tables.coverage import by_day, by_reason
from ml.tables.schemas import NullReason

DAY = 24 * 3_600 * 10**9


@pytest.fixture
def frame():
    """Two days of two rows; the row that ends the first day belongs to it."""
    ts = [DAY // 2, DAY, DAY + 1, 2 * DAY]
    return pl.DataFrame({"ts": ts, "null_reason_a": [3, 0, 0, 0], "null_reason_b": [9, 9, 5, 0]}).cast(
        {"null_reason_a": pl.UInt8, "null_reason_b": pl.UInt8}
    )


def test_shares_and_reasons(frame):
    """A line per family, with the reasons by name."""
    assert by_reason(frame).rows() == [("a", 0.75, "warm_up 1"), ("b", 0.25, "undefined 1, no_candle 2")]
    assert NullReason.NO_CANDLE == 9


def test_shares_by_day(frame):
    """Of each UTC day and family."""
    days = by_day(frame).rows()
    assert days == [
        ("1970-01-01", "a", 0.5),
        ("1970-01-02", "a", 1.0),
        ("1970-01-01", "b", 0.0),
        ("1970-01-02", "b", 0.5),
    ]


def test_no_rows(frame):
    """Nothing is known of nothing."""
    assert by_reason(frame[:0])["known"].to_list() == [0.0, 0.0]
    assert by_day(frame[:0]).height == 0
