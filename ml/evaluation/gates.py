"""The gates between a candidate and the champion: each answers pass, fail or insufficient, with its number.

Here: one function a gate, and the decision that follows from them.
Not here: the numbers' origin (`ml.evaluation`), the record (`ml.storage.decisions`).

Nothing is promoted on `insufficient`; a required `fail` refuses. The thresholds are explained in `docs/gates.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from ml.evaluation import ab_test, returns
from ml.evaluation.backtest_report import BacktestReport
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.holdout import Unsealed
from ml.learning import metrics
from ml.learning.dataset import MIN_ROWS
from ml.learning.experiment import Experiment
from ml.learning.walk_forward import fold_scores, probabilities

Outcome = Literal["pass", "fail", "insufficient"]

MIN_COVERAGE = 0.80
MIN_PARTITION_ROWS = 600
MIN_GAIN = 0.02
MAX_GAP = 0.05
MAX_CALIBRATION_ERROR = 0.05
MAX_CALIBRATION_LOSS = 0.01
MAX_P99_MS = 5.0
MIN_SAMPLES = 600
"""Fewer test rows say too little for any gate on predictions."""
MIN_SHARPE_DAYS = returns.MIN_DAYS
MIN_PROBABILITY = 0.5
CLAIM = 0.95
MAX_SLICE_LOSS = 0.05
MIN_SLICE_LABELS = 500
CONFIDENCE_FIRST = 0.995
CONFIDENCE_LATER = 0.975
CEILING_PER_IC = 0.42
"""Bayes ceiling of three-class macro-accuracy over chance per unit of information coefficient, upper end."""
MODEL_THRESHOLDS = {
    "improvement": MIN_GAIN,
    "train_val_gap": MAX_GAP,
    "calibration": MAX_CALIBRATION_ERROR,
    "latency": MAX_P99_MS,
    "reload": 0.0,
    "holdout": 0.0,
}
"""Thresholds of the gates that need a candidate."""
NO_ROW_IN_COMMON = "no test row is later than the training data of the champion"


@dataclass(frozen=True)
class Gate:
    """One gate's answer; `source_sha256` names the content that the value was computed from."""

    name: str
    outcome: Outcome
    value: float | None
    threshold: float
    required: bool
    source_sha256: str
    detail: str = ""


@dataclass(frozen=True)
class Rival:
    """What the candidate must beat on identical rows: a baseline, or the champion's answers and calibration."""

    name: str
    predicted: np.ndarray
    calibration_error: float | None = None


def coverage(shares: dict[str, tuple[float, int]], source: str) -> Gate:
    """The smallest share of rows labelled at the primary horizon over partitions, given with each one's rows.

    Below 600 rows the ends of the capture weigh too much to blame the data.
    """
    if not shares:
        return Gate("coverage", "insufficient", None, MIN_COVERAGE, True, source, "no labelled partition")
    worst = min(shares, key=lambda name: shares[name])
    share, count = shares[worst]
    outcome: Outcome = "pass" if share >= MIN_COVERAGE else "fail" if count >= MIN_PARTITION_ROWS else "insufficient"
    return Gate("coverage", outcome, share, MIN_COVERAGE, True, source, f"lowest: {worst}, {count} rows")


def rows(
    count: int, instruments: Sequence[str], never_complete: Mapping[str, str], source: str, row_spacing: int = 1
) -> Gate:
    """Rows of the panel; too few is no fault of the model.

    Each instrument gives at most one row each `row_spacing` seconds. One in `never_complete` has given none, and what
    is null in its rows is said instead of the hours that would be missing.
    """
    if count >= MIN_ROWS:
        return Gate("rows", "pass", count, MIN_ROWS, True, source)
    giving = len(set(instruments) - set(never_complete))
    missing = (MIN_ROWS - count) * row_spacing / 3600
    hours = [f"{missing / giving:.1f} h more of {giving} instruments are needed"] if giving else []
    why = [f"{name}: {null}" for name, null in never_complete.items()]
    return Gate("rows", "insufficient", count, MIN_ROWS, True, source, "; ".join(hours + why))


def canaries(results: Sequence[Canary], source: str) -> Gate:
    """Number of leak canaries that died."""
    dead = [canary.name for canary in results if not canary.passed]
    outcome: Outcome = "insufficient" if not results else "fail" if dead else "pass"
    return Gate("canaries", outcome, len(dead), 0, True, source, ", ".join(dead))


