"""Each gate passes, fails or lacks data exactly at its bar, and the decision follows from the required ones."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.core.time import DAY_NS as DAY
from ml.core.time import SECOND, date_of
from ml.evaluation import gates, returns
from ml.evaluation.backtest_report import NO_BLOCKS, BacktestReport, Execution, Traded
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.gates import Gate, Rival
from ml.evaluation.holdout import Unsealed
from ml.evaluation.returns import Paired
from ml.learning.experiment import DEFAULT

PASS = "pass"  # noqa: S105
FAIL = "fail"
INSUFFICIENT = "insufficient"
COUNTS = ParityReport(9, 9, 0, "")


@pytest.mark.parametrize(
    ("gate", "arguments", "outcome"),
    [
        (gates.coverage, ({"a": (0.80, 600), "b": (1.0, 600)},), PASS),
        (gates.coverage, ({"a": (0.7999, 600), "b": (1.0, 600)},), FAIL),
        (gates.coverage, ({"a": (0.7999, 599), "b": (1.0, 600)},), INSUFFICIENT),
        (gates.coverage, ({},), INSUFFICIENT),
        (gates.rows, (10_000, ["a"], {}), PASS),
        (gates.rows, (9_999, ["a"], {}), INSUFFICIENT),
        (gates.canaries, ([Canary("x", True, 0, 0, "")],), PASS),
        (gates.canaries, ([Canary("x", True, 0, 0, ""), Canary("y", False, 3, 0, "")],), FAIL),
        (gates.canaries, ([],), INSUFFICIENT),
        (gates.parity, (COUNTS,), PASS),
        (gates.parity, (replace(COUNTS, mismatches=1),), FAIL),
        (gates.parity, (replace(COUNTS, rows=0, rows_with_values=0),), INSUFFICIENT),
        (gates.parity, (replace(COUNTS, rows_with_values=0),), INSUFFICIENT),
        (gates.parity, (replace(COUNTS, rows_with_values=0, mismatches=1),), FAIL),
        (gates.latency, (4.999, 90.0), PASS),
        (gates.latency, (5.0, 4.0), FAIL),
        (gates.latency, (float("nan"), 1.0), FAIL),
        (gates.reload, (0,), PASS),
        (gates.reload, (1,), FAIL),
    ],
)
def test_at_the_bar(gate, arguments, outcome):
    """The bar itself, the number next to it, and nothing to judge."""
    found = gate(*arguments, "sha")
    assert (found.outcome, found.required, found.source_sha256) == (outcome, True, "sha")


def test_what_is_missing_is_said():
    """The worst partition, the dead canaries, and the hours that are still needed."""
    assert gates.coverage({"a": (0.9, 700), "b": (0.5, 800)}, "").detail == "lowest: b, 800 rows"
    assert gates.canaries([Canary("x", False, 1, 0, ""), Canary("y", False, 1, 0, "")], "").detail == "x, y"
    assert gates.rows(2_800, ["a", "a", "b"], {}, "").detail == "1.0 h more of 2 instruments are needed"
    assert gates.latency(4.9, 31.26, "").detail == "ms of processor time; 31.3 ms of wall time"


def test_hours_are_asked_only_of_instruments_that_can_give_rows():
    """One that never has every feature is named with what is null; where all are so, no hours are asked at all."""
    never = {"a": "vpin null in all 9 rows (undefined 9)"}
    found = gates.rows(2_800, ["a", "b"], never, "")
    assert found.detail == "2.0 h more of 1 instruments are needed; a: vpin null in all 9 rows (undefined 9)"
    assert gates.rows(0, ["a"], never, "").detail == "a: vpin null in all 9 rows (undefined 9)"


@pytest.mark.parametrize(
    ("outcomes", "alone"),
    [
        ({"latency": FAIL}, True),
        ({"latency": FAIL, "rows": INSUFFICIENT}, True),
        ({"latency": FAIL, "reload": FAIL}, False),
        ({"reload": FAIL}, False),
        ({"latency": PASS}, False),
        ({}, False),
    ],
)
def test_what_a_time_alone_refused(outcomes, alone):
    """No other required gate failed; one that is only shown may have."""
    asked = [Gate(name, outcome, 0, 0, True, "") for name, outcome in outcomes.items()]
    assert gates.refused_for_time(gates.as_dicts([*asked, Gate("slices", FAIL, 0, 0, False, "")])) is alone


def judged(predicted, direction, seconds=1, p=None):
    """Test rows with the given answers, `seconds` apart."""
    p = np.eye(3)[np.asarray(predicted, np.int8)] if p is None else p
    return pl.DataFrame(
        {
            "instrument": ["sim.X"] * len(direction),
            "ts": np.arange(len(direction)) * seconds * SECOND,
            "direction": np.asarray(direction, np.int8),
            "predicted": np.asarray(predicted, np.int8),
            "movement": np.asarray(direction) - 1.0,
            "regime": ["calm"] * len(direction),
            "p_down": p[:, 0],
            "p_neutral": p[:, 1],
            "p_up": p[:, 2],
        }
    )


def better_in(share_in_thousand, n=30_000):
    """Candidate and rival right half the time; the candidate in some more, spread evenly over time and classes."""
    direction = np.arange(n) % 3
    nth = np.arange(n) // 3 * 7_919 % 1_000
    wrong = (direction + 1) % 3
    rival = np.where(nth < 500, direction, wrong)
    return judged(np.where(nth < 500 + share_in_thousand, direction, wrong), direction, seconds=10), rival


@pytest.mark.parametrize(
    ("share", "outcome"), [(21, PASS), (20, PASS), (19, FAIL), (1, FAIL), (0, FAIL), (-30, FAIL), (100, PASS)]
)
def test_a_sure_gain_must_be_two_points(share, outcome):
    """More than nothing for certain is not enough; two points are."""
    test, rival = better_in(share)
    found = gates.improvement(test, Rival("majority", rival), True, DEFAULT, "")
    assert found.outcome == outcome
    assert found.value == pytest.approx(share / 1_000)


@pytest.mark.parametrize(
    ("n", "gain", "outcome"), [(2_000, 0.02, INSUFFICIENT), (60_000, 0.05, PASS), (60_000, 0.0, FAIL)]
)
def test_a_gain_that_chance_may_have_made_is_insufficient(n, gain, outcome):
    """Independent answers: with few rows both 0 and 2 points are possible, with many one of them is not."""
    rng = np.random.default_rng(4)
    direction = rng.integers(0, 3, n)
    one, other = (
        np.where(rng.random(n) < share, direction, (direction + rng.integers(1, 3, n)) % 3)
        for share in (0.4 + gain, 0.4)
    )
    found = gates.improvement(judged(one, direction, seconds=10), Rival("last", other), True, DEFAULT, "")
    assert found.outcome == outcome
    assert ("independent labels" in found.detail) == (outcome != PASS)


def test_the_first_model_meets_a_stricter_bound_than_its_successors():
    """99.5 % against 97.5 %: between the two, only a successor passes."""
    outcomes = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        direction = rng.integers(0, 3, 3_000)
        one, other = (np.where(rng.random(3_000) < share, direction, (direction + 1) % 3) for share in (0.53, 0.5))
        test = judged(one, direction, seconds=10)
        outcomes.add(
            tuple(gates.improvement(test, Rival("x", other), first, DEFAULT, "").outcome for first in (True, False))
        )
    assert (INSUFFICIENT, PASS) in outcomes
    assert (PASS, INSUFFICIENT) not in outcomes


def nobody(n=0):
    return Rival("champion x", np.zeros(n, np.int8))


def few_gates(n):
    """Every gate on predictions, asked about n rows."""
    test = judged([0] * n, [0] * n).with_columns(fold=pl.lit(0), part=pl.lit("test"))
    return [
        gates.improvement(test, nobody(n), False, DEFAULT, ""),
        gates.calibration(test, nobody(n), DEFAULT, ""),
        gates.train_gap(test, DEFAULT, ""),
        gates.holdout(Unsealed(test, 0, 1), nobody(n).predicted, DEFAULT, ""),
    ]


@pytest.mark.parametrize("n", [0, 1, 599])
def test_a_sample_below_its_minimum_is_insufficient(n):
    """Never a failure; what is missing is said in hours, or that a champion was trained on every row."""
    for found in few_gates(n):
        assert (found.outcome, found.value, found.required) == (INSUFFICIENT, None, True)
        said = f"{n} of 600 rows: {(600 - n) / 3600:.1f} h more" if n else gates.NO_ROW_IN_COMMON
        assert said in found.detail


@pytest.mark.parametrize(
    ("champion", "error", "outcome"),
    [(None, 0.0499, PASS), (None, 0.0501, FAIL), (0.02, 0.0299, PASS), (0.02, 0.0301, FAIL), (0.08, 0.0899, PASS)],
)
def test_calibration_at_its_bar(champion, error, outcome):
    """5 points for the first model, one point more than the champion's for the others."""
    sure = 1.5 * error  # two of three probabilities are off by this much
    test = judged([0] * 900, [0] * 900, p=np.tile([1 - sure, sure, 0.0], (900, 1)))
    found = gates.calibration(test, Rival("r", np.zeros(900), champion), DEFAULT, "")
    assert (found.outcome, found.value) == (outcome, pytest.approx(error))


