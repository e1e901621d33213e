"""How long one decision takes, measured with the stored model.

Here: the time of one feature row and one prediction.
Not here: what it may be (`ml.evaluation.gates`).
"""

from time import perf_counter_ns

import numpy as np

from ml.features.online import OnlineFeatures
from ml.features.sets import feature_set
from ml.instruments import Instrument
from ml.models.lightgbm import DirectionModel

WARM_UP, MEASURED, ROUNDS = 50, 1_000, 3


def p99_ms(model: DirectionModel, samples: np.ndarray, instrument: Instrument) -> float:
    """The 99th percentile of decision times in ms, the best of three rounds: a neighbour's work is not the model's."""
    return min(float(np.quantile(decision_times(model, samples, instrument), 0.99)) for _ in range(ROUNDS))


def decision_times(model: DirectionModel, samples: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Milliseconds, f64, of feature row plus prediction for the last samples of an array i64 (n, columns), in order."""
    online, positions = OnlineFeatures(instrument), feature_set(model.card.feature_set).positions
    times: list[int] = []
    first = max(len(samples) - WARM_UP - MEASURED, 0)
    for i in range(first, first + WARM_UP + MEASURED):
        started = perf_counter_ns()
        online.compute(samples, i % len(samples))
        model.directions(model.probabilities(online.values[None, positions]))
        times.append(perf_counter_ns() - started)
    return np.array(times[WARM_UP:]) / 1e6
