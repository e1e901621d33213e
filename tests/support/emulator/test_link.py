"""Rows and gaps together are the truth, whatever befalls the frames: a state machine over every venue's protocol."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.emulator.judge import Judge, ask_until_known, calm
from tests.support.emulator.link import Link
from tests.support.emulator.market import START
from tests.support.emulator.protocols import PROTOCOLS

WAIT = st.sampled_from([1, 40, 400, 1_500])
REASONS = st.sampled_from(["reconnect", "silent"])


def bad_level(text: str) -> str:
    """A price that is no number."""
    return text.replace('":[["', '":[["x', 1)


def bad_time(text: str) -> str:
    """An event time that is years ahead."""
    return text.replace('"T":17', '"T":18').replace('"ts":"17', '"ts":"18').replace('ts":17', 'ts":18')


def cut_off(text: str) -> str:
    """The first half of it."""
    return text[: len(text) // 2]


class Faults(RuleBasedStateMachine):
    """Deliver, drop, double, reorder, reconnect, overflow, restart, garble; snapshots fresh, stale, late and amid."""

    venue = ""

    @initialize(seed=st.integers(0, 2**32), known=st.booleans())
    def open(self, seed: int, known: bool) -> None:
        self.link = Link(self.venue, seed)
        self.judge = Judge(self.link)
        if known:
            ask_until_known(self.link)

    @rule(wait=WAIT, count=st.integers(1, 4))
    def happen(self, wait: int, count: int) -> None:
        for _ in range(count):
            self.link.happen(wait)

    @precondition(lambda self: self.link.flight)
    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.link.flight))):
            self.link.deliver()

    @precondition(lambda self: self.link.flight)
    @rule()
    def drop(self) -> None:
        self.link.flight.popleft()

    @precondition(lambda self: self.link.arrived)
    @rule(back=st.integers(1, 8))
    def double(self, back: int) -> None:
        self.link.arrive(self.link.arrived[-min(back, len(self.link.arrived))])

    @precondition(lambda self: sum(sent.holds == "book" for sent in self.link.flight) > 1)
    @rule()
    def reorder(self) -> None:
        flight = self.link.flight
        first, second = [k for k, sent in enumerate(flight) if sent.holds == "book"][:2]
        flight[first], flight[second] = flight[second], flight[first]

    @rule(reason=REASONS)
    def fall(self, reason: str) -> None:
        self.link.fall(reason)

    @precondition(lambda self: self.link.flight)
    @rule(count=st.integers(1, 4))
    def overflow(self, count: int) -> None:
        for _ in range(min(count, len(self.link.flight))):
            self.link.flight.popleft()
        self.link.lose("overflow")

    # once: ids of two short epochs would be the same, and no id could tell them apart
    @precondition(lambda self: self.link.protocol.restart and self.link.market.update >= START)
    @rule()
    def restart(self) -> None:
        self.link.restart()

    @precondition(lambda self: self.link.flight)
    @rule(how=st.sampled_from([bad_level, bad_time, cut_off]))
    def garble(self, how: Any) -> None:
        self.link.spoil(how)

    @precondition(lambda self: self.link.rest)
    @rule()
    def ask(self) -> None:
        self.link.ask()

    @precondition(lambda self: self.link.rest)
    @rule(wait=WAIT)
    def ask_amid(self, wait: int) -> None:
        self.link.ask_amid(wait)

    @precondition(lambda self: self.link.answers)
    @rule(back=st.integers(1, 4))
    def answer(self, back: int) -> None:
        self.link.arrive(self.link.answers[-min(back, len(self.link.answers))])

    @precondition(lambda self: not self.link.rest and self.link.watch.waiting())
    @rule()
    def renew(self) -> None:
        self.link.renew()

    @invariant()
    def truth(self) -> None:
        if hasattr(self, "judge"):
            self.judge.look()

    def teardown(self) -> None:
        """Once the faults end, the book is known again by what the capture asks for."""
        if not hasattr(self, "judge"):
            return
        ask_until_known(self.link)
        self.judge.look()
        assert self.judge.known == len(self.link.market.history), "the book does not come back"
        calm(self.link, 10)
        self.judge.look()
        self.judge.conclude()


def run(venue: str, examples: int, steps: int) -> None:
    """No shrinking: it would take minutes, and the steps that failed are printed as they were."""
    machine = type("Faults", (Faults,), {"venue": venue})
    amount = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    how = settings(amount, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.promise("A2")
@pytest.mark.parametrize("venue", PROTOCOLS)
def test_rows_and_gaps_are_the_truth(venue):
    """For every venue."""
    run(venue, examples=20, steps=25)


@pytest.mark.slow
@pytest.mark.promise("A2")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("venue", PROTOCOLS)
def test_rows_and_gaps_are_the_truth_for_long(venue):
    """The same, with more faults in a row and far more often."""
    run(venue, examples=400, steps=50)
