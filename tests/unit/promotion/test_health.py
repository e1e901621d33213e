"""Health of a model beside another one: each fault at its limit, none before there are rows to speak of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.config import LifecyclePlan
from ml.promotion.health import LEAST, QUICK_NS, WINDOW, Monitor
from ml.promotion.serving import MODEL_ERROR, NO_ANSWER, Answer

PLAN = LifecyclePlan()
P = np.full(3, 1 / 3)


def right(ns=100):
    return Answer("m", 10, P, 1, None, ns)


def failed(ns=100):
    return Answer("m", 10, None, None, MODEL_ERROR, ns)


def silent():
    return Answer("m", 10, None, None, NO_ANSWER, 100)


def unknown():
    return Answer("m", 10, None, None, "warm_up", None)


def monitor(judged, other=right):
    """A monitor that has seen rows: a list of answers of the judged model."""
    found = Monitor()
    for answer in judged:
        found.add(answer, other() if callable(other) else other)
    return found


def told(found):
    return found.health().faults(PLAN)


@pytest.mark.parametrize(("rows", "most"), [(10, 3), (LEAST, 3), (1_000, 10), (WINDOW, 12)])
def test_more_than_one_in_a_hundred_failed(rows, most):
    """At one in a hundred there is no fault yet; a share is never taken of fewer than 300 rows."""
    rest = [right()] * (rows - most - 1)
    assert told(monitor([failed()] * most + [right(), *rest])) == []
    (fault,) = told(monitor([failed()] * (most + 1) + rest))
    assert f"failed on {most + 1} of {rows} rows" in fault


def test_more_than_a_fifth_without_an_answer():
    """No answer to a known input, and an input that the other model knew."""
    for answer in (silent(), unknown()):
        assert told(monitor([answer] * 200 + [right()] * 800)) == []
        (fault,) = told(monitor([answer] * 201 + [right()] * 799))
        assert "no answer on 201 of 1000 rows, 20.1 %" in fault


def test_a_row_that_nobody_knew_does_not_count():
    """A gap of the market is no abstention of a model."""
    found = monitor([unknown()] * 5_000, unknown)
    assert (found.health().rows, told(found)) == (0, [])


def test_a_failure_is_forgotten_with_its_window():
    """Only the newest rows are judged."""
    found = monitor([failed()] * 13 + [right()] * (WINDOW - 13))
    assert len(told(found)) == 1
    found.add(right(), right())
    assert told(found) == []
    assert found.health().errors == 12


@pytest.mark.parametrize(("ratio", "faults"), [(1.0, 0), (1.9, 0), (2.1, 1), (5.0, 1)])
def test_a_processor_time_more_than_twice_the_others(ratio, faults):
    """The 99th percentile, on the same rows; a window that is not full says nothing."""
    slow = [right(int(ratio * QUICK_NS)) if k % 50 == 0 else right(900) for k in range(WINDOW)]
    other = iter([right(QUICK_NS if k % 50 == 0 else 900) for k in range(2 * WINDOW)])
    found = monitor(slow[:-1], lambda: next(other))
    assert found.health().ratio is None
    found.add(slow[-1], next(other))
    assert len(told(found)) == faults


def test_a_model_that_is_quick_is_not_slow_beside_a_quicker_one():
    """Below a millisecond the ratio does not count."""
    assert told(monitor([right(QUICK_NS - 1)] * WINDOW, right(1_000))) == []
    assert len(told(monitor([right(QUICK_NS)] * WINDOW, right(1_000)))) == 1


def test_one_slow_stretch_of_the_machine_is_no_fault():
    """It hits one half of the window: the other one shows that the model is as fast as the other."""
    stretch = [right(9 * QUICK_NS) if 100 < k < 160 else right(QUICK_NS) for k in range(WINDOW)]
    assert told(monitor(stretch, right(QUICK_NS))) == []


@given(st.lists(st.sampled_from("rfsu"), max_size=60), st.integers(1, 20))
def test_counts_are_those_of_the_newest_rows(kinds, window):
    """Whatever came before."""
    answers = {"r": right(), "f": failed(), "s": silent(), "u": unknown()}
    found = Monitor(window)
    for kind in kinds:
        found.add(answers[kind], right())
    newest = kinds[-window:]
    health = found.health()
    assert (health.rows, health.errors) == (len(newest), newest.count("f"))
    assert health.abstained == newest.count("s") + newest.count("u")
    assert found.suspicious(PLAN) == (health.faults(PLAN) != [] and bool(newest))
