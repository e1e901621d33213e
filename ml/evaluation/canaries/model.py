"""Leak canaries: tests that a pipeline which sees the future fails.

Here: truncation, future scramble, null market, planted leak; each gives a number and a verdict.
Not here: what a failure means for a promotion (`ml.evaluation.gates`).
"""

from collections.abc import Callable
from math import sqrt

import numpy as np

from ml.core.instruments import Instrument
from ml.core.time import SECOND
from ml.evaluation.findings import Canary
from ml.features.tick.row import feature_row, look_back
from ml.features.tick.table import FEATURES
from ml.features.tick.windows import empty_windows
from ml.labels.classes import directions
from ml.learning.metrics import auc
from ml.learning.rows import Rows
from ml.learning.walk_forward import Trainer
from ml.market.book import layout

TIMES = 200
NULL_ROWS = 12_000
NULL_HORIZON = 10

FeatureCode = Callable[[np.ndarray, int], np.ndarray]
"""Computes the feature row of a sample, f64, from samples and its index."""


def feature_code(instrument: Instrument) -> FeatureCode:
    """The product's own feature code, one row at a time, from nothing but the samples that it is given."""
    windows = empty_windows(layout.TAIL)

    def compute(samples: np.ndarray, i: int) -> np.ndarray:
        values = np.full(len(FEATURES), np.nan)
        codes = np.zeros(len(FEATURES), np.uint8)
        look_back(windows, samples, i)
        feature_row(windows, samples[i], instrument.tick, instrument.stale_ns, values, codes)
        return values

    return compute


def truncation(samples: np.ndarray, code: FeatureCode, seed: int = 1, times: int = TIMES) -> Canary:
    """Features at t from the data up to t equal those from all data, at random times."""
    at = _times(samples, seed, times)
    changed = sum(not np.array_equal(code(samples[: i + 1].copy(), i), code(samples, i), equal_nan=True) for i in at)
    return Canary("truncation", changed == 0, changed, 0, f"of {len(at)} rows change when the future is cut off")


def future_scramble(samples: np.ndarray, code: FeatureCode, seed: int = 1, times: int = TIMES) -> Canary:
    """Replacing everything after t by noise changes no feature at or before t."""
    rng = np.random.default_rng(seed)
    changed = 0
    checked = 0
    for cut in _times(samples, seed, 10):
        scrambled = samples.copy()
        after = scrambled[cut + 1 :, layout.BID_PRICE :]
        after[:] = rng.permutation(after) + rng.integers(0, 1_000, after.shape)
        for i in rng.integers(max(cut - 60, 0), cut + 1, times // 10):
            changed += not np.array_equal(code(scrambled, int(i)), code(samples, int(i)), equal_nan=True)
            checked += 1
    return Canary("future_scramble", changed == 0, changed, 0, f"of {checked} rows change when the future is scrambled")


def planted_leak(samples: np.ndarray, code: FeatureCode, seed: int = 1) -> Canary:
    """Features that look ten samples ahead, at price and time, must be caught by the truncation test."""

    def leaking(window: np.ndarray, i: int) -> np.ndarray:
        ahead = window[min(i + NULL_HORIZON, len(window) - 1)]
        return np.append(code(window, i), ahead[[layout.TS, layout.BID_PRICE, layout.ASK_PRICE]].astype(np.float64))

    caught = truncation(samples, leaking, seed)
    missed = int(caught.passed)
    return Canary("planted_leak", missed == 0, missed, 0, f"planted leaks missed; {caught.value:.0f} rows revealed it")


def null_market(train: Trainer, first_share: float, n_splits: int, seed: int = 1) -> Canary:
    """On a random walk, the same splits and training must show no skill: AUC within the 99 % null band."""
    rows = _random_walk(seed)
    scores = list[np.ndarray]()
    positives = list[np.ndarray]()
    for fold in rows.folds(first_share, n_splits):
        p = train(rows, fold.train).predict_proba(rows.features[fold.test])
        moved = rows.direction[fold.test] != 1
        scores.append((p[:, 2] - p[:, 0])[moved])
        positives.append(rows.direction[fold.test][moved] == 2)
    positive = np.concatenate(positives)
    measured = auc(positive, np.concatenate(scores))
    # neighbouring labels overlap, so only every tenth row counts as independent
    up = positive.sum() / NULL_HORIZON
    down = (~positive).sum() / NULL_HORIZON
    band = 2.576 * sqrt((up + down + 1) / (12 * up * down))
    return Canary(
        "null_market",
        abs(measured - 0.5) <= band,
        abs(measured - 0.5),
        band,
        "distance of the AUC from 0.5 on a random walk",
    )


def run(samples: np.ndarray, instrument: Instrument, train: Trainer, first_share: float, n_splits: int) -> list[Canary]:
    """All canaries, on recorded samples i64 (n, columns) and on the null market."""
    code = feature_code(instrument)
    return [
        truncation(samples, code),
        future_scramble(samples, code),
        planted_leak(samples, code),
        null_market(train, first_share, n_splits),
    ]


def _times(samples: np.ndarray, seed: int, count: int) -> np.ndarray:
    """Random rows, those with a valid book where there are any."""
    valid = np.flatnonzero(samples[:-1, layout.VALID])
    pool = valid if valid.size else np.arange(len(samples) - 1)
    return np.random.default_rng(seed).choice(pool, min(count, pool.size), replace=False)


def _random_walk(seed: int) -> Rows:
    """A Gaussian walk with the features one would usually take from a price, and labels ten steps ahead."""
    steps = np.random.default_rng(seed).normal(0, 1e-4, NULL_ROWS + 200)
    price = np.exp(np.cumsum(steps))
    at = np.arange(100, 100 + NULL_ROWS)
    columns = [price[at] / price[at - w] - 1 for w in (1, 2, 5, 10, 30, 60)]
    columns += [np.array([steps[i - w : i].std() for i in at]) for w in (10, 60)]
    columns += [np.array([price[i] / price[i - w : i].mean() - 1 for i in at]) for w in (10, 30, 60)]
    movement = price[at + NULL_HORIZON] / price[at] - 1
    start = at * SECOND
    return Rows(
        features=np.column_stack(columns),
        names=[f"qi_{k}" for k in range(len(columns))],
        direction=directions(movement, float(np.quantile(np.abs(movement), 0.45))),
        start=start,
        end=start + NULL_HORIZON * SECOND,
        instrument=np.full(NULL_ROWS, "null.WALK"),
        movement=movement,
    )
