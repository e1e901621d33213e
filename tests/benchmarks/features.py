"""All features of a day of samples: the compiled row against the slow one, and how long the newest row takes live.

Also how long it takes from there until another program has read it.

The slow row is the tests' oracle, one row at a time over its window, as a research notebook would do it.
"""

from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic_ns, perf_counter, perf_counter_ns, sleep

import numpy as np

from ml.core.errors import DatasetError, StoreError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.feature_store.latest import NewestWriter, newest
from ml.features.tick.build import build
from ml.features.tick.online import OnlineFeatures
from ml.features.tick.row import feature_rows
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import empty_windows, forget
from ml.market.book import layout
from tests.oracles import feature_row
from tests.support.samples import random_samples

ROWS = 86_400
SLOW_ROWS = 40
RUNS = 7
PAIR = Instrument("sim.PAIR", price_decimals=0, size_decimals=0, tick=1, lot=1)
READ_P50 = "newest row computed to read by another program, p50"
READ_P99 = "the same, p99"
PROMISED = "ten milliseconds"
COMPILED = "compiled row, 110 features"
SLOW = "slow row, 110 features"


def measure(rows: int = ROWS, runs: int = RUNS) -> dict[str, float]:
    """Rows per second of both, one core, all with an hour to look back on."""
    samples = random_samples(rows + layout.TAIL, 1)
    values = np.empty((rows, len(FEATURES)))
    reasons = np.empty((rows, len(FAMILIES)), np.uint8)
    codes = np.zeros(len(FEATURES), np.uint8)
    windows = empty_windows(len(samples))
    times: dict[str, list[float]] = {COMPILED: [], SLOW: []}
    for run in range(runs + 1):
        forget(windows)
        started = perf_counter()
        feature_rows(windows, samples, layout.TAIL, 1, 60 * SECOND, codes, values, reasons)
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
    online = OnlineFeatures(PAIR)
    taken = []
    online.compute(samples, layout.TAIL - 1)
    for i in range(layout.TAIL, len(samples)):
        started = perf_counter_ns()
        online.compute(samples, i)
        taken.append((perf_counter_ns() - started) / 1e9)
    assert online.values.tolist() == list(batch.row(-1)[1 : 1 + len(FEATURES)])
    p50, p99 = np.quantile(taken, [0.5, 0.99]).tolist()
    return {"newest row, p50": p50, "newest row, p99": p99, "fifty newest rows": _fifty(samples)}


def measure_read(rows: int = 1_000, pause: float = 0.005) -> dict[str, float]:
    """Seconds from a row computed in one program until another has read it; the reader looks once a millisecond."""
    with TemporaryDirectory() as folder:
        root = DataRoot(Path(folder))
        context = get_context("spawn")
        writer = context.Process(target=_write, args=(folder, rows, pause))
        writer.start()
        taken = list[float]()
        last = 0
        while last < rows:
            try:
                row = newest(root, PAIR.id)
            except (DatasetError, StoreError):  # nothing was written yet
                sleep(0.001)
                continue
            if row.ts != last:
                # the stamp is of the clock that both programs share
                taken.append((monotonic_ns() - row.recv_ts) / 1e9)
                last = row.ts
            sleep(0.001)
        writer.join()
    p50, p99 = np.quantile(taken, [0.5, 0.99]).tolist()
    assert len(taken) > rows / 2, f"{len(taken)} of {rows} rows were seen"
    return {READ_P50: p50, READ_P99: p99, PROMISED: 0.010}


def _write(folder: str, rows: int, pause: float) -> None:
    """The other program: rows 1, 2, ... with the moment at which each was computed."""
    samples = random_samples(layout.TAIL, 1)
    online = OnlineFeatures(PAIR)
    names = [feature.id for feature in FEATURES]
    writer = NewestWriter(DataRoot(Path(folder)), PAIR.id, ("base_110", ""), names, FAMILIES)
    online.compute(samples, layout.TAIL - 1)
    for k in range(1, rows + 1):
        writer.put(k, monotonic_ns(), online.values, online.reasons)
        sleep(pause)


def _fifty(samples: np.ndarray) -> float:
    """One second of fifty instruments; median."""
    every = [OnlineFeatures(PAIR) for _ in range(50)]
    taken = []
    for i in range(layout.TAIL, layout.TAIL + 50):
        started = perf_counter()
        for online in every:
            online.compute(samples, i)
        taken.append(perf_counter() - started)
    return float(np.median(taken[1:]))
