"""How long one decision takes, measured with the stored model.

Here: the time of one feature row and one prediction.
Not here: what it may be (`ml.evaluation.gates`).

What counts is the processor time of the deciding thread, which other processes do not use up. Being interrupted costs
some of it too, because the caches must be filled again: each decision is therefore timed several times and the least
counts. The time on the clock is measured beside it, because that is what a user of the model waits for.
"""

from time import perf_counter_ns, thread_time_ns
from typing import NamedTuple

import numpy as np

from ml.core.instruments import Instrument
from ml.features.sets import ALL, feature_set
from ml.features.tick.online import OnlineFeatures
from ml.learning.models.trained import TrainedModel

WARM_UP = 50
MEASURED = 1_000
ROUNDS = 3


class Latency(NamedTuple):
    """99th percentiles of the time of one decision, in ms: of the processor, and on the clock of this machine."""

    processor_ms: float
    wall_ms: float


def measure(model: TrainedModel, samples: np.ndarray, instrument: Instrument) -> Latency:
    """Time the same decisions in three rounds: of the processor's times the least counts, of the clock's all do."""
    rounds = np.array([decision_times(model, samples, instrument) for _ in range(ROUNDS)])
    processor = rounds[:, :, 0].min(axis=0)
    wall = rounds[:, :, 1]
    return Latency(float(np.quantile(processor, 0.99)), float(np.quantile(wall, 0.99)))


def decision_times(model: TrainedModel, samples: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Milliseconds f64 (n, 2), processor and wall, of feature row plus prediction.

    The decisions are those of the last samples of an array i64 (n, columns), in order.
    """
    online = OnlineFeatures(instrument)
    positions = feature_set(model.card.feature_set).positions
    row = np.zeros(len(ALL))  # what attribution adds takes its time with the frames, not with the decision
    times: list[tuple[int, int]] = []
    first = max(len(samples) - WARM_UP - MEASURED, 0)
    for i in range(first, first + WARM_UP + MEASURED):
        wall = perf_counter_ns()
        processor = thread_time_ns()
        online.compute(samples, i % len(samples))
        row[: len(online.values)] = online.values
        model.directions(model.probabilities(row[None, positions]))
        times.append((thread_time_ns() - processor, perf_counter_ns() - wall))
    return np.array(times[WARM_UP:]) / 1e6
