"""Classes of movements by a threshold."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.labels.classes import DOWN, FIXED_THRESHOLD, NEUTRAL, UP, directions, fixed_direction

MOVES = st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("movement", "threshold", "expected"),
    [
        (0.002, 0.001, UP),
        (-0.002, 0.001, DOWN),
        (0.001, 0.001, NEUTRAL),
        (-0.001, 0.001, NEUTRAL),
        (np.nextafter(0.001, 1), 0.001, UP),
        (np.nextafter(-0.001, -1), 0.001, DOWN),
        (0.0, 0.0, NEUTRAL),
        (1e-12, 0.0, UP),
    ],
)
def test_a_move_must_exceed_the_threshold(movement, threshold, expected):
    """A move just as large as the threshold is none."""
    found = directions(np.array([movement]), threshold)
    assert (found.tolist(), found.dtype) == ([expected], np.int8)


@given(MOVES, st.floats(0, 0.01))
def test_the_mirror_of_a_move_is_the_mirrored_class(moves, threshold):
    """Up and down are treated alike."""
    movement = np.array(moves)
    np.testing.assert_array_equal(directions(-movement, threshold), UP - directions(movement, threshold))


@given(MOVES, st.floats(0, 0.005), st.floats(0, 0.005))
def test_a_larger_threshold_only_makes_more_neutral(moves, threshold, more):
    """No move changes sides, and none becomes a move."""
    small, large = (directions(np.array(moves), t) for t in (threshold, threshold + more))
    assert ((large == small) | (large == NEUTRAL)).all()


def test_each_row_may_have_its_own_threshold():
    """The label spec gives one per row."""
    movement = np.array([0.002, 0.002, -0.002])
    threshold = np.array([0.001, 0.003, 0.001])
    assert directions(movement, threshold).tolist() == [UP, NEUTRAL, DOWN]


@given(st.lists(st.one_of(st.none(), st.floats(-0.01, 0.01)), min_size=1))
def test_the_expression_equals_the_array(movements):
    """The fixed threshold of ten basis points, null for null."""
    found = pl.DataFrame({"m": pl.Series(movements, dtype=pl.Float64)}).select(fixed_direction(pl.col("m"))).to_series()
    expected = [None if m is None else int(directions(np.array([m]), FIXED_THRESHOLD)[0]) for m in movements]
    assert found.to_list() == expected