@pytest.mark.parametrize(("train", "outcome"), [(549, PASS), (551, FAIL), (451, PASS), (449, FAIL), (500, PASS)])
def test_the_gap_between_training_and_test(train, outcome):
    """Less than five points in either direction: far better on the test is as suspicious as far worse."""
    parts = []
    for part, right in (("train", train), ("test", 500)):
        direction = np.repeat([0, 1, 2], 1_000)
        predicted = np.where(np.tile(np.arange(1_000), 3) < right, direction, (direction + 1) % 3)
        columns = {name: predicted.astype(np.int8) for name in ("majority", "last_direction", "logistic_imbalance")}
        parts.append(judged(predicted, direction).with_columns(fold=pl.lit(0), part=pl.lit(part), **columns))
    found = gates.train_gap(pl.concat(parts), DEFAULT, "")
    assert (found.outcome, found.value) == (outcome, pytest.approx((train - 500) / 1_000))


def traded(daily, name="candidate"):
    """A strategy of these returns of UTC days."""
    dates = [date_of(day * DAY) for day in range(len(daily))]
    ratio = returns.sharpe(np.array(daily))
    return Traded(name, {}, *[None] * 7, ratio, list(zip(dates, daily, strict=True)), [])


def backtested(own, other, paired=NO_BLOCKS):
    return BacktestReport("sha", "majority", Execution(), [traded(own), traded(other, "majority")], paired=paired)


