"""What a goal is, and the one goal that does not depend on the machine: bytes on disk."""

import pytest

from tests.benchmarks import ingest
from tests.benchmarks.goals import EVENT_BYTES, Goal


def test_stored_events_are_small(market):
    """Whatever the instrument, and however long the day."""
    assert max(ingest.sizes(market).values()) <= EVENT_BYTES


@pytest.mark.parametrize(("ratio", "at_most", "holds"), [(8.1, False, True), (7.9, False, False), (7.9, True, True)])
def test_a_goal_is_a_bound_on_a_ratio(ratio, at_most, holds):
    """At least the factor, or at most for times."""
    assert Goal("t", "a", "b", 8, at_most).holds({"a": ratio, "b": 1.0}) is holds
