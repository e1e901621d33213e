"""Context: the time of day and the age of the book."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ml.core.time import SECOND
from ml.features.tick.context import fill
from ml.market.book import layout as at

HOUR = 3600


def context(hour, minute=0, age=0):
    row = np.zeros(at.COLUMNS, np.int64)
    out = np.zeros(4)
    row[at.TS] = int(datetime(2025, 3, 4, hour, minute, tzinfo=UTC).timestamp()) * SECOND
    row[at.BOOK_AGE] = age
    fill(row, out)
    return out.tolist()


@pytest.mark.parametrize(("hour", "sine", "cosine"), [(0, 0, 1), (6, 1, 0), (12, 0, -1), (18, -1, 0)])
def test_the_day_is_a_circle(hour, sine, cosine):
    """Midnight, morning, noon and evening."""
    assert context(hour)[:2] == pytest.approx([sine, cosine], abs=1e-12)


@pytest.mark.parametrize(("hour", "minute", "left"), [(0, 0, 8), (7, 45, 0.25), (8, 0, 8), (15, 0, 1), (23, 30, 0.5)])
def test_hours_to_the_next_funding(hour, minute, left):
    """00, 08 and 16 UTC; at such an hour the next one counts."""
    assert context(hour, minute)[2] == left


def test_the_age_of_the_book_is_in_milliseconds():
    """From ns."""
    assert context(1, age=250_000_000)[3] == 250.0