def parity(report: ParityReport, source: str) -> Gate:
    """Feature rows in which the live path differs from the batch."""
    if report.mismatches == 0 and report.rows_with_values == 0:
        return Gate("parity", "insufficient", None, 0, True, source, f"none of {report.rows} rows has values")
    outcome: Outcome = "pass" if report.mismatches == 0 else "fail"
    return Gate("parity", outcome, report.mismatches, 0, True, source, f"of {report.rows} rows")


def improvement(test: pl.DataFrame, rival: Rival, first: bool, experiment: Experiment, source: str) -> Gate:
    """Macro-accuracy gained on the rival over identical rows, by a paired block bootstrap (blocks of 600 s).

    Pass needs a lower bound above 0 and a gain of 2 points. Where the interval holds both 0 and 2 points, the data are
    insufficient, and the detail says how many more symbol-days two points would take.
    """
    if test.height < MIN_SAMPLES:
        return Gate("improvement", "insufficient", None, MIN_GAIN, True, source, _too_few(test.height, experiment))
    direction, predicted = (test[name].to_numpy() for name in ("direction", "predicted"))
    confidence = CONFIDENCE_FIRST if first else CONFIDENCE_LATER
    gain, low, high = _gain(test, rival.predicted, experiment, confidence)
    if low > 0 and gain >= MIN_GAIN:
        outcome: Outcome = "pass"
    elif high < MIN_GAIN or low > 0:
        outcome = "fail"
    else:
        outcome = "insufficient"
    bounds = f"{100 * confidence:.1f} % bounds {100 * low:+.1f} to {100 * high:+.1f} pp"
    detail = f"over {rival.name}: {100 * gain:+.1f} pp, {bounds}"
    detail += (
        ""
        if outcome == "pass"
        else f"; {_power(direction, predicted, rival.predicted, len(test), experiment)}; {_ceiling(test)}"
    )
    return Gate("improvement", outcome, gain, MIN_GAIN, True, source, detail)


def holdout(unsealed: Unsealed, rival: np.ndarray, experiment: Experiment, source: str) -> Gate:
    """Macro-accuracy gained on the rival over the sealed newest rows, which one candidate alone may be judged on.

    Fails where another candidate has looked at all of them, or where the gain is certainly not above 0.

    Args:
        unsealed: the rows that nobody has looked at.
        rival: its answers to them.
        experiment: the experiment.
        source: hash of the predictions.
    """
    fresh = unsealed.rows
    detail = f"opening {unsealed.openings}"
    if fresh.is_empty() and unsealed.seen:
        detail += (
            f": contaminated, another candidate was judged on all {unsealed.seen} sealed rows; newer rows are needed"
        )
        return Gate("holdout", "fail", None, 0.0, True, source, detail)
    if unsealed.seen:
        detail += f", {unsealed.seen} rows left out that another candidate was judged on"
    if fresh.height < MIN_SAMPLES:
        few = _too_few(fresh.height, experiment)
        return Gate("holdout", "insufficient", None, 0.0, True, source, f"{detail}; {few}")
    gain, low, high = _gain(fresh, rival, experiment, CONFIDENCE_LATER)
    outcome: Outcome = "fail" if high < 0 else "pass" if gain > 0 else "insufficient"
    detail += f", {fresh.height} rows: {100 * gain:+.1f} pp, bounds {100 * low:+.1f} to {100 * high:+.1f} pp"
    return Gate("holdout", outcome, gain, 0.0, True, source, detail)


def train_gap(predictions: pl.DataFrame, experiment: Experiment, source: str) -> Gate:
    """Macro-accuracy on the last purged training block minus that on the test block, mean over folds."""
    count = predictions.filter(pl.col("part") == "test").height
    if count < MIN_SAMPLES:
        return Gate("train_val_gap", "insufficient", None, MAX_GAP, True, source, _too_few(count, experiment))
    scores = fold_scores(predictions)
    gap = float((scores["train"] - scores["test"]).mean())  # type: ignore[arg-type]
    return Gate("train_val_gap", "pass" if abs(gap) < MAX_GAP else "fail", gap, MAX_GAP, True, source)


