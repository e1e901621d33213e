"""The gates between a model of cues and its registration as champion, and the canaries among them.

Here: one function a gate, on the predictions of cues that lie after all training.
Not here: the decision that follows (`ml.evaluation.gates`), its record (`ml.promotion.layering`).
"""

from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.evaluation.findings import Canary
from ml.evaluation.gates import CONFIDENCE_FIRST, CONFIDENCE_LATER, Gate, Outcome
from ml.layering.adaptive import EMBARGO_NS, LEAST_LABELS, AdaptiveModel, CueRows, labelled, load, missing
from ml.layering.calibration import poisson_interval
from ml.layering.families import FAMILIES
from ml.layering.layout import F64
from ml.layering.walk_forward import calibration_error, pr_auc
from ml.learning.metrics import auc
from ml.market.book.layout import I64

DRAWS = 2_000
LEAST_TEST_CUES = 30
"""Fewer predictions decide nothing."""
MODEL_GATES = ("pr_auc_detector", "pr_auc_legacy_rule", "false_alarms", "brier", "reload", "canaries")
NO_MODEL = "no model was trained"
SHUFFLES = 5
"""How often labels are swapped: one time in a hundred chance alone looks learned, never in most of five."""


class Rival(NamedTuple):
    """What the model must rank cues better than: its name, and its scores f64 (n) of the same cues."""

    name: str
    scores: F64


def labels(dataset: pl.DataFrame, source: str) -> Gate:
    """Cues that people or truth files have labelled; without enough of both kinds nothing is trained."""
    rows = labelled(dataset)
    why = missing(rows)
    true = int(rows["label"].sum())
    outcome: Outcome = "insufficient" if why else "pass"
    detail = why or f"{true} are layering, {rows.height - true} are not"
    return Gate("labels", outcome, rows.height, LEAST_LABELS, True, source, detail)


def ranking(found: pl.DataFrame, rival: Rival, first: bool, source: str) -> Gate:
    """PR-AUC (average precision) gained on a rival over identical cues, by a paired bootstrap of episodes.

    Pass needs a lower bound above 0, fail an upper bound at or below it; between them the cues are too few.
    """
    name = f"pr_auc_{rival.name}"
    label = found["label"].to_numpy().astype(np.int64)
    if found.height < LEAST_TEST_CUES or not 0 < label.sum() < len(label):
        return Gate(name, "insufficient", None, 0.0, True, source, _too_few(label))
    p = found["probability"].to_numpy()
    gain = average_precision(label, p) - average_precision(label, rival.scores)
    draws = _draws(found["episode"].to_numpy(), label, p, rival.scores)
    confidence = CONFIDENCE_FIRST if first else CONFIDENCE_LATER
    low, high = (float(q) for q in np.quantile(draws, [1 - confidence, confidence]))
    outcome: Outcome = "pass" if low > 0 else "fail" if high <= 0 else "insufficient"
    detail = (
        f"{pr_auc(label, p):.3f} against {pr_auc(label, rival.scores):.3f} of {len(label)} cues; "
        f"{100 * confidence:.1f} % bounds {low:+.3f} to {high:+.3f}"
    )
    return Gate(name, outcome, gain, 0.0, True, source, detail)


def false_alarms(found: pl.DataFrame, allowed: float, source: str) -> Gate:
    """False alarms an hour that the model lets through: the upper 95 % bound of a Poisson count (Garwood 1936).

    Pass needs the upper bound within the budget, fail the lower bound above it.
    """
    hours = test_hours(found)
    if hours <= 0:
        return Gate("false_alarms", "insufficient", None, allowed, True, source, "no hour of test")
    count = found.filter(pl.col("says"), pl.col("label") == 0).height
    low, high = (bound / hours for bound in poisson_interval(count, 0.9))
    outcome: Outcome = "pass" if high <= allowed else "fail" if low > allowed else "insufficient"
    before = found.filter(pl.col("label") == 0).height
    detail = f"an hour at most, with 95 %; {count} of the detector's {before} in {hours:.2f} h"
    return Gate("false_alarms", outcome, high, allowed, True, source, detail)


def brier(found: pl.DataFrame, source: str) -> Gate:
    """Brier score of the probabilities, against that of always giving the share of the training rows."""
    label = found["label"].to_numpy().astype(np.int64)
    if found.height < LEAST_TEST_CUES:
        return Gate("brier", "insufficient", None, 0.0, True, source, _too_few(label))
    p = found["probability"].to_numpy()
    value = float(((p - label) ** 2).mean())
    constant = float(((found["prior"].to_numpy() - label) ** 2).mean())
    outcome: Outcome = "pass" if value < constant else "fail"
    detail = (
        f"the share of the training rows alone gives the threshold; calibration error {calibration_error(label, p):.3f}"
    )
    return Gate("brier", outcome, value, constant, True, source, detail)


