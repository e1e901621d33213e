"""Scores against scikit-learn, and the block bootstrap against its purpose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef, roc_auc_score
from sklearn.metrics import log_loss as sk_log_loss

from ml.learning import metrics

SECOND = 10**9


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 300))
def test_scores_equal_scikit_learns(seed, n):
    """Balanced accuracy, log loss and AUC."""
    rng = np.random.default_rng(seed)
    direction = rng.integers(0, 3, n).astype(np.int8)
    direction[:3] = [0, 1, 2]
    p = rng.dirichlet([1, 1, 1], n)
    predicted = p.argmax(axis=1)
    assert metrics.macro_accuracy(direction, predicted) == pytest.approx(balanced_accuracy_score(direction, predicted))
    assert metrics.log_loss(direction, p) == pytest.approx(sk_log_loss(direction, p, labels=[0, 1, 2]))
    counts = metrics.confusion(direction, predicted)
    assert float(metrics.macro_f1(counts)) == pytest.approx(f1_score(direction, predicted, average="macro"))
    assert metrics.correlation(counts) == pytest.approx(matthews_corrcoef(direction, predicted))
    assert metrics.brier(direction, p) == pytest.approx(
        np.mean([((q - np.eye(3)[k]) ** 2).sum() for q, k in zip(p, direction, strict=True)])
    )
    moved = direction != 1
    expected = roc_auc_score(direction[moved] == 2, (p[:, 2] - p[:, 0])[moved])
    assert metrics.direction_auc(direction, p) == pytest.approx(expected)


def test_calibration_error_is_zero_for_honest_probabilities_and_large_for_boasts():
    """Draw outcomes from the stated probabilities, then sharpen the statement."""
    rng = np.random.default_rng(1)
    p = rng.dirichlet([2, 2, 2], 60_000)
    direction = (rng.random(60_000)[:, None] > p.cumsum(axis=1)).sum(axis=1).astype(np.int8)
    assert metrics.calibration_error(direction, p) < 0.01
    boast = p**4 / (p**4).sum(axis=1, keepdims=True)
    assert metrics.calibration_error(direction, boast) > 0.1


def test_one_class_has_no_auc():
    """NaN rather than a number that means nothing."""
    assert np.isnan(metrics.auc(np.ones(5, bool), np.arange(5.0)))


def test_the_bootstrap_keeps_its_level_with_overlapping_labels():
    """Two equal models on strongly overlapping rows: the 97.5 % bound excludes zero in 2.5 % of cases, not 30 %."""
    wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = 6_000
        slow = np.repeat(rng.integers(0, 3, n // 10), 10).astype(np.int8)
        one, other = (
            np.where(np.repeat(rng.random(n // 10) < 0.4, 10), slow, np.repeat(rng.integers(0, 3, n // 10), 10))
            for _ in range(2)
        )
        draws = metrics.bootstrap_difference(
            slow, one, other, np.arange(n) * SECOND, 200 * SECOND, draws=400, seed=seed
        )
        wrong += np.quantile(draws, 0.025) > 0
    assert wrong <= 5


def test_the_bootstrap_is_centred_on_the_difference():
    """Its mean is the plain difference of scores."""
    rng = np.random.default_rng(3)
    direction, one, other = (rng.integers(0, 3, 5_000).astype(np.int8) for _ in range(3))
    one[:2_000] = direction[:2_000]
    draws = metrics.bootstrap_difference(direction, one, other, np.arange(5_000) * SECOND, 100 * SECOND)
    gain = metrics.macro_accuracy(direction, one) - metrics.macro_accuracy(direction, other)
    assert draws.mean() == pytest.approx(gain, abs=0.01)
    assert draws.shape == (2_000,)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40))
def test_whole_transactions_are_those_of_a_loop(answers):
    """Open at a predicted move, close at the next one of the other side: right where both came true."""
    opened = None
    whole = right = 0
    for true, said in answers:
        if said == 1 or (opened is not None and said == opened[1]):
            continue
        if opened is not None:
            whole += 1
            right += opened[0] == opened[1] and true == said
        opened = (true, said)
    direction, predicted = (np.array([pair[k] for pair in answers], np.int8) for k in range(2))
    assert metrics.transactions(direction, predicted) == (whole, right)


def test_the_interval_of_the_macro_f1_holds_it():
    """Draws lie around the score of the sample, and wider over fewer rows."""
    rng = np.random.default_rng(1)
    direction = rng.integers(0, 3, 20_000).astype(np.int8)
    predicted = np.where(rng.random(20_000) < 0.3, direction, rng.integers(0, 3, 20_000)).astype(np.int8)
    spreads = []
    for n in (2_000, 20_000):
        draws = metrics.bootstrap_macro_f1(direction[:n], predicted[:n], np.arange(n) * SECOND, 100 * SECOND, draws=500)
        assert draws.mean() == pytest.approx(f1_score(direction[:n], predicted[:n], average="macro"), abs=0.01)
        spreads.append(draws.std())
    assert spreads[0] > 2 * spreads[1]


def test_scores_of_nothing_are_unknown():
    """No rows, or one class only."""
    assert np.isnan(metrics.macro_f1(np.zeros((3, 3))))
    assert np.isnan(metrics.brier(np.zeros(0, np.int8), np.zeros((0, 3))))
    assert metrics.correlation(np.diag([5, 0, 0])) == 0


@given(st.integers(0, 10_000), st.integers(8, 200), st.integers(1, 8))
def test_losses_of_blocks_average_to_the_loss(seed, n, blocks):
    """Weighted by their rows, in order of time."""
    rng = np.random.default_rng(seed)
    direction = rng.integers(0, 3, n).astype(np.int8)
    p = rng.dirichlet([1, 1, 1], n)
    found = metrics.block_log_losses(direction, p, blocks)
    sizes = [len(part) for part in np.array_split(np.arange(n), blocks)]
    assert np.average(found, weights=sizes) == pytest.approx(metrics.log_loss(direction, p))
    assert found[0] == pytest.approx(metrics.log_loss(direction[: sizes[0]], p[: sizes[0]]))
