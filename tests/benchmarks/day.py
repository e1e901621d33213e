"""A whole day of BTCUSDT from raw .gz to features and labels: the recorded minutes one after the other for 24 h.

Every copy goes on where the one before it ended, in times and in ids, and brings its snapshot. The steps are those of
the assets, and tables are stored as assets store them; each measurement is a process of its own, so that the memory is
the day's own. One copy alone goes first, so that everything is compiled.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from datetime import date as day
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import dagster as dg
import numpy as np

from ml.core import config, settings
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import SECOND, date_of
from ml.market.days.infer_instrument import infer_instrument
from ml.market.files import index
from ml.market.files.capture_sequence import link
from ml.storage.durable import write_text
from tests.benchmarks.memory import peak_gb
from tests.benchmarks.stream import COPY_NS
from tests.support.scenario import listing

DECODED = ("book_events", "trades", "validity", "trade_validity", "quarantine")
FROM = {
    "from .gz": ["raw_frames", *DECODED, "book_samples", "features", "future_labels"],
    "from parquet": ["book_samples", "features", "future_labels"],
}
INSTRUMENT = "binance-usdm.BTCUSDT"
START = 1_721_347_200 * SECOND
"""2024-07-19 00:00 UTC; the first recorded event is moved to shortly after it."""
NUMBER = re.compile(rb'^(\d{19})|"(E|T|U|u|pu|t|lastUpdateId)":(\d+)')


def measure(market: Path, hours: float = 24.0) -> dict[str, float]:
    """Level updates; seconds, and peak memory in GB, from .gz and from stored events to features and labels."""
    with TemporaryDirectory() as folder:
        capture = Path(folder) / "captures" / "btcusdt.gz"
        root = DataRoot(Path(folder) / "data")
        date = day.fromisoformat(date_of(START))
        write_text(root.config, config.render(Config(capture.parent, date, date, (_listed(market),))))
        found: dict[str, float] = {}
        for copies in (1, round(hours * 3600 * SECOND / COPY_NS)):
            found["day, level updates"] = write(market, capture, copies)
            for name, assets in FROM.items():
                found |= _elsewhere(root, name, assets)
            found |= _direct(root, capture, Path(folder) / "made")
        return found


def _listed(market: Path) -> Instrument:
    chain = link(sorted((market / "binance_raw").glob("*btcusdt*")), lambda path: index.scan(path)[0])
    return infer_instrument(chain, INSTRUMENT)


def _elsewhere(root: DataRoot, name: str, assets: list[str]) -> dict[str, float]:
    """What a process of its own measures, with its modules compiled as an installation has them."""
    command = [sys.executable, "-m", "tests.benchmarks.day", name, *assets]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environment(root))
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _direct(root: DataRoot, capture: Path, to: Path) -> dict[str, float]:
    """`lobforge features make` from start to end; its files must hold the bytes that the assets have stored."""
    date = date_of(START)
    command = [sys.executable, "-m", "cli", "features", "make", capture, "--date", date, "--to", to]
    started = perf_counter()
    before = os.times()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, env=_environment(root))
    took = perf_counter() - started
    after = os.times()
    for table in ("features", "future_labels"):
        made = to / f"{table}_{INSTRUMENT}_{date}.parquet"
        assert made.read_bytes() == root.partition(table, date, INSTRUMENT).read_bytes(), table
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return {"day by features make, s": took, "day by features make, s of processor": processor}


def _environment(root: DataRoot) -> dict[str, str]:
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def write(market: Path, path: Path, copies: int) -> int:
    """Write the copies; returns the level updates in them, snapshots included."""
    paths = sorted((market / "binance_raw").glob("*btcusdt*"))
    text = b"".join(gzip.decompress(one.read_bytes()) for one in paths)
    parts, values, steps = _template(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", compresslevel=1) as sink:
        for k in range(copies):
            sink.write(parts % tuple((values + k * steps).tolist()))
    return copies * len(re.findall(rb'\["[\d.]+","[\d.]+"\]', text))


def _template(text: bytes) -> tuple[bytes, np.ndarray, np.ndarray]:
    """The text with a place for every time and id, their values in the first copy, and what the next copy adds."""
    kinds = list[bytes]()
    values = list[int]()

    def place(match: re.Match[bytes]) -> bytes:
        kinds.append(match[2] or b"recv")
        values.append(int(match[1] or match[3]))
        return b"%d" if match[1] else b'"' + match[2] + b'":%d'

    lines = [re.sub(NUMBER, place, line) for line in text.replace(b"%", b"%%").splitlines(keepends=True)]
    kind = np.array(kinds)
    value = np.array(values)
    first = value[kind == b"pu"][0]
    last = value[(kind == b"u")][-1]
    ids = {b"t": np.ptp(value[kind == b"t"]) + 1} | dict.fromkeys((b"u", b"U", b"pu", b"lastUpdateId"), last - first)
    units = {b"recv": 1, b"E": 10**6, b"T": 10**6}
    begin = int(value[kind == b"T"].min()) * 10**6
    moved = {name: (START - begin) // SECOND * SECOND // unit for name, unit in units.items()}
    ids |= {name: COPY_NS // unit for name, unit in units.items()}
    step = np.array([ids[name] for name in kinds])
    return b"".join(lines), value + np.array([moved.get(name, 0) for name in kinds]), step


def materialize(name: str, assets: list[str]) -> dict[str, float]:
    """Seconds of the steps and of all, processor time, and the peak memory, of assets as a user materializes them."""
    started = perf_counter()
    from pipelines.definitions import build_defs

    defs = build_defs(DataRoot(settings.load().data_root))
    graph = list(defs.assets)
    given = defs.resources
    key = dg.MultiPartitionKey({"date": date_of(START), "instrument": INSTRUMENT})
    with listing(INSTRUMENT) as instance:
        result = dg.materialize(graph, selection=assets, partition_key=key, resources=given, instance=instance)
    assert result.success
    steps = {
        f"day {name}: {event.step_key}, s": event.step_success_data.duration_ms / 1e3
        for event in result.all_events
        if event.event_type_value == "STEP_SUCCESS"
    }
    whole = {f"day {name}, s": perf_counter() - started, f"day {name}, s of processor": process_time()}
    return steps | whole | {f"day {name}, GB at most": peak_gb()}


if __name__ == "__main__":
    print(json.dumps(materialize(sys.argv[1], sys.argv[2:])))