def reload(differing: int, source: str) -> Gate:
    """Cues on which the model read back from its files says otherwise."""
    return Gate("reload", "pass" if differing == 0 else "fail", differing, 0, True, source)


def no_model(source: str) -> list[Gate]:
    """The gates that cannot be asked without a model."""
    return [Gate(name, "insufficient", None, 0.0, True, source, NO_MODEL) for name in MODEL_GATES]


def canaries(rows: pl.DataFrame) -> list[Canary]:
    """Signs that training sees what it must not, on labelled rows of `layering_dataset`.

    `shuffled_labels`: where episodes swap their labels at random there is nothing to learn, and the AUC on the first
    cues of test episodes must not be above the 99 % band of chance in most of five tries. `overlap`: no training row's
    episode reaches the embargo before the test.
    """
    arrays = CueRows.of(rows)
    folds = arrays.folds()
    overlaps = sum(int((arrays.end[fold.train] > arrays.start[fold.test].min() - EMBARGO_NS).sum()) for fold in folds)
    return [
        _shuffled_labels(arrays, rows["episode"].to_numpy()),
        Canary("overlap", overlaps == 0, overlaps, 0, f"training rows reach one of {len(folds)} tests"),
    ]


def test_hours(found: pl.DataFrame) -> float:
    """Hours of known book between the first and the last test cue, over all instruments."""
    spans = found.group_by("instrument").agg(hours=pl.col("hours").max() - pl.col("hours").min())
    return float(spans["hours"].sum())


def reload_differences(model: AdaptiveModel, values: F64) -> int:
    """Rows f64 (n, features) on which the model, written and read back, gives another probability."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        again = load(Path(folder))
    return int((model.probabilities(values) != again.probabilities(values)).sum())


def _shuffled_labels(rows: CueRows, episode: I64) -> Canary:
    found = sorted(_learned(rows, episode, seed) for seed in range(SHUFFLES))
    over, above = found[SHUFFLES // 2]
    detail = f"AUC above 0.5 on shuffled labels, the middle one of {SHUFFLES}"
    return Canary("shuffled_labels", over <= 0, above, above - over, detail)


def _learned(rows: CueRows, episode: I64, seed: int) -> tuple[float, float]:
    """By how much the AUC on labels swapped among episodes is above the 99 % band of chance, and above 0.5."""
    names, first, index = np.unique(episode, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    given = rows._replace(labels=rows.labels[first[order]][index])
    scores = np.zeros(0)
    label = np.zeros(0, np.int64)
    for fold in given.folds():
        train = given.at(fold.train)
        test = np.intersect1d(fold.test, first)  # cues of one episode are alike: only one counts as independent
        if not test.size:
            continue
        scores = np.append(scores, FAMILIES["lightgbm"].fit(train.values, train.labels).predict(given.values[test]))
        label = np.append(label, given.labels[test])
    true, false = int(label.sum()), int(len(label) - label.sum())
    if not true or not false:
        return -0.5, 0.0
    above = auc(label == 1, scores) - 0.5
    return above - 2.326 * sqrt((true + false + 1) / (12 * true * false)), above


def _draws(episode: I64, label: I64, p: F64, other: F64) -> F64:
    """Gains of average precision over episodes drawn with replacement; draws of one kind alone are left out."""
    _, index = np.unique(episode, return_inverse=True)
    count = int(index.max()) + 1
    rng = np.random.default_rng(1)
    gains = list[float]()
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[index].astype(float)
        if 0 < (weight * label).sum() < weight.sum():
            gains.append(average_precision(label, p, weight) - average_precision(label, other, weight))
    return np.array(gains)


def average_precision(label: I64, scores: F64, weight: F64 | None = None) -> float:
    """As scikit-learn's `average_precision_score`, thirty times as fast: the bootstrap asks thousands of times."""
    weights = np.ones(len(label)) if weight is None else weight
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum((weights * label)[order])
    every = np.cumsum(weights[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = true[ends] / np.maximum(every[ends], 1e-12)
    return float((np.diff(true[ends], prepend=0.0) * precision).sum() / true[-1])


def _too_few(label: I64) -> str:
    true = int(label.sum())
    return f"{len(label)} test cues, {true} layering: {LEAST_TEST_CUES} of both kinds are needed"