def calibration(test: pl.DataFrame, rival: Rival, experiment: Experiment, source: str) -> Gate:
    """Expected calibration error: at most the champion's plus 0.01, or 0.05 for the first model."""
    if test.height < MIN_SAMPLES:
        few = _too_few(test.height, experiment)
        return Gate("calibration", "insufficient", None, MAX_CALIBRATION_ERROR, True, source, few)
    value = metrics.calibration_error(test["direction"].to_numpy(), probabilities(test))
    limit = MAX_CALIBRATION_ERROR if rival.calibration_error is None else rival.calibration_error + MAX_CALIBRATION_LOSS
    return Gate("calibration", "pass" if value <= limit else "fail", value, limit, True, source)


def latency(processor_ms: float, wall_ms: float, source: str) -> Gate:
    """99th percentile of one feature row and one prediction with the stored model, on this machine.

    The processor's time decides; the time on the clock depends on what else the machine does, and is only shown.
    """
    outcome: Outcome = "pass" if processor_ms < MAX_P99_MS else "fail"
    detail = f"ms of processor time; {wall_ms:.1f} ms of wall time"
    return Gate("latency", outcome, processor_ms, MAX_P99_MS, True, source, detail)


def reload(differing: int, source: str) -> Gate:
    """Rows on which the model read back from its files predicts otherwise."""
    return Gate("reload", "pass" if differing == 0 else "fail", differing, 0, True, source)


def sharpe(report: BacktestReport, trials: int, source: str) -> Gate:
    """Whether the Sharpe ratio net of costs is not worse than the rival's; it counts from 30 UTC days on.

    The value is the chance that it is at least as high, by resampling days in pairs. Below 30 days it is the number of
    days, and what is shown is the net return over blocks of 600 s, in pairs.

    Args:
        report: the backtest of both.
        trials: all that were ever run on these data.
        source: hash of the predictions that it should have traded.
    """
    if report.predictions_sha256 != source:
        detail = f"the backtest is of predictions {report.predictions_sha256[:16]}: materialize backtest_report again"
        return Gate("sharpe", "fail", None, MIN_PROBABILITY, True, source, detail)
    if not report.traded:
        return Gate("sharpe", "insufficient", 0, MIN_SHARPE_DAYS, False, source, "no row was traded")
    own, other = report.traded
    days = own.sharpe.days
    if days < MIN_SHARPE_DAYS:
        detail = f"UTC days, {MIN_SHARPE_DAYS - days} more are needed; net of costs over {other.name}: {report.paired}"
        return Gate("sharpe", "insufficient", days, MIN_SHARPE_DAYS, False, source, detail)
    both = [np.array([value for _, value in one.daily]) for one in (own, other)]
    chance = returns.probability_not_worse(*both) if len(both[0]) == len(both[1]) else None
    if chance is None:
        detail = f"{own.sharpe} against {other.name} {other.sharpe}: no ratio to compare"
        return Gate("sharpe", "insufficient", None, MIN_PROBABILITY, True, source, detail)
    deflated = returns.deflated_sharpe(both[0], trials)
    claim = "not computed" if deflated is None else f"{deflated:.2f} ({CLAIM} for a claim)"
    detail = f"{own.sharpe} against {other.name} {other.sharpe}; deflated by {trials} trials: {claim}"
    return Gate("sharpe", _at_least(chance, MIN_PROBABILITY), chance, MIN_PROBABILITY, True, source, detail)


