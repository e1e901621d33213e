"""How well cues are found: recall by size and variant, false alarms, precision, delay, on markets of other seeds.

Here: the figures.
Not here: training (`ml.layering.training`), what hits what (`ml.layering.matching`).

Each variant's recall comes from trees that never saw the variant, hard negatives likewise; thresholds are fixed on
unplanted markets of training seeds. False alarms come from unplanted test markets, recall from planted ones.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml.layering import layout
from ml.layering.calibration import kept, poisson_interval
from ml.layering.features import NAMES
from ml.layering.finder import Flow, Found
from ml.layering.layout import F64
from ml.layering.legacy_rule import LegacySettings, alerts
from ml.layering.matching import NONE, hits
from ml.layering.model import CueModel
from ml.layering.training import (
    BUDGETS,
    EMPTY,
    TEST_RANGES,
    TEST_SEEDS,
    Examples,
    Market,
    Quiet,
    examples,
    found_in,
    planted,
    quiet,
    thresholds,
    train,
)
from ml.market.book.layout import I64
from ml.simulation import overlay
from ml.simulation.episodes import HARD_NEGATIVES, LAYERING, M_GRID

BUDGET = 2.0
BASE_RATES = (0.1, 1.0, 10.0)
"""Episodes an hour at which precision is told."""
LEAST = 40
"""Episodes for each size and variant."""
APART_S = 30
OVERLAYS = 4
MOST_MARKETS = 40
"""Seconds of market for each planted episode, how often each variant is overlaid on a capture, and how many markets are
planted at most: some variants need a market that moves."""
DENSE = 6.0
"""Episodes an hour of the density target: one in ten minutes."""


class Trial(NamedTuple):
    """Clusters of one planted test market, with the truth."""

    variant: str
    found: Found
    truth: pl.DataFrame


class Fold(NamedTuple):
    """Trees that never saw some variants, and their thresholds by budget."""

    booster: object
    thresholds: dict[float, float]

    def scores(self, found: Found) -> F64:
        """Scores of clusters."""
        return CueModel(self.booster, EMPTY).predict(found.values)


def benchmark(
    market: Market,
    hours: float,
    train_seeds: Sequence[int],
    seconds: int,
    captures: Sequence[Flow],
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The figures on the simulated market, and of episodes overlaid on captures.

    Args:
        market: makes it.
        hours: of unplanted test market.
        train_seeds: of training markets; half as many others give the thresholds.
        seconds: length of each market.
        captures: real flow, on which nothing was trained.
        tell: is told how far it is.
    """
    given = examples(market, train_seeds, seconds, tell)
    calm = quiet(market, [max(train_seeds) + 1 + k for k in range(max(len(train_seeds) // 2, 1))], seconds, tell)
    folds = {name: fold(given, calm, (name,)) for name in [*LAYERING, *HARD_NEGATIVES]}
    whole = fold(given, calm, ())
    count = max(round(hours * 3600 / seconds), 1)
    tests = quiet(market, list(TEST_SEEDS[:count]), seconds, tell)
    trials = test_trials(market, list(TEST_SEEDS[count : count + MOST_MARKETS]), seconds, tell)
    simulated = figures(folds, whole, tests, trials) | {
        "train_clusters": len(given.labels),
        "threshold_hours": calm.hours,
        "legacy_rule": legacy(market, TEST_SEEDS[count], seconds),
    }
    overlaid = {flow.instrument.id: overlay_figures(flow, folds, whole, tell) for flow in captures}
    return {"simulator": simulated, "overlay": overlaid}


def overlay_figures(flow: Flow, folds: dict[str, Fold], whole: Fold, tell: Callable[[str], None]) -> dict[str, Any]:
    """Recall of episodes overlaid on a capture, at the simulator's thresholds, and the cues of the capture itself."""
    tape = overlay.tape(flow.books, flow.trades, flow.instrument)
    seconds = (int(flow.books.ts[-1]) - int(flow.books.ts[0])) // 10**9
    trials = list[Trial]()
    for k, name in enumerate([*LAYERING, *HARD_NEGATIVES]):
        for turn in range(OVERLAYS):
            seed = TEST_SEEDS[100 * turn + k]
            given, truth = planted(flow, tape, seed, [name], max(seconds // APART_S, 1), TEST_RANGES)
            trials.append(Trial(name, found_in(given)[0], truth))
    found, hours = found_in(flow)
    clean = Quiet(found.header[:, layout.C_TS], found.header[:, layout.C_SIDE], found, hours)
    tell(f"{flow.instrument.id}: planted")
    return figures(folds, whole, clean, trials)


def fold(given: Examples, calm: Quiet, without: Sequence[str]) -> Fold:
    """Trees that never saw some variants."""
    booster = train(given.without(without))
    return Fold(booster, dict(thresholds(booster, calm)))


def test_trials(market: Market, seeds: Sequence[int], seconds: int, tell: Callable[[str], None]) -> list[Trial]:
    """Planted test markets: every variant has `LEAST` episodes of every size, hard negatives as many in all."""
    missing = {name: dict.fromkeys(M_GRID, LEAST) for name in LAYERING}
    missing |= {name: dict.fromkeys(M_GRID, LEAST // len(M_GRID) + 1) for name in HARD_NEGATIVES}
    trials = list[Trial]()
    for seed in seeds:
        flow = market(seed, seconds)
        tape = overlay.tape(flow.books, flow.trades, flow.instrument)
        for k, (name, sizes) in enumerate(missing.items()):
            wanted = min(sum(max(left, 0) for left in sizes.values()), seconds // APART_S)
            if wanted == 0:
                continue
            given, truth = planted(flow, tape, seed * 100 + k, [name], wanted, TEST_RANGES)
            trials.append(Trial(name, found_in(given)[0], truth))
            for m in truth["m"].to_list():
                sizes[m] -= 1
        left = sum(max(count, 0) for sizes in missing.values() for count in sizes.values())
        tell(f"test market {seed}: {left} episodes are left to plant")
        if left == 0:
            break
    return trials


def figures(folds: dict[str, Fold], whole: Fold, tests: Quiet, trials: list[Trial]) -> dict[str, Any]:
    """Recall, false alarms, precision and delay at each budget; those of `BUDGET` at the top."""
    outcomes = pl.concat([_outcome(trial, folds[trial.variant], whole) for trial in trials])
    layering = outcomes.filter(pl.col("label") == 1)
    result: dict[str, Any] = {}
    for budget in BUDGETS:
        alarms = len(kept(tests.ts, tests.side, whole.scores(tests.found) >= whole.thresholds[budget]))
        low, high = poisson_interval(alarms)
        hit = f"hit_{budget}"
        large = layering.filter(pl.col("m") >= 2)
        recall = float(large[hit].mean() or 0.0)  # type: ignore[arg-type]
        rate = alarms / tests.hours
        result[str(budget)] = {
            "recall": _shares(layering, "m", hit),
            "recall_m1": float(layering.filter(pl.col("m") >= 1)[hit].mean() or 0.0),  # type: ignore[arg-type]
            "recall_m2": recall,
            "recall_m2_in_family": float(large[f"own_{budget}"].mean() or 0.0),  # type: ignore[arg-type]
            "variants": _shares(large, "variant", hit),
            "variants_in_family": _shares(large, "variant", f"own_{budget}"),
            "hard_negatives": _shares(outcomes.filter(pl.col("label") == 0), "variant", hit),
            "false_alarms": alarms,
            "false_alarms_per_hour": rate,
            "false_alarms_interval": [low / tests.hours, high / tests.hours],
            "precision": {str(base): _precision(recall, base, rate) for base in BASE_RATES},
            "precision_one_in_10_min": _precision(recall, DENSE, rate),
        }
    delays = layering.filter(pl.col(f"hit_{BUDGET}"))["delay_ms"]
    return result[str(BUDGET)] | {
        "budget": BUDGET,
        "hours": tests.hours,
        "episodes": layering.height,
        "delay_ms": {"median": delays.median(), "p95": delays.quantile(0.95)},
        "budgets": result,
    }


def _outcome(trial: Trial, fold: Fold, whole: Fold) -> pl.DataFrame:
    """For each episode of a trial: whether it is hit at each budget, by trees without its variant and by all."""
    found = trial.found
    ts, side = found.header[:, layout.C_TS], found.header[:, layout.C_SIDE]
    episode = hits(ts, side, trial.truth)
    columns: dict[str, Any] = {}
    delay = np.full(trial.truth.height, np.nan)
    for prefix, trees in (("hit", fold), ("own", whole)):
        scores = trees.scores(found)
        for budget in BUDGETS:
            rows = kept(ts, side, scores >= trees.thresholds[budget])
            hit = np.zeros(trial.truth.height, bool)
            rows = rows[episode[rows] != NONE]
            hit[episode[rows]] = True
            columns[f"{prefix}_{budget}"] = hit
            if prefix == "hit" and budget == BUDGET:
                pulled = trial.truth["last_pull"].to_numpy()
                for row in rows.tolist()[::-1]:
                    delay[episode[row]] = (ts[row] - pulled[episode[row]]) / 1e6
    return trial.truth.select("variant", "m", "label").with_columns(
        pl.Series("delay_ms", delay).fill_nan(None), *(pl.Series(name, values) for name, values in columns.items())
    )


def _shares(outcomes: pl.DataFrame, by: str, column: str) -> dict[str, float]:
    rows = outcomes.group_by(by).agg(pl.col(column).mean()).sort(by).rows()
    return {f"{key:g}" if isinstance(key, float) else str(key): float(share) for key, share in rows}


def _precision(recall: float, base: float, false_rate: float) -> float:
    """Share of cues that are right where so many episodes an hour happen."""
    right = recall * base
    return right / (right + false_rate) if right + false_rate > 0 else 0.0


def legacy(market: Market, seed: int, seconds: int) -> dict[str, Any]:
    """Recall and false alarms of the predecessor's rule, on one planted market of simultaneous pulls."""
    flow = market(seed, seconds)
    tape = overlay.tape(flow.books, flow.trades, flow.instrument)
    given, truth = planted(flow, tape, seed, ["simultaneous"], seconds // APART_S, TEST_RANGES)
    return _legacy_figures(given, flow, truth)


def _legacy_figures(given: Flow, flow: Flow, truth: pl.DataFrame) -> dict[str, Any]:
    alert = LegacySettings().alert
    told = [a for a in alerts(given.instrument, given.books, given.trades) if a.score >= alert]
    false = [a for a in alerts(flow.instrument, flow.books, flow.trades) if a.score >= alert]
    hours = (int(flow.books.ts[-1]) - int(flow.books.ts[0])) / 3.6e12
    ts = np.array([a.ts for a in told], np.int64)
    side = np.array([a.side for a in told], np.int64)
    found = {e for e in hits(ts, side, truth).tolist() if e != NONE}
    false_rows = kept(
        np.array([a.ts for a in false], np.int64),
        np.array([a.side for a in false], np.int64),
        np.ones(len(false), bool),
    )
    return {
        "recall": len(found) / max(truth.height, 1),
        "episodes": truth.height,
        "false_alarms_per_hour": len(false_rows) / hours,
        "hours": hours,
    }


def top_features(booster: Any, count: int = 10) -> dict[str, float]:
    """The features by their share of what all splits gained."""
    gains: I64 = booster.feature_importance("gain")
    order = np.argsort(-gains)[:count]
    return {NAMES[k]: float(gains[k] / max(gains.sum(), 1e-300)) for k in order.tolist()}
