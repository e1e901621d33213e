"""Markets whose answer is known, through all gates: nothing, a weak alpha, an alpha, and features that look ahead."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import ceil
from multiprocessing import get_context

import pytest

from ml.evaluation.ab_test import Design
from ml.learning.dataset import FIRST_SHARE, SEALED_SHARE
from ml.learning.experiment import DEFAULT
from tests.e2e.markets import LEAKS, Outcome, decide, the_label

SEEDS = range(100, 200)
DISCORDANCE = 0.44
"""Share of rows on which a candidate and the best baseline of these markets are not both right or both wrong."""
KNOWN = range(10)
"""Fixed, whatever they give."""
GATES = {"coverage", "rows", "canaries", "parity", "improvement", "holdout", "train_val_gap", "calibration"}
GATES |= {"sharpe", "latency", "reload", "slices"}
"""Every one of them is asked about every market."""


@pytest.fixture
def decide_all(capsys):
    """Decides each seed's market on two cores and prints every outcome, whether the test passes or not."""

    def decided(ic: float, seeds: range, half_days: int = 1) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool, capsys.disabled():
            for outcome in pool.map(partial(decide, ic=ic, half_days=half_days), seeds):
                print(f"ic {ic} seed {outcome.seed}: {outcome.decision}", end="; ", flush=True)
                print(f"{outcome.not_passed or 'all pass'}; {outcome.detail}", flush=True)
                assert set(outcome.gates) == GATES
                outcomes.append(outcome)
        return outcomes

    return decided


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_of_a_hundred_markets_without_alpha_at_most_two_are_promoted(decide_all):
    """The gates' own false-positive rate, from stored features on; every outcome is printed."""
    outcomes = decide_all(0.0, SEEDS)
    assert sum(outcome.decision == "promote" for outcome in outcomes) <= 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_weak_alpha_is_not_promoted_on_half_a_day(decide_all):
    """An information coefficient of .05 gives at most 2.1 points of macro-accuracy: the gate names that ceiling."""
    outcomes = decide_all(0.05, KNOWN)
    assert all(outcome.decision in ("insufficient", "refuse") for outcome in outcomes)
    assert all("whose ceiling is" in outcome.detail for outcome in outcomes)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_an_alpha_is_found_with_the_data_that_the_power_formula_asks_for(decide_all):
    """An information coefficient of .15, and the labels that show two points with a power of .97."""
    design = Design(DEFAULT.horizon, power=0.97)
    tested = 1 - FIRST_SHARE - SEALED_SHARE
    half_days = ceil(2 * design.symbol_days(design.labels(DISCORDANCE)) / tested)
    assert half_days == 7
    assert sum(outcome.decision == "promote" for outcome in decide_all(0.15, KNOWN, half_days)) >= 9


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_planted_alpha_is_found():
    """Half a day is enough for a strong one; the gate of money and of slices need more, and say so."""
    outcome = decide(0, 0.25)
    assert outcome.decision == "promote"
    assert set(outcome.gates) == GATES
    assert {name for name, found in outcome.gates.items() if found != "pass"} <= {"sharpe", "slices"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.promise("D9")
@pytest.mark.parametrize("seed", KNOWN)
def test_a_feature_that_looks_ahead_is_blocked(seed):
    """Whatever it would gain, and that may be everything: the live path cannot give such a row, so parity refuses."""
    leak = LEAKS[seed % len(LEAKS)]
    leaking = decide(seed, 0.0, leak=leak)
    print(leak.__name__, leaking)
    assert (leaking.decision, leaking.gates["parity"]) == ("refuse", "fail")
    if leak is the_label:
        assert leaking.gates["improvement"] == "pass", "it would have paid"
