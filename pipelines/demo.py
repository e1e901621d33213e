"""The whole graph on a simulated market, or on a user's captures.

Here: preparing the data root, running the two jobs, and collecting what they found.
Not here: printing it (`pipelines.report`), the assets.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from ml.core import kernel_cache, settings
from ml.core.config import Config
from ml.core.paths import DEFAULT_EXPERIMENT, FEATURE_GROUP, DataRoot
from ml.learning import experiment
from ml.storage.commit import read
from ml.storage.durable import write_text
from pipelines.setup import initialise, opened

START = datetime(2025, 3, 3, 18, tzinfo=UTC)
HOURS = 12
ALPHA = 0.25
SEED = 7
OUTAGE_AT = 5 * 3600 + 17 * 60 + 12.5
OUTAGE_SECONDS = 8.0


@dataclass(frozen=True)
class Demo:
    """What the demo runs on: captures of the user's, or a simulated market of some hours, strength and seed."""

    captures: Path | None = None
    alpha: float = ALPHA
    seed: int = SEED
    hours: float = HOURS

    def root(self) -> DataRoot:
        """The data root: the usual one for the default market, one of its own for everything else."""
        base = settings.load().data_root
        if self == Demo():
            return DataRoot(base)
        if self.captures is None:
            return DataRoot(base / "variants" / f"alpha{self.alpha:g}-seed{self.seed}-{self.hours:g}h")
        where = str(self.captures.resolve())
        return DataRoot(base / "variants" / f"{self.captures.name}-{sha256(where.encode()).hexdigest()[:8]}")


@contextmanager
def compiling(say: Any) -> Generator[None]:
    """Where nothing is compiled yet, a second process compiles for later steps while the first ones run."""
    notice = kernel_cache.notice()
    if notice:
        say(notice)
    if not notice or kernel_cache.folder() is None:
        yield
        return
    with subprocess.Popen([sys.executable, "-m", "live.precompile"]) as process:
        try:
            yield
        finally:
            process.terminate()


def prepare(demo: Demo, say: Any) -> tuple[DataRoot, list[str]]:
    """Create the data root with its configuration and captures; returns it and the partition keys to run.

    Raises:
        CaptureError: the user's directory holds nothing to read.
    """
    root = demo.root()
    config, keys = _recorded(root, demo.captures) if demo.captures else _simulated(root, demo, say)
    for line in initialise(root, config):
        say(line)
    return root, keys


def run(root: DataRoot, keys: list[str], say: Any) -> dict[str, Any]:
    """Run both jobs, one partition after the other, then the rest; returns the report of `tests/schemas/demo.json`."""
    from pipelines.definitions import build_defs
    from pipelines.progress import watch

    started = perf_counter()
    defs = build_defs(root)
    with opened(root) as instance:
        for number, key in enumerate(keys, start=1):
            say(f"ingest {key} ({number} of {len(keys)})")
            watch(defs.resolve_job_def("ingest"), instance, partition_key=key)
        names = list(experiment.load(root))
        for name in names:
            say("learn" if name == DEFAULT_EXPERIMENT else f"learn {name}")
            watch(defs.resolve_job_def("learn"), instance, partition_key=name)
        assets = sorted(key.to_user_string() for key in instance.all_asset_keys())
    replay = _live(root, say)
    others = {"experiments": {name: _learned(root, name) for name in names}} if len(names) > 1 else {}
    return (
        _report(root, keys)
        | others
        | {
            "parity": replay["parity"],
            "live": replay,
            "assets": assets,
            "wall_s": round(perf_counter() - started, 1),
        }
    )


def default_config() -> Config:
    """The configuration of the default simulated market."""
    from ml.simulation.instrument import INSTRUMENT

    return Config(Path("captures") / "sim", START.date(), _last_date(HOURS * 3600), (INSTRUMENT,))


def _last_date(seconds: float) -> date:
    return datetime.fromtimestamp(START.timestamp() + seconds - 1, UTC).date()


def _simulated(root: DataRoot, demo: Demo, say: Any) -> tuple[Config, list[str]]:
    from ml.simulation.instrument import INSTRUMENT
    from ml.simulation.plants import Alpha
    from ml.simulation.publish import Outage, frames, write_captures
    from ml.simulation.venue import Market, simulate

    start_ns = int(START.timestamp()) * 10**9
    seconds = int(demo.hours * 3600)
    folder = root.captures / "sim"
    market = {"alpha": demo.alpha, "seed": demo.seed, "seconds": seconds}
    done = folder / "market.json"
    if not done.exists() or json.loads(done.read_text()) != market:
        say(f"simulate {demo.hours:g} h of {INSTRUMENT.id}, information coefficient {demo.alpha:g}, seed {demo.seed}")
        history = simulate(Market(demo.seed, seconds, Alpha(demo.alpha)))
        outage = Outage(min(OUTAGE_AT, seconds / 2), OUTAGE_SECONDS)
        write_captures(folder, frames(history, start_ns, demo.seed, (outage,)))
        write_text(done, json.dumps(market))
    config = Config(Path("captures") / "sim", START.date(), _last_date(seconds), (INSTRUMENT,))
    return config, [f"{day}|{INSTRUMENT.id}" for day in config.between(start_ns, start_ns + (seconds - 1) * 10**9)]


