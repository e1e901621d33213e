"""How well cues are found: recall by size and variant, false alarms, precision, delay, on markets of other seeds.

Here: the figures.
Not here: training (`ml.layering.training`), what hits what (`ml.layering.matching`).

Each variant's recall comes from trees that never saw the variant, hard negatives likewise. A test market goes on for
three hours before the test begins, unplanted; they fix its thresholds, as `lobforge layering scan --calibrate` does.
False alarms are counted in what follows, recall in copies of it with planted episodes.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml.core.time import SECOND
from ml.layering import layout, placebos
from ml.layering.calibration import WHOLE_HOURS, calibrated, kept, poisson_interval
from ml.layering.detector import EarlyWarning, shipped_detector
from ml.layering.early import LEAST_SCORE
from ml.layering.finder import Finder, Flow, Found
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
from ml.simulation.streams import PLANTED, TEST, TRAIN, planted, unplanted

BUDGET = 2.0
BASE_RATES = (0.1, 1.0, 10.0)
"""Episodes an hour at which precision is given."""
LEAST = 40
"""Episodes for each size and variant."""
MARKETS = 8
BEFORE_S = round(WHOLE_HOURS * 3600)
"""Seconds of a test market before the test, on which its thresholds are fixed."""
MOST_COPIES = 48
"""Planted copies of a market at most: some variants need a price that moves."""
OVERLAYS = 24
OVERLAY_APART_S = 20
"""How often episodes are overlaid on a capture, and seconds of capture for each."""
WARNED_STREAMS = 2
DENSE = 6.0
"""Episodes an hour of the density target: one in ten minutes."""


class Trial(NamedTuple):
    """Clusters of one planted stream, with the truth."""

    found: Found
    truth: pl.DataFrame


class Market(NamedTuple):
    """A test market: earlier flow for its thresholds, the flow in which false alarms are counted, planted copies."""

    before: Quiet
    calm: Quiet
    trials: list[Trial]


class Fold(NamedTuple):
    """Trees that never saw some variants, and their thresholds by budget on markets of training seeds."""

    model: CueModel
    thresholds: dict[float, float]

    def scores(self, found: Found) -> F64:
        """Scores of clusters."""
        return self.model.predict(found.values)


Thresholds = Callable[[Fold, Market], dict[float, float]]
"""How the thresholds of a market are fixed, by budget."""


def benchmark(
    hours: float, train_streams: int, quiet_streams: int, seconds: int, captures: Sequence[Flow], tell: Tell
) -> dict[str, Any]:
    """The figures on simulated streams, and of episodes overlaid on captures.

    Args:
        hours: of unplanted test market, without what thresholds are fixed on.
        train_streams: with episodes.
        quiet_streams: without, for the thresholds of an unknown instrument.
        seconds: length of each training stream.
        captures: real flow, on which nothing was trained and nothing is calibrated.
        tell: is told how far it is.
    """
    given = examples(range(train_streams), seconds, tell)
    calm = quiet(TRAIN, range(quiet_streams), seconds, tell)
    whole = fold(given, calm, ())
    folds = {name: fold(given, calm, (name,)) for name in VARIANTS} | {FEED_RESET: whole}
    tell("trees are trained")
    markets = draw_markets(hours, tell)
    simulated = figures(folds, whole, markets, of_market) | {
        "uncalibrated": figures(folds, whole, markets, of_simulator),
        "train_clusters": len(given.labels),
        "threshold_hours": calm.hours,
        "early_warnings": early_warnings(seconds),
        "legacy_rule": legacy(seconds),
        "placebos": placebo_recall(whole, seconds),
    }
    overlaid = {flow.instrument.id: overlay_figures(flow, folds, whole, tell) for flow in captures}
    return {"simulator": simulated, "overlay": overlaid}


def of_market(fold: Fold, market: Market) -> dict[float, float]:
    """Thresholds that the market's own earlier flow fixes."""
    ts, side, found, hours = market.before.ts, market.before.side, market.before.found, market.before.hours
    scores = fold.scores(found)
    return {
        budget: calibrated(ts, side, scores, hours, budget, simulated).threshold
        for budget, simulated in fold.thresholds.items()
    }


