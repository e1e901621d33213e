"""Each gate answers to its own input alone, and what training must not see is caught."""

import numpy as np
import polars as pl
import pytest

from ml.evaluation import gates as verdicts
from ml.layering import gates
from ml.layering.gates import Rival
from ml.learning import splits
from tests.support.voted import cues, predicted

GOOD = predicted()
DATA = cues(150)
BUDGET = 2.0


def answers(found=GOOD, data=DATA, budget=BUDGET, differing=0):
    """Every gate's outcome by name."""
    asked = [
        gates.labels(data, "data"),
        gates.ranking(found, Rival("detector", found["score"].to_numpy()), True, "told"),
        gates.ranking(found, Rival("legacy_rule", found["legacy_score"].to_numpy()), True, "told"),
        gates.false_alarms(found, budget, "told"),
        gates.brier(found, "told"),
        gates.reload(differing, "model"),
    ]
    assert verdicts.decide(asked) == (
        "refuse"
        if any(one.outcome == "fail" for one in asked)
        else "promote"
        if all(one.outcome == "pass" for one in asked)
        else "insufficient"
    )
    return {one.name: one.outcome for one in asked}


PASSED = answers()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few draws are enough where the answer is clear."""
    monkeypatch.setattr(gates, "DRAWS", 200)


def with_scores(column, by):
    """The predictions with another score that ranks as the model does, or the other way round."""
    return GOOD.with_columns(pl.col("probability").mul(by).alias(column))


def test_a_good_model_passes_every_gate():
    assert set(PASSED.values()) == {"pass"}


@pytest.mark.parametrize(
    ("changed", "gate", "outcome"),
    [
        ({"found": with_scores("score", 1)}, "pr_auc_detector", "fail"),
        ({"found": with_scores("legacy_score", 1)}, "pr_auc_legacy_rule", "fail"),
        ({"found": GOOD.with_columns(says=pl.lit(value=True))}, "false_alarms", "insufficient"),
        ({"found": GOOD.with_columns(says=pl.lit(value=True)), "budget": 0.5}, "false_alarms", "fail"),
        ({"found": GOOD.with_columns(prior=pl.col("label").cast(pl.Float64))}, "brier", "fail"),
        ({"differing": 1}, "reload", "fail"),
        ({"data": DATA.head(99)}, "labels", "insufficient"),
        ({"data": DATA.with_columns(tier=pl.lit("weak"))}, "labels", "insufficient"),
    ],
)
def test_one_broken_input_changes_one_gate(changed, gate, outcome):
    """100 false alarms in 100 hours: 95 % bounds of .84 and 1.18 an hour."""
    if gate == "false_alarms" and outcome == "insufficient":
        changed |= {"budget": 1.0}
    assert answers(**changed) == PASSED | {gate: outcome}


def test_the_bound_on_false_alarms_is_that_of_a_poisson_count():
    """None in 100 hours: fewer than 3 in that time with 95 %, so .03 an hour."""
    none = GOOD.with_columns(says=(pl.col("label") == 1))
    assert gates.false_alarms(none, 1.0, "").value == pytest.approx(-np.log(0.05) / 100, rel=1e-6)


def test_few_cues_decide_nothing():
    """Neither how well they are ranked nor how well probabilities are calibrated."""
    few = answers(found=GOOD.head(20))
    assert [name for name, outcome in few.items() if outcome == "insufficient"] == [
        "pr_auc_detector",
        "pr_auc_legacy_rule",
        "brier",
    ]


def test_the_weighted_average_precision_is_scikit_learns():
    """With ties, and with rows that a draw left out."""
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(3)
    label = rng.integers(0, 2, 300)
    scores = rng.integers(0, 40, 300) / 40
    weight = rng.integers(0, 3, 300).astype(float)
    expected = average_precision_score(label, scores, sample_weight=weight)
    assert gates.average_precision(label, scores, weight) == pytest.approx(expected, abs=1e-12)


def test_canaries_live_on_a_sound_data_set():
    assert [(one.name, one.passed) for one in gates.canaries(DATA)] == [("shuffled_labels", True), ("overlap", True)]


def test_splits_that_shuffle_time_kill_the_canary(monkeypatch):
    """Four cues alike in each episode: where some of them train and others test, shuffled labels are learned."""
    alike = cues(60, apart_s=600)
    four = pl.concat([alike.with_columns(pl.col("id") + f"-{k}", pl.col("ts") + k) for k in range(4)]).sort("ts")
    assert gates.canaries(four)[0].passed

    def shuffled(start, end, first_share, n_splits, embargo):
        order = np.random.default_rng(1).permutation(len(start))
        return [
            splits.Fold(k, np.setdiff1d(order, test), test) for k, test in enumerate(np.array_split(order, n_splits))
        ]

    monkeypatch.setattr(splits, "walk_forward", shuffled)
    assert not gates.canaries(four)[0].passed


def test_an_episode_that_reaches_into_the_test_kills_the_canary(monkeypatch):
    """Where nothing is purged."""
    touching = cues(150, apart_s=20)
    assert gates.canaries(touching)[1].passed
    monkeypatch.setattr(
        splits,
        "purge",
        lambda order, start, end, test_start, test_end, embargo: order[start[order] < test_start],
    )
    assert not gates.canaries(touching)[1].passed