def _recorded(root: DataRoot, folder: Path) -> tuple[Config, list[str]]:
    from ml.market.days.infer_instrument import infer_instrument
    from ml.market.files import captures, index
    from ml.market.files.capture_sequence import link

    chain = link(captures.find(folder), partial(index.load, root))
    instruments = tuple(infer_instrument(chain, name) for name in chain.instruments())
    spans = {name: [s for _, i in chain.files if (s := i.instruments.get(name))] for name in chain.instruments()}
    first = min(s.first_event for found in spans.values() for s in found if s.first_event)
    last = max(s.last_event for found in spans.values() for s in found)
    days = [datetime.fromtimestamp(ts // 10**9, UTC).date() for ts in (first, last)]
    config = Config(folder.resolve(), days[0], days[1], instruments)
    keys = [
        f"{day}|{name}"
        for name, found in spans.items()
        for day in config.between(min(s.first_event for s in found if s.first_event), max(s.last_event for s in found))
    ]
    return config, sorted(keys)


def _live(root: DataRoot, say: Any) -> dict[str, Any]:
    """The live runner as a process of its own, over the same captures."""
    from ml.core import config

    say("live replay")
    command = [sys.executable, "-m", "cli", "live", "--replay", str(config.load(root).captures), "--json", "--summary"]
    finished = subprocess.run(
        command, env=os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}, capture_output=True, text=True, check=False
    )
    try:
        return json.loads(finished.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError) as error:
        raise RuntimeError(f"the live runner failed: {finished.stderr}") from error


def _report(root: DataRoot, keys: list[str]) -> dict[str, Any]:
    return {
        **_learned(root, DEFAULT_EXPERIMENT),
        "partitions": [_partition(root, key) for key in keys],
        "label_coverage": {k: v for key in keys for k, v in _coverage(root, key).items()},
        "gaps": [gap for key in keys for gap in _gaps(root, key)],
    }


def _learned(root: DataRoot, name: str) -> dict[str, Any]:
    """What an experiment ended in: the decision with its evidence."""
    from ml.learning.walk_forward import fold_scores
    from ml.promotion.registry import Registry

    decision = json.loads(root.document("promotion_decision", name).read_text())
    predictions = read(root.whole("fold_predictions", name)).collect()
    return {
        "decision": decision["decision"],
        "candidate": decision["candidate"],
        "champion": Registry(root, name).champion(),
        "record": decision["hash"],
        "gates": decision["gates"],
        "canaries": decision["canaries"],
        "folds": fold_scores(predictions).to_dicts(),
        "figures": json.loads(root.document("backtest_report", name).read_text())["figures"],
    }


def _partition(root: DataRoot, key: str) -> dict[str, Any]:
    date_, _, instrument = key.partition("|")
    rows = {
        name: read(root.partition(name, date_, instrument)).select(pl.len()).collect().item()
        for name in ("raw_frames", "book_events", "trades", "book_samples", FEATURE_GROUP)
    }
    return {"partition": key, "rows": rows}


def _coverage(root: DataRoot, key: str) -> dict[str, float]:
    from ml.labels.future import coverage

    date_, _, instrument = key.partition("|")
    labels = read(root.partition("future_labels", date_, instrument)).collect()
    return {f"{key} {horizon}": round(share, 6) for horizon, share in coverage(labels).items()}


def _gaps(root: DataRoot, key: str) -> Iterator[dict[str, Any]]:
    """What lies between the valid intervals of a partition."""
    date_, _, instrument = key.partition("|")
    rows = read(root.partition("validity", date_, instrument)).collect().to_dicts()
    for position, row in enumerate(rows):
        if row["end_reason"] not in (None, "capture_end"):
            following = rows[position + 1]["start_ts"] if position + 1 < len(rows) else None
            yield {
                "instrument": instrument,
                "from_id": row["from_id"],
                "to_id": row["to_id"],
                "start": row["end_ts"],
                "end": following,
                "reason": row["end_reason"],
            }
