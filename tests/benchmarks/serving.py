"""Predictions over HTTP: requests a second of one core, beside FastAPI with pydantic and beside MLflow's server.

`python -m tests.benchmarks.serving` prints all of it. The same model answers everywhere: 201 trees of 31 leaves on the
110 features of a row. Server and client (`wrk`) have a core each where that is allowed. Ours is measured as it ships,
with host check, body limit, schema check, rate limit (raised) and metrics.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep

import numpy as np

from ml.core.config import render
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.features.sets import WHOLE
from ml.learning.experiment import DEFAULT
from ml.learning.models.lightgbm import LightGBM, Options
from ml.learning.models.trained import ModelCard, TrainedModel
from ml.learning.rows import Rows
from ml.promotion.registry import Registry
from ml.storage.durable import write_text
from pipelines.demo import default_config
from tests.benchmarks.peers import Unreachable

TRAINED_ON = 20_000
OPTIONS = Options(num_leaves=31, rounds=67, min_data_in_leaf=20, learning_rate=0.1)
SECONDS = 3
ROUNDS = 3
CALLS = 3_000
OURS = "lobforge serve, requests/s"
FASTAPI = "FastAPI + pydantic + Booster, requests/s"
MLFLOW = "mlflow models serve, requests/s"
COMPILED = "one row by compiled trees, rows/s"
BOOSTER = "one row by Booster.predict, rows/s"
PEER = """
import sys
import lightgbm, numpy as np, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

booster = lightgbm.Booster(model_file=sys.argv[1])
app = FastAPI()

class Row(BaseModel):
    features: list[float]

class Prediction(BaseModel):
    direction: int
    probabilities: list[float]

