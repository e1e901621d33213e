"""How well cues are found: recall by size and variant, false alarms, precision, delay, on markets of other seeds.

Here: the figures.
Not here: training (`ml.layering.training`), what hits what (`ml.layering.matching`).

Each variant's recall comes from trees that never saw the variant, hard negatives likewise; thresholds are fixed on
unplanted markets of training seeds. False alarms come from unplanted test markets, recall from planted ones.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml.layering import layout, placebos
from ml.layering.calibration import kept, poisson_interval
from ml.layering.finder import Flow, Found
from ml.layering.layout import F64
from ml.layering.legacy_rule import LegacySettings, alerts
from ml.layering.matching import NONE, hits
from ml.layering.model import CueModel
from ml.layering.training import (
    BUDGETS,
    EMPTY,
    FEED_RESET,
    PER_HOUR,
    REACTIONS,
    VARIANTS,
    Examples,
    Quiet,
    Tell,
    examples,
    found_in,
    quiet,
    thresholds,
    train,
)
from ml.simulation import overlay
from ml.simulation.episodes import LAYERING, M_GRID
from ml.simulation.streams import TEST, TRAIN, planted, unplanted

BUDGET = 2.0
BASE_RATES = (0.1, 1.0, 10.0)
"""Episodes an hour at which precision is told."""
LEAST = 40
"""Episodes for each size and variant."""
MOST_STREAMS = 60
"""Streams that are planted for them at most: some variants need a market that moves."""
OVERLAYS = 24
OVERLAY_APART_S = 20
"""How often episodes are overlaid on a capture, and seconds of capture for each."""
DENSE = 6.0
"""Episodes an hour of the density target: one in ten minutes."""


class Trial(NamedTuple):
    """Clusters of one planted stream, with the truth."""

    found: Found
    truth: pl.DataFrame


class Fold(NamedTuple):
    """Trees that never saw some variants, and their thresholds by budget."""

    model: CueModel
    thresholds: dict[float, float]

    def scores(self, found: Found) -> F64:
        """Scores of clusters."""
        return self.model.predict(found.values)


def benchmark(
    hours: float, train_streams: int, quiet_streams: int, seconds: int, captures: Sequence[Flow], tell: Tell
) -> dict[str, Any]:
    """The figures on simulated streams, and of episodes overlaid on captures.

    Args:
        hours: of unplanted test streams.
        train_streams: with episodes.
        quiet_streams: without, for the thresholds.
        seconds: length of each stream.
        captures: real flow, on which nothing was trained.
        tell: is told how far it is.
    """
    given = examples(range(train_streams), seconds, tell)
    calm = quiet(TRAIN, range(quiet_streams), seconds, tell)
    whole = fold(given, calm, ())
    folds = {name: fold(given, calm, (name,)) for name in VARIANTS} | {FEED_RESET: whole}
    tell("trees are trained and thresholds fixed")
    tests = quiet(TEST, range(max(round(hours * 3600 / seconds), 1)), seconds, tell)
    simulated = figures(folds, whole, tests, test_trials(seconds, tell)) | {
        "train_clusters": len(given.labels),
        "threshold_hours": calm.hours,
        "legacy_rule": legacy(seconds),
        "placebos": placebo_recall(whole, seconds),
    }
    overlaid = {flow.instrument.id: overlay_figures(flow, folds, whole, tell) for flow in captures}
    return {"simulator": simulated, "overlay": overlaid}


def overlay_figures(flow: Flow, folds: dict[str, Fold], whole: Fold, tell: Tell) -> dict[str, Any]:
    """Recall of episodes overlaid on a capture, at the simulator's thresholds, and the cues of the capture itself."""
    tape = overlay.tape(flow.books, flow.trades, flow.instrument)
    seconds = (int(flow.books.ts[-1]) - int(flow.books.ts[0])) // 10**9
    count = max(seconds // OVERLAY_APART_S, 1)
    trials = list[Trial]()
    for turn in range(OVERLAYS):
        variants = VARIANTS[turn % len(VARIANTS) :] + VARIANTS[: turn % len(VARIANTS)]
        episodes = overlay.draw_episodes(tape, TEST.first_seed + turn, variants, count, TEST.episodes, TEST.sizes)
        books, trades = overlay.plant(flow.books, flow.trades, episodes)
        found, _ = found_in(Flow(flow.instrument, books, trades))
        trials.append(Trial(found, overlay.truth(episodes, flow.instrument.id, turn)))
    found, hours = found_in(flow)
    clean = Quiet(found.header[:, layout.C_TS], found.header[:, layout.C_SIDE], found, hours)
    tell(f"{flow.instrument.id}: planted")
    return figures(folds, whole, clean, trials)


def fold(given: Examples, calm: Quiet, without: Sequence[str]) -> Fold:
    """Trees that never saw some variants."""
    model = CueModel.of(train(given.without(without)), EMPTY)
    return Fold(model, dict(thresholds(model, calm)))


def test_trials(seconds: int, tell: Tell) -> list[Trial]:
    """Planted test streams until every variant of layering has `LEAST` episodes of every size."""
    missing = {(name, m): LEAST for name in LAYERING for m in M_GRID}
    trials = list[Trial]()
    for number in range(MOST_STREAMS):
        reaction = REACTIONS[number % len(REACTIONS)]
        stream = planted(TEST, number, VARIANTS, PER_HOUR * seconds // 3600, seconds, reaction)
        found, _ = found_in(Flow(stream.instrument, stream.books, stream.trades))
        trials.append(Trial(found, stream.truth))
        for key in stream.truth.select("variant", "m").rows():
            if key in missing:
                missing[key] -= 1
        left = sum(max(count, 0) for count in missing.values())
        tell(f"planted test stream {number}: {left} episodes are left to plant")
        if left == 0:
            break
    stream = planted(TEST, MOST_STREAMS, (FEED_RESET,), LEAST, seconds)
    found, _ = found_in(Flow(stream.instrument, stream.books, stream.trades))
    return [*trials, Trial(found, stream.truth)]


def figures(folds: dict[str, Fold], whole: Fold, tests: Quiet, trials: list[Trial]) -> dict[str, Any]:
    """Recall, false alarms, precision and delay at each budget; those of `BUDGET` at the top."""
    outcomes = pl.concat([_outcome(trial, folds, whole) for trial in trials])
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
            "precision_at_least": {str(base): _precision(recall, base, high / tests.hours) for base in BASE_RATES},
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


def placebo_recall(whole: Fold, seconds: int) -> dict[str, float]:
    """Recall of large episodes in a test stream, and in what placebos make of it."""
    stream = planted(TEST, MOST_STREAMS + 1, tuple(LAYERING), PER_HOUR * seconds // 3600, seconds)
    flow, truth = placebos.unbroken(Flow(stream.instrument, stream.books, stream.trades), stream.truth)
    truth = truth.filter(pl.col("m") >= 2)
    changed = {"unchanged": (flow, truth)}
    changed |= {make.__name__: make(flow, truth) for make in (placebos.mirrored, placebos.shuffled, placebos.backwards)}
    return {name: _recall(whole, *given) for name, given in changed.items()}


def _recall(fold: Fold, flow: Flow, truth: pl.DataFrame) -> float:
    found, _ = found_in(flow)
    ts, side = found.header[:, layout.C_TS], found.header[:, layout.C_SIDE]
    rows = kept(ts, side, fold.scores(found) >= fold.thresholds[BUDGET])
    return len(set(hits(ts, side, truth)[rows].tolist()) - {NONE}) / max(truth.height, 1)


def _outcome(trial: Trial, folds: dict[str, Fold], whole: Fold) -> pl.DataFrame:
    """For each episode of a trial: whether it is hit at each budget, by trees without its variant and by all."""
    found = trial.found
    ts, side = found.header[:, layout.C_TS], found.header[:, layout.C_SIDE]
    episode = hits(ts, side, trial.truth)
    variants = trial.truth["variant"].to_numpy()
    pulled = trial.truth["last_pull"].to_numpy()
    count = trial.truth.height
    columns = {f"{prefix}_{budget}": np.zeros(count, bool) for prefix in ("hit", "own") for budget in BUDGETS}
    delay = np.full(count, np.nan)
    for name, trees in [*((name, folds[name]) for name in np.unique(variants).tolist()), ("", whole)]:
        scores = trees.scores(found)
        for budget in BUDGETS:
            rows = kept(ts, side, scores >= trees.thresholds[budget])
            rows = rows[episode[rows] != NONE]
            if name:
                rows = rows[variants[episode[rows]] == name]
            columns[f"{'hit' if name else 'own'}_{budget}"][episode[rows]] = True
            if name and budget == BUDGET:
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


def legacy(seconds: int) -> dict[str, Any]:
    """Recall and false alarms of the predecessor's rule, on one planted and one unplanted test stream."""
    stream = planted(TEST, 0, VARIANTS, PER_HOUR * seconds // 3600, seconds)
    quiet_stream = unplanted(TEST, 0, seconds)
    truth = stream.truth.filter(pl.col("label") == 1)
    given = Flow(stream.instrument, stream.books, stream.trades)
    return _legacy_figures(given, Flow(given.instrument, quiet_stream.books, quiet_stream.trades), truth)


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
