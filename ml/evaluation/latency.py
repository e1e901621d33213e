"""How long one decision takes, measured with the stored model.

Here: the time of one feature row and one prediction.
Not here: what it may be (`ml.evaluation.gates`).
"""

from time import perf_counter_ns

import numpy as np

from ml.features.online import OnlineFeatures
from ml.instruments import Instrument
from ml.models.lightgbm import DirectionModel

WARM_UP, MEASURED, ROUNDS = 50, 1_000, 3


def p99_ms(model: DirectionModel, samples: np.ndarray, instrument: Instrument) -> float:
    """The 99th percentile of decision times in ms, the best of three rounds: a neighbour's work is not the model's."""
    return min(float(np.quantile(decision_times(model, samples, instrument), 0.99)) for _ in range(ROUNDS))


def decision_times(model: DirectionModel, samples: np.ndarray, instrument: Instrument) -> np.ndarray:
    """Milliseconds, f64, of feature row plus prediction for the last samples of an array i64 (n, columns)."""
    online = OnlineFeatures(instrument)
    times: list[int] = []
    last = len(samples) - 1
    for k in range(WARM_UP + MEASURED):
        started = perf_counter_ns()
        online.compute(samples, last - k % min(last + 1, MEASURED))
        model.directions(model.probabilities(online.values[None, :]))
        times.append(perf_counter_ns() - started)
    return np.array(times[WARM_UP:]) / 1e6