@app.post("/predict")
async def predict(row: Row) -> Prediction:
    p = booster.predict(np.array([row.features], np.float32), num_threads=1)[0]
    return Prediction(direction=int(p.argmax()), probabilities=p.tolist())

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
SAVE = """
import sys
import lightgbm, mlflow.lightgbm
mlflow.lightgbm.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])
"""
REPORT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = io.open("BODY"):read("*a")
done = function(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  print(string.format('{"rate": %f, "p50": %f, "p99": %f, "bad": %d}', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
"""


def measure() -> dict[str, float]:
    """Calls of the model in this process, then all servers in turn."""
    model = _model()
    found = _calls(model)
    if shutil.which("wrk") is None:
        raise Unreachable("wrk is missing: apt-get install wrk")
    row = np.random.default_rng(2).normal(size=len(WHOLE.columns)).tolist()
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        text = folder / "model.txt"
        text.write_text(model.model.booster.model_to_string())
        servers = {
            OURS: stack.enter_context(_ours(folder, model)),
            FASTAPI: stack.enter_context(_started("/predict", sys.executable, "-c", PEER, str(text))),
            MLFLOW: stack.enter_context(_mlflow(folder, text)),
        }
        bodies = {name: {"features": row} for name in servers} | {MLFLOW: {"inputs": [row]}}
        loads = {name: _Load(folder, port, path, bodies[name]) for name, (port, path) in servers.items()}
        runs = {name: [load.run(16)] for name, load in loads.items()}  # the first one warms up
        for _ in range(ROUNDS):
            for name, load in loads.items():
                runs[name].append(load.run(16))
        alone = [loads[OURS].run(1) for _ in range(ROUNDS)]
    found |= {name: median(run["rate"] for run in done[1:]) for name, done in runs.items()}
    for quantile in ("p50", "p99"):
        found[f"lobforge serve, 16 connections: {quantile}, ms"] = median(run[quantile] for run in runs[OURS][1:])
        found[f"lobforge serve, one connection: {quantile}, ms"] = median(run[quantile] for run in alone)
    return found


def _model() -> TrainedModel:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(TRAINED_ON, len(WHOLE.columns))).astype(np.float32)
    moved = features[:, :8].sum(axis=1) + rng.normal(0, 3, TRAINED_ON)
    direction = np.digitize(moved, np.quantile(moved, [1 / 3, 2 / 3])).astype(np.int8)
    ts = np.arange(TRAINED_ON) * SECOND
    none = np.zeros(TRAINED_ON)
    rows = Rows(features, WHOLE.columns, direction, ts, ts + 10 * SECOND, np.full(TRAINED_ON, "sim.X"), none)
    fitted = LightGBM().fit(rows, np.arange(TRAINED_ON), OPTIONS)
    columns = tuple(WHOLE.columns)
    about = (DEFAULT.name, "lightgbm", {}, columns, 10, WHOLE.name, WHOLE.hash, WHOLE.code_version, {}, "p", 5)
    return TrainedModel(fitted, ModelCard(*about, TRAINED_ON))


def _calls(model: TrainedModel) -> dict[str, float]:
    """Rows a second of one call per row, median of the calls in turn."""
    rows = np.random.default_rng(3).normal(size=(CALLS, len(WHOLE.columns)))
    booster, used = model.model.booster, list(model.model.used)
    model.probabilities(rows[:1])
    times: dict[str, list[float]] = {COMPILED: [], BOOSTER: []}
    for row in rows[:, None]:
        given = row[:, used].astype(np.float32)
        started = perf_counter()
        ours = model.probabilities(row)
        between = perf_counter()
        theirs = booster.predict(given, num_threads=1)
        times[BOOSTER].append(perf_counter() - between)
        times[COMPILED].append(between - started)
        assert (ours == theirs).all()
    return {name: 1 / median(taken) for name, taken in times.items()}


@contextmanager
def _ours(folder: Path, model: TrainedModel) -> Iterator[tuple[int, str]]:
    root = DataRoot(folder / "root")
    root.root.mkdir()
    write_text(root.config, render(default_config()))
    registry = Registry(root)
    model.save(root.model(model.id))
    registry.register(model.id, registry.log_run(root.model(model.id)))
    registry.promote("1", None, "bench", "the only one", override=True)
    command = str(Path(sys.executable).with_name("lobforge"))
    with _started(
        "/api/ml/predict", command, "serve", "--rate", "1e9", "--port", environment={"LOBFORGE_DATA_ROOT": root.root}
    ) as server:
        yield server


@contextmanager
def _mlflow(folder: Path, text: Path) -> Iterator[tuple[int, str]]:
    subprocess.run([sys.executable, "-c", SAVE, str(text), str(folder / "mlflow")], check=True, capture_output=True)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-m"]
    with _started("/invocations", *command, str(folder / "mlflow"), "--port") as server:
        yield server


@contextmanager
def _started(path: str, *command: str, environment: dict[str, object] | None = None) -> Iterator[tuple[int, str]]:
    """A server on a port of its own, which is the last argument, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = os.environ | {name: str(value) for name, value in (environment or {}).items()}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"  # MLflow starts uvicorn by name
    process = subprocess.Popen(
        [*_pinned(0), *command, str(port)],
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        end = monotonic() + 120
        while not _answers(port):
            assert monotonic() < end, f"{command[0]} did not start"
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            sleep(0.2)
        yield port, path
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/openapi.json")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


class _Load:
    """Requests of one body to one server."""

    def __init__(self, folder: Path, port: int, path: str, body: object) -> None:
        self.url = f"http://127.0.0.1:{port}{path}"
        sent = folder / f"{port}.json"
        sent.write_text(json.dumps(body))
        self.script = folder / f"{port}.lua"
        self.script.write_text(REPORT.replace("BODY", str(sent)))

    def run(self, connections: int) -> dict[str, float]:
        """Rate and latency quantiles (ms) over a few seconds; every answer must be a success."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}", "-s", str(self.script), self.url]
        done = subprocess.run([*_pinned(1), *command], check=True, capture_output=True, text=True)
        report = json.loads(done.stdout.strip().splitlines()[-1])
        assert not report["bad"], report
        return report


def _pinned(core: int) -> list[str]:
    """The start of a command that keeps to a core, where there are two and that is allowed."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core])] if len(cores) > 1 and shutil.which("taskset") else []


def main() -> None:
    """Print all figures."""
    for name, value in measure().items():
        print(f"{name}: {value:,.4g}")


if __name__ == "__main__":
    main()