def slices(test: pl.DataFrame, rival: Rival, experiment: Experiment, source: str) -> Gate:
    """The worst gain over instruments, six-hour slices of each, and volatility regimes with 500 independent labels.

    Not required where no slice has so many.

    Args:
        test: rows of `fold_predictions` with `regime` (`ml.learning.walk_forward.with_regime`).
        rival: what they are compared with.
        experiment: the experiment.
        source: hash of the predictions.
    """
    gains: dict[str, float] = {}
    quarter = 6 * (pl.col("ts") // (6 * 3600 * 10**9) % 4)
    hours = pl.format("{} {}-{} UTC", "instrument", *((quarter + k).cast(pl.String()).str.zfill(2) for k in (0, 6)))
    named = test.with_columns(rival=pl.Series(rival.predicted), hours=hours)
    for by in ("instrument", "hours", "regime"):
        for (name,), part in named.drop_nulls(by).group_by(by, maintain_order=True):
            if part.height / _rows_per_label(experiment) >= MIN_SLICE_LABELS:
                direction, predicted, other = (
                    part[column].to_numpy() for column in ("direction", "predicted", "rival")
                )
                gain = metrics.macro_accuracy(direction, predicted) - metrics.macro_accuracy(direction, other)
                gains[str(name)] = gain
    if not gains:
        detail = f"no slice has {MIN_SLICE_LABELS} independent labels"
        return Gate("slices", "insufficient", None, -MAX_SLICE_LOSS, False, source, detail)
    worst = min(gains, key=lambda name: gains[name])
    return Gate("slices", _at_least(gains[worst], -MAX_SLICE_LOSS), gains[worst], -MAX_SLICE_LOSS, True, source, worst)


def without_input(asked: Sequence[Gate], fault: str) -> list[Gate]:
    """The same gates failed, because the file that they were computed from is not the one on record."""
    return [replace(gate, outcome="fail", value=None, required=True, detail=fault) for gate in asked]


def no_candidate(source: str) -> list[Gate]:
    """The gates that cannot be asked, because the rows were too few to train a candidate."""
    why = "no candidate was trained"
    return [
        Gate(name, "insufficient", None, threshold, True, source, why) for name, threshold in MODEL_THRESHOLDS.items()
    ]


def decide(gates: Sequence[Gate]) -> Literal["promote", "refuse", "insufficient"]:
    """Promote if all required gates pass, refuse if one fails, else insufficient."""
    required = {gate.outcome for gate in gates if gate.required}
    if "fail" in required:
        return "refuse"
    return "insufficient" if "insufficient" in required else "promote"


def refused_for_time(gates: Sequence[Mapping[str, Any]]) -> bool:
    """Whether of the gates of a record a measured time alone failed: measured again, it may pass."""
    return {gate["name"] for gate in gates if gate["required"] and gate["outcome"] == "fail"} == {"latency"}


def _at_least(value: float, threshold: float) -> Outcome:
    return "pass" if value >= threshold else "fail"


def _rows_per_label(experiment: Experiment) -> float:
    """How many rows in a row share one horizon: only one of them counts as independent."""
    return max(experiment.horizon / experiment.row_spacing, 1.0)


def _gain(
    rows: pl.DataFrame, rival: np.ndarray, experiment: Experiment, confidence: float
) -> tuple[float, float, float]:
    """Macro-accuracy gained on a rival, and its bounds by a paired block bootstrap."""
    direction, predicted, ts = (rows[name].to_numpy() for name in ("direction", "predicted", "ts"))
    gain = metrics.macro_accuracy(direction, predicted) - metrics.macro_accuracy(direction, rival)
    draws = metrics.bootstrap_difference(direction, predicted, rival, ts, ab_test.block_ns(experiment.horizon))
    low, high = (float(q) for q in np.quantile(draws, [1 - confidence, confidence]))
    return gain, low, high


def _too_few(count: int, experiment: Experiment) -> str:
    if count == 0:
        return NO_ROW_IN_COMMON
    hours = (MIN_SAMPLES - count) * experiment.row_spacing / 3600
    return f"{count} of {MIN_SAMPLES} rows: {hours:.1f} h more of one instrument are needed"


def _power(direction: np.ndarray, predicted: np.ndarray, other: np.ndarray, count: int, experiment: Experiment) -> str:
    """How many independent labels two points of gain take at the discordance observed."""
    discordance = float(((predicted == direction) != (other == direction)).mean())
    needed = ab_test.Design(experiment.horizon, MIN_GAIN).labels(discordance)
    have = count / _rows_per_label(experiment)
    more = max(needed - have, 0.0) * max(experiment.horizon, experiment.row_spacing) / 86_400
    return f"2 pp need {needed:,.0f} independent labels, {have:,.0f} available: {more:.1f} more symbol-days"


def _ceiling(test: pl.DataFrame) -> str:
    lean = (test["p_up"] - test["p_down"]).to_numpy()
    movement = test["movement"].to_numpy()
    if np.ptp(lean) == 0.0 or np.ptp(movement) == 0.0:
        return "all predictions are the same"
    ic = float(np.corrcoef(lean, movement)[0, 1])
    return f"measured information coefficient {ic:.3f}, whose ceiling is {100 * CEILING_PER_IC * max(ic, 0.0):.1f} pp"


def as_dicts(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Gates as plain dictionaries, for records and JSON."""
    return [vars(gate) | {} for gate in gates]
