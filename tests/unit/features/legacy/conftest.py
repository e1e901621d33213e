"""The day of samples and minutes from which the predecessor's columns are made."""

import pytest

from tests.support import legacy_days


@pytest.fixture
def days():
    """By set: what rows are made of, and the rows."""
    return legacy_days.days()
