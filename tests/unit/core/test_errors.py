"""The error family, and the reasons that frames and intervals carry."""

import re
from pathlib import Path

import pytest

from ml.core import errors
from ml.core.errors import FrameError, LobforgeError
from ml.market.book.feed import SPAN_REASONS
from ml.tables.schemas import END_REASONS, QUARANTINE_REASONS

ML = Path(errors.__file__).parents[1]
FAMILY = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize("error", FAMILY, ids=lambda error: error.__name__)
def test_every_error_is_one_that_a_user_can_act_on(error):
    """One except clause at the door catches them all, and the module's tree names each."""
    assert issubclass(error, LobforgeError)
    assert error.__name__ in errors.__doc__


def test_a_frame_error_tells_reason_and_detail():
    """The quarantine keeps the two apart, a person reads them together."""
    error = FrameError("price_zero", "a level at price 0.0")
    assert (error.reason, error.detail, str(error)) == (
        "price_zero",
        "a level at price 0.0",
        "price_zero: a level at price 0.0",
    )


def test_every_reason_that_is_given_is_documented():
    """No module quarantines a frame for a reason that the schemas do not explain, and none is explained for nothing."""
    given = {r for path in ML.rglob("*.py") for r in re.findall(r'(?:FrameError|Line)\(\s*"(\w+)"', path.read_text())}
    assert given <= QUARANTINE_REASONS.keys()
    assert len(given) > 10


def test_every_end_of_an_interval_is_documented():
    """The kernel's breaks are reasons of the table `validity`."""
    assert set(SPAN_REASONS.values()) <= set(END_REASONS)
