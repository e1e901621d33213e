"""The sealed slice: the first look is free, the next one sees what is newer and nothing else."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.evaluation import holdout
from ml.learning.experiment import DEFAULT

NAME = DEFAULT.name


def sealed(first, count):
    return pl.DataFrame({"ts": (first + np.arange(count)) * SECOND})


def look(root, rows, predictions, at=5):
    return holdout.unseal(root, NAME, rows, predictions, f"model of {predictions}", at)


def test_the_first_look_sees_all_of_it_however_often(root):
    """The same predictions may be judged again; one line says who looked when."""
    for at in (5, 6):
        found = look(root, sealed(0, 700), "a", at)
        assert (found.rows.height, found.seen, found.openings) == (700, 0, 1)
    (opening,) = holdout.openings(root, NAME)
    assert (opening.at, opening.candidate, opening.start, opening.end, opening.rows) == (
        5,
        "model of a",
        0,
        699 * SECOND,
        700,
    )


def test_the_second_look_sees_nothing(root):
    """Its figures would be contaminated."""
    look(root, sealed(0, 700), "a")
    found = look(root, sealed(0, 700), "b")
    assert (found.rows.height, found.seen, found.openings) == (0, 700, 2)


def test_newer_rows_are_sealed_again(root):
    """A week later the slice has moved on: what overlaps the old one is left out."""
    look(root, sealed(0, 700), "a")
    found = look(root, sealed(500, 700), "b")
    assert (found.rows["ts"].min(), found.rows.height, found.seen) == (700 * SECOND, 500, 200)
    fresh = look(root, sealed(2_000, 700), "c")
    assert (fresh.rows.height, fresh.seen, fresh.openings) == (700, 0, 1)


def test_experiments_have_slices_of_their_own(root):
    """And no rows are no look."""
    look(root, sealed(0, 700), "a")
    assert holdout.unseal(root, "other", sealed(0, 700), "b", "m", 5).rows.height == 700
    assert look(root, sealed(0, 0), "d").openings == 0
    assert len(holdout.openings(root, NAME)) == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30), st.integers(0, 5)), min_size=1, max_size=8))
def test_no_row_is_ever_seen_for_two_candidates(tmp_path_factory, looks):
    """Whatever the slices and their order, a row is judged for one set of predictions alone."""
    root = DataRoot(tmp_path_factory.mktemp("root"))
    owner = {}
    slices = {}
    for first, count, name in looks:
        # the rows of a set of predictions do not change
        rows = slices.setdefault(name, sealed(first, count))
        for ts in look(root, rows, str(name)).rows["ts"]:
            assert owner.setdefault(ts, name) == name
