"""What parsers raise becomes a reason."""

import pytest

from ml.core.errors import FrameError
from ml.market.decode.parse_errors import guarded, whole


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (KeyError("a"), "'a' is missing or unknown"),
        (TypeError("t"), "a field is malformed: t"),
        (ValueError("v"), "a field is malformed: v"),
        (OverflowError("o"), "a field is malformed: o"),
    ],
)
def test_what_reading_raises_is_a_bad_frame(raised, told):
    """In words, not by the name of Python's error."""

    @guarded
    def parser():
        raise raised

    with pytest.raises(FrameError) as caught:
        parser()
    assert (caught.value.reason, caught.value.detail) == ("bad_frame", told)


def test_a_reason_stays_as_it_is():
    """It says more than the guard could."""

    @guarded
    def parser():
        raise FrameError("off_grid", "x")

    with pytest.raises(FrameError, match="off_grid"):
        parser()


@pytest.mark.parametrize(("value", "fits"), [(2**62, True), ("7", True), (2**62 + 1, False), (-(2**63), False)])
def test_ids_fit_64_bits(value, fits):
    """With room for what is added to them."""
    if fits:
        assert whole(value) == int(value)
    else:
        with pytest.raises(ValueError, match="64 bits"):
            whole(value)