DAILY = np.random.default_rng(1).normal(0.001, 0.01, 60).tolist()


def test_below_thirty_days_a_sharpe_ratio_does_not_count():
    """Days are counted, the return over blocks of ten minutes is shown, and nothing is required."""
    found = gates.sharpe(backtested(DAILY[:29], DAILY[29:58], Paired(12, 1e-4, -1e-4, 3e-4)), 8, "sha")
    assert (found.value, found.outcome, found.required) == (29, INSUFFICIENT, False)
    assert "1 more are needed; net of costs over majority: +1.000 bps per 600 s" in found.detail
    none = gates.sharpe(BacktestReport("sha", "nobody", Execution()), 8, "sha")
    assert (none.value, none.outcome, none.required) == (0, INSUFFICIENT, False)


@pytest.mark.parametrize(("more", "outcome"), [(0.002, PASS), (0.0, PASS), (-0.002, FAIL)])
def test_from_thirty_days_on_the_sharpe_ratio_must_not_be_worse(more, outcome):
    """The chance to be at least as good, day by day in pairs; both ratios are shown with their intervals."""
    found = gates.sharpe(backtested([value + more for value in DAILY], DAILY), 40, "sha")
    assert (found.outcome, found.required) == (outcome, True)
    assert found.detail.count("60 days)") == 2
    assert "deflated by 40 trials: 0." in found.detail


def test_a_sharpe_ratio_of_days_without_spread_compares_with_nothing():
    """Neither better nor worse: insufficient."""
    found = gates.sharpe(backtested([0.0] * 40, DAILY[:40]), 8, "sha")
    assert (found.outcome, found.value) == (INSUFFICIENT, None)


def test_a_backtest_of_other_predictions_is_no_input():
    """The gate fails, whatever it says."""
    found = gates.sharpe(backtested(DAILY, DAILY), 8, "other")
    assert (found.outcome, found.required) == (FAIL, True)


