"""Markets without anything to learn must not be promoted, and a weak one not on half a day of data."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pytest

from tests.e2e.markets import Outcome, decide

SEEDS = range(100, 200)


@pytest.fixture
def decide_all(capsys):
    """Decides each seed's market on two cores and trades every outcome, whether the test passes or not."""

    def decided(ic: float, seeds: range) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool, capsys.disabled():
            for outcome in pool.map(partial(decide, ic=ic), seeds):
                print(f"ic {ic} seed {outcome.seed}: {outcome.decision} {outcome.detail}", flush=True)
                outcomes.append(outcome)
        return outcomes

    return decided


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_of_a_hundred_markets_without_alpha_at_most_two_are_promoted(decide_all):
    """The gates' own false-positive rate, from the feature level on; every outcome is printed."""
    outcomes = decide_all(0.0, SEEDS)
    assert sum(outcome.decision == "promote" for outcome in outcomes) <= 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_weak_alpha_is_not_promoted_on_half_a_day(decide_all):
    """An information coefficient of .05 gives at most 2.1 points of macro-accuracy; half a day cannot show them."""
    assert all(outcome.decision in ("insufficient", "refuse") for outcome in decide_all(0.05, range(6)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_planted_alpha_is_found():
    """The same short cut does promote where there is something to find."""
    assert decide(0, 0.25).decision == "promote"