def of_simulator(fold: Fold, market: Market) -> dict[float, float]:
    """Thresholds for an instrument of which nothing is known."""
    return fold.thresholds


def overlay_figures(flow: Flow, folds: dict[str, Fold], whole: Fold, tell: Tell) -> dict[str, Any]:
    """Recall of episodes overlaid on a capture, at the simulator's thresholds, and the cues of the capture itself."""
    seconds = (int(flow.books.ts[-1]) - int(flow.books.ts[0])) // SECOND
    count = max(seconds // OVERLAY_APART_S, 1)
    trials = [_copy(flow, TEST.first_seed + turn, turn, VARIANTS, count) for turn in range(OVERLAYS)]
    found, hours = found_in(flow)
    clean = _quiet(found, hours)
    tell(f"{flow.instrument.id}: planted")
    return figures(folds, whole, [Market(_quiet(found.rows(slice(0)), 0.0), clean, trials)], of_simulator)


def fold(given: Examples, calm: Quiet, without: Sequence[str]) -> Fold:
    """Trees that never saw some variants."""
    model = CueModel.of(train(given.without(without)), EMPTY)
    return Fold(model, dict(thresholds(model, calm)))


def draw_markets(hours: float, tell: Tell, before_s: int = BEFORE_S) -> list[Market]:
    """Test markets of so many unplanted hours together.

    They are planted until every variant of layering has `LEAST` episodes of every size.
    """
    count = min(max(round(hours), 2), MARKETS)
    seconds = round(hours * 3600 / count)
    markets = list[Market]()
    flows = list[Flow]()
    for number in range(count):
        stream = unplanted(TEST, number, before_s + seconds, REACTIONS[number % len(REACTIONS)])
        flow = Flow(stream.instrument, stream.books, stream.trades)
        before, after = flow.cut(int(flow.books.ts[0]) + before_s * SECOND)
        finder = Finder(flow.instrument)
        earlier = _quiet(finder.run(before.books, before.trades), finder.hours)
        found = finder.run(after.books, after.trades)
        markets.append(Market(earlier, _quiet(found, finder.hours - earlier.hours), []))
        flows.append(after._replace(books=overlay.opened(after.books, before.books)))
        tell(f"test market {number}: {len(found):,} clusters in {markets[-1].calm.hours:.2f} h")
    missing = {(name, m): LEAST for name in LAYERING for m in M_GRID}
    for turn in range(count * MOST_COPIES):
        number = turn % count
        trial = _copy(
            flows[number], TEST.first_seed + PLANTED + turn, turn // count, VARIANTS, PER_HOUR * seconds // 3600
        )
        markets[number].trials.append(trial)
        for key in trial.truth.select("variant", "m").rows():
            if key in missing:
                missing[key] -= 1
        left = sum(max(lacking, 0) for lacking in missing.values())
        tell(f"planted copy {turn}: {left} episodes are left to plant")
        if left == 0 and turn >= count - 1:  # every market is planted once at least
            break
    markets[0].trials.append(_copy(flows[0], TEST.first_seed + PLANTED - 1, 0, (FEED_RESET,), LEAST))
    return markets


def _copy(flow: Flow, seed: int, turn: int, variants: Sequence[str], count: int) -> Trial:
    """Clusters of a flow with episodes of all variants in it; each turn begins with another variant and size."""
    variants = [*variants[turn % len(variants) :], *variants[: turn % len(variants)]]
    sizes = [*TEST.sizes[turn % len(TEST.sizes) :], *TEST.sizes[: turn % len(TEST.sizes)]]
    tape = overlay.tape(flow.books, flow.trades, flow.instrument)
    episodes = overlay.draw_episodes(tape, seed, variants, count, TEST.episodes, sizes)
    books, trades = overlay.plant(flow.books, flow.trades, episodes)
    found, _ = found_in(Flow(flow.instrument, books, trades))
    return Trial(found, overlay.truth(episodes, flow.instrument.id, seed))


def _quiet(found: Found, hours: float) -> Quiet:
    return Quiet(found.header[:, layout.C_TS], found.header[:, layout.C_SIDE], found, hours)


def figures(folds: dict[str, Fold], whole: Fold, markets: Sequence[Market], fixed: Thresholds) -> dict[str, Any]:
    """Recall, false alarms, precision and delay at each budget; those of `BUDGET` at the top."""
    hours = sum(market.calm.hours for market in markets)
    alarms = dict.fromkeys(BUDGETS, 0)
    parts = list[pl.DataFrame]()
    by_market = list[dict[str, float]]()
    for market in markets:
        limits = {name: fixed(trees, market) for name, trees in folds.items()} | {"": fixed(whole, market)}
        scores = whole.scores(market.calm.found)
        counted = {
            budget: len(kept(market.calm.ts, market.calm.side, scores >= limits[""][budget])) for budget in BUDGETS
        }
        alarms = {budget: count + counted[budget] for budget, count in alarms.items()}
        outcomes = [_outcome(trial, folds | {"": whole}, limits) for trial in market.trials]
        parts += outcomes
        by_market.append(_of_one(market, counted[BUDGET], outcomes))
    outcomes = pl.concat(parts)
    layering = outcomes.filter(pl.col("label") == 1)
    negatives = outcomes.filter(pl.col("label") == 0)
    result = {str(budget): _at_budget(layering, negatives, budget, alarms[budget], hours) for budget in BUDGETS}
    delays = layering.filter(pl.col(f"hit_{BUDGET}"))["delay_ms"]
    return result[str(BUDGET)] | {
        "budget": BUDGET,
        "hours": hours,
        "episodes": layering.height,
        "delay_ms": {"median": delays.median(), "p95": delays.quantile(0.95)},
        "markets": by_market,
        "budgets": result,
    }


def _at_budget(
    layering: pl.DataFrame, negatives: pl.DataFrame, budget: float, alarms: int, hours: float
) -> dict[str, Any]:
    low, high = poisson_interval(alarms)
    hit = f"hit_{budget}"
    large = layering.filter(pl.col("m") >= 2)
    recall = _mean(large, hit)
    rate = alarms / hours
    return {
        "recall": _shares(layering, "m", hit),
        "recall_m1": _mean(layering.filter(pl.col("m") >= 1), hit),
        "recall_m2": recall,
        "recall_m2_in_family": _mean(large, f"own_{budget}"),
        "variants": _shares(large, "variant", hit),
        "variants_in_family": _shares(large, "variant", f"own_{budget}"),
        "hard_negatives": _shares(negatives, "variant", hit),
        "false_alarms": alarms,
        "false_alarms_per_hour": rate,
        "false_alarms_interval": [low / hours, high / hours],
        "precision": {str(base): _precision(recall, base, rate) for base in BASE_RATES},
        "precision_at_least": {str(base): _precision(recall, base, high / hours) for base in BASE_RATES},
        "precision_one_in_10_min": _precision(recall, DENSE, rate),
    }


def _of_one(market: Market, alarms: int, outcomes: Sequence[pl.DataFrame]) -> dict[str, float]:
    """Of one market, at `BUDGET`: its clusters an hour, false alarms and recall."""
    large = pl.concat(outcomes).filter(pl.col("label") == 1, pl.col("m") >= 2)
    return {
        "hours": market.calm.hours,
        "clusters_per_hour": len(market.calm.found) / market.calm.hours,
        "false_alarms_per_hour": alarms / market.calm.hours,
        "recall_m2": _mean(large, f"hit_{BUDGET}"),
    }


def _mean(outcomes: pl.DataFrame, column: str) -> float:
    return float(outcomes[column].mean() or 0.0)  # type: ignore[arg-type]


def placebo_recall(whole: Fold, seconds: int) -> dict[str, float]:
    """Recall of large episodes in a test stream, and in what placebos make of it."""
    stream = planted(TEST, 0, tuple(LAYERING), PER_HOUR * seconds // 3600, seconds)
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


def _outcome(trial: Trial, folds: dict[str, Fold], limits: dict[str, dict[float, float]]) -> pl.DataFrame:
    """For each episode of a trial: whether it is hit at each budget, by trees without its variant and by all (``)."""
    found = trial.found
    ts, side = found.header[:, layout.C_TS], found.header[:, layout.C_SIDE]
    episode = hits(ts, side, trial.truth)
    variants = trial.truth["variant"].to_numpy()
    pulled = trial.truth["last_pull"].to_numpy()
    count = trial.truth.height
    columns = {f"{prefix}_{budget}": np.zeros(count, bool) for prefix in ("hit", "own") for budget in BUDGETS}
    delay = np.full(count, np.nan)
    for name in [*np.unique(variants).tolist(), ""]:
        scores = folds[name].scores(found)
        for budget in BUDGETS:
            rows = kept(ts, side, scores >= limits[name][budget])
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


def early_warnings(seconds: int) -> dict[str, Any]:
    """Episodes of at least two best sizes that were warned of before their last pull, on planted test streams.

    `lead_s` is the time from the first warning to the last pull; false warnings are those of unplanted markets.
    """
    leads = list[float]()
    episodes = false = 0
    hours = 0.0
    for number in range(WARNED_STREAMS):
        stream = planted(TEST, number, tuple(LAYERING), PER_HOUR * seconds // 3600, seconds)
        truth = stream.truth.filter(pl.col("m") >= 2)
        leads += leads_of(_warnings(Flow(stream.instrument, stream.books, stream.trades))[0], truth)
        calm = unplanted(TEST, number, seconds)
        told, watched = _warnings(Flow(stream.instrument, calm.books, calm.trades))
        episodes += truth.height
        false += len(told)
        hours += watched
    return {
        "threshold": LEAST_SCORE,
        "recall": len(leads) / max(episodes, 1),
        "episodes": episodes,
        "lead_s": {"median": float(np.median(leads)) if leads else None, "least": min(leads, default=None)},
        "false_warnings_per_hour": false / hours,
        "hours": hours,
    }


def _warnings(flow: Flow) -> tuple[list[EarlyWarning], float]:
    detector = shipped_detector(flow.instrument)
    detector.take(flow.books, flow.trades)
    return list(detector.warnings()), detector.finder.hours


def leads_of(warnings: Sequence[EarlyWarning], truth: pl.DataFrame) -> list[float]:
    """Seconds from the first warning of an episode's side and time to its last pull, of those that have one."""
    found = list[float]()
    for side, start, last_pull in truth.select("side", "start", "last_pull").iter_rows():
        of_side = "bid" if side > 0 else "ask"
        times = [one.ts for one in warnings if one.side == of_side and start <= one.ts < last_pull]
        if times:
            found.append((last_pull - min(times)) / SECOND)
    return found


def legacy(seconds: int) -> dict[str, Any]:
    """Recall and false alarms of the predecessor's rule, on one planted and one unplanted test stream."""
    stream = planted(TEST, 0, VARIANTS, PER_HOUR * seconds // 3600, seconds)
    quiet_stream = unplanted(TEST, 0, seconds)
    truth = stream.truth.filter(pl.col("label") == 1)
    given = Flow(stream.instrument, stream.books, stream.trades)
    return _legacy_figures(given, Flow(given.instrument, quiet_stream.books, quiet_stream.trades), truth)


def _legacy_figures(given: Flow, flow: Flow, truth: pl.DataFrame) -> dict[str, Any]:
    alert = LegacySettings().alert
    raised = [a for a in alerts(given.instrument, given.books, given.trades) if a.score >= alert]
    false = [a for a in alerts(flow.instrument, flow.books, flow.trades) if a.score >= alert]
    hours = (int(flow.books.ts[-1]) - int(flow.books.ts[0])) / 3.6e12
    ts = np.array([a.ts for a in raised], np.int64)
    side = np.array([a.side for a in raised], np.int64)
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
