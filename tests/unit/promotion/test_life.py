"""The life of a model: every step follows from journal, evidence and time, and no order of decisions confuses it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.config import LifecyclePlan
from ml.core.time import HOUR
from ml.promotion import life
from ml.promotion.life import Life, Stage, Step, step

PLAN = LifecyclePlan(shadow_hours=4, split_hours=2, watch_hours=3, longest_hours=10)


@dataclass(frozen=True)
class Entry:
    """A journal entry."""

    at: int
    decision: str
    model_id: str | None
    champion_before: str | None
    champion: str | None


def journal(*decided):
    """Entries an hour apart; the champion follows from the decisions."""
    champion = None
    found = []
    for number, (decision, model) in enumerate(decided):
        before = champion
        if decision in ("promote", "rollback"):
            champion = model
        found.append(Entry(number * HOUR, decision, model, before, champion))
    return found


TRIED = (("promote", "a"), ("challenge", "b"))


def test_a_challenger_goes_through_all_stages():
    """Shadow, split, then champion with the previous one beside it, then alone."""
    stages = [life.of(journal(*TRIED, ("split", "b"), ("promote", "b"))[:n]) for n in range(1, 5)]
    assert stages == [
        Life("a", None, Stage.ALONE, 0),
        Life("a", "b", Stage.SHADOW, HOUR, HOUR),
        Life("a", "b", Stage.SPLIT, 2 * HOUR, HOUR),
        Life("b", "a", Stage.WATCH, 3 * HOUR),
    ]
    assert [one.challenger for one in stages] == [None, "b", "b", None]
    over = life.at_time(stages[-1], PLAN, 6 * HOUR)
    assert (over.champion, over.beside, over.stage) == ("b", None, Stage.ALONE)
    assert life.at_time(stages[-1], PLAN, 6 * HOUR - 1) == stages[-1]


@pytest.mark.parametrize("end", ["refuse", "insufficient", "retire"])
@pytest.mark.parametrize("stage", [(), (("split", "b"),)], ids=["shadow", "split"])
def test_what_ends_a_challenge(end, stage):
    """A decision on the challenger; one on another candidate does not."""
    assert life.of(journal(*TRIED, *stage, (end, "b"))).challenger is None
    assert life.of(journal(*TRIED, *stage, (end, "c"))).challenger == "b"


@pytest.mark.parametrize("taking", ["promote", "rollback"])
def test_another_champion_ends_the_challenge(taking):
    """The challenger was compared with one that serves no more."""
    assert life.of(journal(("promote", "z"), *TRIED, (taking, "c"))).challenger is None


def test_a_rollback_is_not_watched():
    """The target served before; going back and forth would never end."""
    assert life.of(journal(*TRIED, ("promote", "b"), ("rollback", "a"))).stage is Stage.ALONE


def at(stage, hours, outcome="undecided", faults=(), champion="a", beside="b"):
    """The step of a stage that began so many hours ago, after a challenge one hour older."""
    begun = 100 * HOUR
    return step(Life(champion, beside, stage, begun, begun - HOUR), PLAN, begun + int(hours * HOUR), outcome, faults)


def decision(*arguments, **more):
    found = at(*arguments, **more)
    return found and found.decision


@pytest.mark.parametrize(
    ("stage", "hours", "outcome", "expected"),
    [
        (Stage.SHADOW, 3.9, "better", None),
        (Stage.SHADOW, 4, "undecided", "split"),
        (Stage.SHADOW, 4, "better", "split"),
        (Stage.SHADOW, 0.5, "worse", "refuse"),
        (Stage.SHADOW, 0.5, "equal", "refuse"),
        (Stage.SPLIT, 1.9, "better", None),
        (Stage.SPLIT, 2, "better", "promote"),
        (Stage.SPLIT, 2, "undecided", None),
        (Stage.SPLIT, 2, "equal", "refuse"),
        (Stage.SPLIT, 0.1, "worse", "refuse"),
        (Stage.SPLIT, 8.9, "undecided", None),
        (Stage.SPLIT, 9, "undecided", "insufficient"),
        (Stage.WATCH, 2, "undecided", None),
        (Stage.WATCH, 2, "equal", None),
        (Stage.WATCH, 2, "worse", "rollback"),
        (Stage.WATCH, 3, "worse", None),
    ],
)
def test_the_step_of_a_stage(stage, hours, outcome, expected):
    """Nothing is promoted before its hours of split traffic, nor on anything but better."""
    assert decision(stage, hours, outcome) == expected


@pytest.mark.parametrize(
    ("stage", "expected"), [(Stage.SHADOW, "refuse"), (Stage.SPLIT, "refuse"), (Stage.WATCH, "rollback")]
)
def test_a_fault_acts_at_once(stage, expected):
    """Whatever the comparison says, and the record says which fault."""
    for outcome in ("better", "undecided"):
        found = at(stage, 0, outcome, ["it failed", "it is slow"])
        why = "the champion a is withdrawn: " if stage is Stage.WATCH else ""
        assert found == Step(expected, "b", f"{why}it failed; it is slow")


def test_nobody_beside_is_nothing_to_decide():
    """Neither without a challenger, nor without a champion."""
    assert at(Stage.SHADOW, 99, "better", ["x"], beside=None) is None
    assert at(Stage.SHADOW, 99, "better", ["x"], champion=None) is None


decisions = st.tuples(
    st.sampled_from(["challenge", "split", "promote", "rollback", "refuse", "insufficient", "retire"]),
    st.sampled_from(["a", "b", "c"]),
)


@given(st.lists(decisions, max_size=12), st.sampled_from(["better", "worse", "equal", "undecided"]), st.integers(0, 40))
def test_any_journal_gives_a_state_that_can_go_on(decided, outcome, hours):
    """A model is never beside itself, a stage has somebody beside, and a step names that model."""
    entries = journal(*decided)
    found = life.of(entries)
    assert found.champion == (entries[-1].champion if entries else None)
    assert (found.beside is None) == (found.stage is Stage.ALONE)
    assert found.since <= len(entries) * HOUR
    assert life.of(entries) == found
    taken = step(found, PLAN, found.since + hours * HOUR, outcome, [])
    if taken is not None:
        assert taken.model_id == found.beside
        assert taken.decision != "promote" or (outcome == "better" and found.stage is Stage.SPLIT and hours >= 2)
