"""A year of an instrument as a panel, and a model trained on it: peak memory and time, each step a process of its own.

Days are made up and alike. Each holds its rows at the row spacing alone, but for the first one, which holds all of its
seconds, as stored days do. `python -m tests.benchmarks.panel 30` measures fewer days.
"""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.core.time import SECOND, bounds
from ml.features.sets import WHOLE
from ml.learning import dataset
from ml.learning.dataset import Selection
from ml.learning.experiment import Experiment
from ml.learning.models.lightgbm import LightGBM, Options
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish
from ml.storage.parquet import Stored
from tests.benchmarks.memory import peak_gb

DAYS = 365
STREAMED_DAYS = 20
DAY_SECONDS = 86_400
FIRST = date(2024, 1, 1)
HORIZON = 10
LIMIT = "four gigabytes"


def measure(days: int = DAYS) -> dict[str, float]:
    """Peak GB and seconds of making the panel and of training on it, for both feature sets; then a panel at 1 s."""
    found: dict[str, float] = {LIMIT: 4.0}
    for features in ("base_35", "base_110"):
        found |= _steps(Experiment("year", features, row_spacing=10, window_days=None), days, ("panel", "train"))
    streamed = Experiment("year", "base_110", window_days=None)
    return found | _steps(streamed, min(days, STREAMED_DAYS), ("panel", "train"))


def title(step: str, experiment: Experiment, days: int) -> str:
    """What a step is called on the page."""
    return f"{step}, {experiment.features} at {experiment.row_spacing} s, {days} days"


def _steps(experiment: Experiment, days: int, steps: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    with TemporaryDirectory(dir=os.environ.get("LOBFORGE_BENCH_DIR")) as folder:
        write_days(DataRoot(Path(folder)), experiment.row_spacing, days)
        for step in steps:
            given = json.dumps([folder, step, experiment.features, experiment.row_spacing])
            command = [sys.executable, "-m", "tests.benchmarks.panel", given]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peak, seconds = json.loads(done.stdout.splitlines()[-1])
            found |= {
                f"{title(step, experiment, days)}: peak GB": peak,
                f"{title(step, experiment, days)}: seconds": seconds,
            }
    return found


def write_days(root: DataRoot, row_spacing: int, days: int) -> None:
    """Stored training features of days in a row."""
    rng = np.random.default_rng(1)
    values = {name: rng.normal(size=4_096).astype(np.float32).astype(np.float64) for name in WHOLE.columns}
    for number in range(days):
        day = (FIRST + timedelta(number)).isoformat()
        ts = np.arange(bounds(day)[0], bounds(day)[1], SECOND * (row_spacing if number else 1)) + SECOND
        pick = rng.integers(0, 4_096, len(ts))
        movement = 1e-4 * (0.3 * values["ofi_1_5s"][pick] + rng.normal(size=len(ts)))
        frame = pl.DataFrame(
            {"instrument": pl.Series([INSTRUMENT.id]).new_from_index(0, len(ts)), "ts": ts}
            | {name: one[(pick + k) % 4_096] for k, (name, one) in enumerate(values.items())}
            | {"half_spread": np.full(len(ts), 1e-6), f"movement_{HORIZON}s": movement}
            | {f"sigma_{HORIZON}s": np.full(len(ts), 1e-4), f"label_end_{HORIZON}s": ts + HORIZON * SECOND}
        )
        publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, day, INSTRUMENT.id), frame, "")


def take(root: DataRoot, step: str, experiment: Experiment) -> None:
    """One step of what the assets do."""
    path = root.whole("dataset_panel", experiment.name)
    if step == "panel":
        configuration = Config(root.captures, FIRST, None, (INSTRUMENT,))
        sources = Selection.of(experiment).sources(root)
        spec = dataset.fit_spec(root, sources, experiment)
        publish(root, "dataset_panel", path, dataset.panel(root, configuration, sources, spec, experiment), "")
        return
    rows = dataset.rows_of(Stored(path), root)
    LightGBM().fit(rows, np.arange(len(rows.start)), Options(num_leaves=5, rounds=20))


def _main(given: str) -> None:
    folder, step, features, row_spacing = json.loads(given)
    experiment = Experiment("year", features, row_spacing=row_spacing, window_days=None)
    started = perf_counter()
    take(DataRoot(Path(folder)), step, experiment)
    print(json.dumps([peak_gb(), perf_counter() - started]))


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        print("\n".join(f"{name}: {value:.2f}" for name, value in measure(int(sys.argv[1])).items()))
    else:
        _main(sys.argv[1])
