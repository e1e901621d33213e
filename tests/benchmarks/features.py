"""All features of a day of samples: the compiled row against the slow one, and how long the newest row takes live.

The slow row is the tests' oracle, one row at a time over its window, as a research notebook would do it.
"""

from time import perf_counter, perf_counter_ns

import numpy as np

from ml.features.build import build
from ml.features.online import OnlineFeatures
from ml.features.row import feature_rows
from ml.features.table import FAMILIES, FEATURES
from ml.features.windows import empty_windows, forget
from ml.instruments import Instrument
from ml.market import layout
from tests.oracles import feature_row
from tests.samples import random_samples

ROWS, SLOW_ROWS, RUNS = 86_400, 40, 7
PAIR = Instrument("sim.PAIR", price_decimals=0, size_decimals=0, tick=1, lot=1)
COMPILED, SLOW = "compiled row, 110 features", "slow row, 110 features"


def measure(rows: int = ROWS, runs: int = RUNS) -> dict[str, float]:
    """Rows per second of both, one core, all with an hour to look back on."""
    samples = random_samples(rows + layout.TAIL, 1)
    values, reasons = np.empty((rows, len(FEATURES))), np.empty((rows, len(FAMILIES)), np.uint8)
    codes, windows = np.zeros(len(FEATURES), np.uint8), empty_windows(len(samples))
    times: dict[str, list[float]] = {COMPILED: [], SLOW: []}
    for run in range(runs + 1):
        forget(windows)
        started = perf_counter()
        feature_rows(windows, samples, layout.TAIL, 1, codes, values, reasons)
        fast = (perf_counter() - started) / rows
        started = perf_counter()
        for i in range(layout.TAIL, layout.TAIL + SLOW_ROWS):
            feature_row.row(samples[i + 1 - layout.TAIL : i + 1], layout.TAIL - 1, 1)
        slow = (perf_counter() - started) / SLOW_ROWS
        if run:  # the first one compiles
            times[COMPILED].append(fast)
            times[SLOW].append(slow)
    assert np.isfinite(values).all()
    return {name: 1 / float(np.median(taken)) for name, taken in times.items()}


def measure_live(rows: int = 5_000) -> dict[str, float]:
    """Seconds for the newest row of one instrument and of fifty, as they come; 50th and 99th percentile."""
    samples = random_samples(layout.TAIL + rows, 1)
    batch = build(samples[layout.TAIL :], samples[: layout.TAIL], PAIR)
    online, taken = OnlineFeatures(PAIR), []
    online.compute(samples, layout.TAIL - 1)
    for i in range(layout.TAIL, len(samples)):
        started = perf_counter_ns()
        online.compute(samples, i)
        taken.append((perf_counter_ns() - started) / 1e9)
    assert online.values.tolist() == list(batch.row(-1)[1 : 1 + len(FEATURES)])
    p50, p99 = np.quantile(taken, [0.5, 0.99]).tolist()
    return {"newest row, p50": p50, "newest row, p99": p99, "fifty newest rows": _fifty(samples)}


def _fifty(samples: np.ndarray) -> float:
    """One second of fifty instruments; median."""
    every, taken = [OnlineFeatures(PAIR) for _ in range(50)], []
    for i in range(layout.TAIL, layout.TAIL + 50):
        started = perf_counter()
        for online in every:
            online.compute(samples, i)
        taken.append(perf_counter() - started)
    return float(np.median(taken[1:]))