@pytest.mark.parametrize(
    ("gain", "seen", "outcome"), [(0.05, 0, PASS), (0.05, 50, PASS), (-0.2, 0, FAIL), (-0.001, 0, INSUFFICIENT)]
)
def test_the_sealed_rows_must_not_speak_against_the_candidate(gain, seen, outcome):
    """A gain passes, a certain loss fails, a loss that chance may have made is insufficient."""
    rng = np.random.default_rng(2)
    n = 3_000
    direction = rng.integers(0, 3, n)
    rival = np.where(rng.random(n) < 0.5, direction, (direction + 1) % 3)
    nth = rng.permutation(n)
    change = nth < abs(gain) * n
    wrong = (direction + 1) % 3
    predicted = np.where(change, direction if gain > 0 else wrong, rival)
    found = gates.holdout(Unsealed(judged(predicted, direction, seconds=10), seen, 1), rival, DEFAULT, "")
    assert (found.outcome, found.required) == (outcome, True)
    assert ("left out" in found.detail) == (seen > 0)


def test_sealed_rows_that_another_candidate_was_judged_on_fail():
    """Nothing is left that nobody has looked at."""
    found = gates.holdout(Unsealed(judged([], []), 700, 2), nobody().predicted, DEFAULT, "")
    assert (found.outcome, found.value) == (FAIL, None)
    assert "opening 2: contaminated, another candidate was judged on all 700 sealed rows" in found.detail


def test_without_its_input_a_gate_fails():
    """Also one that is only shown."""
    shown = Gate("slices", PASS, 0.1, 0.0, False, "sha")
    (found,) = gates.without_input([shown], "x is missing")
    assert (found.outcome, found.value, found.required, found.detail) == (FAIL, None, True, "x is missing")


@pytest.mark.parametrize(("lost", "outcome"), [(0.04, PASS), (0.06, FAIL)])
def test_the_worst_slice_is_named(lost, outcome):
    """Six hours of one instrument in which the rival was better; slices of too few labels do not count."""
    n = 4 * 6 * 3_600
    direction = np.arange(n) % 3
    evening = np.arange(n) >= 3 * 6 * 3_600
    wrong = (direction + 1) % 3
    predicted = np.where(evening & (np.arange(n) // 3 % 100 < 100 * lost), wrong, direction)
    found = gates.slices(judged(predicted, direction), Rival("r", direction), DEFAULT, "")
    assert (found.outcome, found.required, found.detail) == (outcome, True, "sim.X 18-24 UTC")
    assert found.value == pytest.approx(-lost, abs=1e-3)
    few = gates.slices(judged(predicted, direction).head(4_999), Rival("r", direction[:4_999]), DEFAULT, "")
    assert few.outcome == INSUFFICIENT
    assert (
        gates.slices(judged(direction, direction).head(5_000), Rival("r", direction[:5_000]), DEFAULT, "").outcome
        == PASS
    )
    lively = pl.Series(np.where(np.arange(n) % 17 < 3, "lively", "calm"))
    bad = np.where((lively == "lively").to_numpy() & (np.arange(n) // 51 % 100 < 100 * lost), wrong, direction)
    regime = judged(bad, direction).with_columns(regime=lively)
    found = gates.slices(regime, Rival("r", direction), DEFAULT, "")
    assert (found.outcome, found.detail) == (outcome, "lively")
    far = replace(DEFAULT, row_spacing=10)  # each row is a label of its own
    assert gates.slices(judged(direction, direction).head(500), Rival("r", direction[:500]), far, "").outcome == PASS


@pytest.mark.parametrize(
    ("outcomes", "decision"),
    [
        ([(PASS, True), (PASS, True)], "promote"),
        ([(PASS, True), (INSUFFICIENT, True)], "insufficient"),
        ([(INSUFFICIENT, True), (FAIL, True)], "refuse"),
        ([(PASS, True), (FAIL, False), (INSUFFICIENT, False)], "promote"),
    ],
)
def test_the_decision_follows_from_the_required_gates(outcomes, decision):
    """One failure refuses, one lack of data suffices for nothing, what is only shown decides nothing."""
    assert gates.decide([Gate("g", outcome, 0, 0, required, "") for outcome, required in outcomes]) == decision


def test_gates_are_plain_json():
    """For records and for programs."""
    asked = [gates.rows(5, ["a"], {}, "s"), *gates.no_candidate("s")]
    assert json.loads(json.dumps(gates.as_dicts(asked))) == gates.as_dicts(asked)
    assert (asked[1].outcome, asked[1].required, gates.decide(asked)) == (INSUFFICIENT, True, "insufficient")
