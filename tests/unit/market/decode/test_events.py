"""Time units."""

import pytest

from ml.market.decode.events import BookMessage, stamp_ns

MOMENT = 1_721_347_022_504_000_000


@pytest.mark.parametrize("unit", [1, 10**3, 10**6])
def test_the_unit_of_a_stamp_follows_from_its_magnitude(unit):
    """ns, us and ms of the same moment are the same moment."""
    assert stamp_ns(MOMENT // unit) == MOMENT


def test_seconds_are_recognised():
    """Whole seconds too."""
    assert stamp_ns(1_721_347_022) == 1_721_347_022 * 10**9


def test_a_bare_message_keeps_ids_and_time():
    """A message without its levels still says when it came and what it would have connected."""
    message = BookMessage(False, 5, 4, 1, 2, 0, [1], [10], [3])
    bare = message.bare()
    assert (bare.event_ts, bare.first_id, bare.last_id, bare.prev_id, bare.side) == (5, 1, 2, 0, [])
