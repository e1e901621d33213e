"""The threshold of an instrument: from unlabelled flow to a budget of false alarms.

Here: suppression of repeated cues, thresholds, and the bound on false alarms that so many hours support.
Not here: scores (`ml.layering.model`).

A threshold does not carry over from one instrument to another; one from fewer than `WHOLE_HOURS` of the instrument's
flow is drawn towards that of the simulator, but never so far that the flow itself would have contradicted the budget.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from ml.layering.layout import F64
from ml.market.book.layout import I64

SUPPRESSED_NS = 2 * 10**9
"""After a cue none follows on its side for so long."""
WHOLE_HOURS = 3.0
EDGE = 1e-6
MARGIN = 0.1
"""Of the logit, above the highest score of flow of which nothing may pass."""


@dataclass(frozen=True)
class Calibration:
    """From which score on a cluster is a cue, and what supports it.

    Args:
        threshold: score, 0 to 1.
        budget: false alarms an hour that it aims at.
        source: `simulator`, or `captures` where the instrument's flow counted.
        hours: of that flow.
        alarms: cues in that flow at the threshold.
        bound: false alarms an hour that the flow excludes with 95 %; None without flow.
    """

    threshold: float
    budget: float
    source: str
    hours: float = 0.0
    alarms: int = 0
    bound: float | None = None


def kept(ts: I64, side: I64, passes: np.ndarray) -> I64:
    """Rows that become cues: those that pass, none within `SUPPRESSED_NS` after one of its side; by time."""
    last = {1: -SUPPRESSED_NS, -1: -SUPPRESSED_NS}
    rows = list[int]()
    for row in np.flatnonzero(passes).tolist():
        if ts[row] - last[int(side[row])] >= SUPPRESSED_NS:
            last[int(side[row])] = int(ts[row])
            rows.append(row)
    return np.array(rows, np.int64)


def threshold_for(ts: I64, side: I64, scores: F64, allowed: int) -> float:
    """The least threshold at which at most so many cues remain."""
    levels = np.unique(scores)
    low = 0
    high = len(levels)
    while low < high:
        middle = (low + high) // 2
        if len(kept(ts, side, scores >= levels[middle])) <= allowed:
            high = middle
        else:
            low = middle + 1
    if low == 0:
        return float(levels[0]) if len(levels) else 1 - EDGE
    refused = _logit(float(levels[low - 1]))
    # between the last score that must not pass and the first that may
    return _inverse((refused + _logit(float(levels[low]))) / 2 if low < len(levels) else refused + MARGIN)


def calibrated(ts: I64, side: I64, scores: F64, hours: float, budget: float, simulated: float) -> Calibration:
    """The calibration that unlabelled flow supports.

    Args:
        ts: of its clusters, ns UTC.
        side: of its clusters.
        scores: of its clusters.
        hours: over which clusters could be found.
        budget: false alarms an hour.
        simulated: the simulator's threshold.
    """
    if hours <= 0:
        return Calibration(simulated, budget, "simulator")
    own = threshold_for(ts, side, scores, int(budget * hours))
    weight = min(hours / WHOLE_HOURS, 1.0)
    drawn = _inverse(weight * _logit(own) + (1 - weight) * _logit(simulated))
    # minutes cannot show that a lower threshold is enough, but they can show that one is too low
    least = threshold_for(ts, side, scores, most_alarms(budget * hours))
    threshold = max(drawn, least)
    alarms = len(kept(ts, side, scores >= threshold))
    return Calibration(threshold, budget, "captures", hours, alarms, poisson_bound(alarms) / hours)


def most_alarms(mean: float, share: float = 0.95) -> int:
    """The largest count that a Poisson variable of a mean does not exceed with that probability."""
    from scipy.stats import poisson

    return int(poisson.ppf(share, mean))


def poisson_bound(count: int, share: float = 0.95) -> float:
    """The least mean of a Poisson variable that a count excludes, one-sided (exact, Garwood 1936)."""
    return poisson_interval(count, 2 * share - 1)[1]


def poisson_interval(count: int, share: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a Poisson mean (Garwood 1936)."""
    from scipy.stats import chi2

    outside = (1 - share) / 2
    low = float(chi2.ppf(outside, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(1 - outside, 2 * (count + 1))) / 2


def _logit(p: float) -> float:
    p = min(max(p, EDGE), 1 - EDGE)
    return log(p / (1 - p))


def _inverse(x: float) -> float:
    return 1 / (1 + exp(-x))
