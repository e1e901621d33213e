"""What a process waits for before it works: loading the definitions, against importing Dagster alone."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

RUNS = 7
LOADING = "from pipelines.definitions import defs; defs()"


def measure(runs: int = RUNS) -> dict[str, float]:
    """Seconds of a whole process that imports, medians over interleaved runs."""
    with TemporaryDirectory() as folder:
        environment = os.environ | {"LOBFORGE_DATA_ROOT": folder}
        command = Path(sys.executable).with_name("lobforge")
        subprocess.run([command, "init"], env=environment, check=True, capture_output=True)
        contenders = {"import dagster": "import dagster", "load the definitions": LOADING}
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for run in range(runs + 1):
            for name, code in contenders.items():
                started = perf_counter()
                subprocess.run([sys.executable, "-c", code], env=environment, check=True)
                if run:
                    times[name].append(perf_counter() - started)
    return {name: median(taken) for name, taken in times.items()}
