"""What tests play: simulated captures, hand-written frames, and running assets on a data root."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import numpy as np

from ml.core.config import Config, render
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.market.book.feed import Feed
from ml.market.days.infer_instrument import infer_instrument
from ml.market.files.capture_sequence import CaptureSequence, link
from ml.market.files.index import scan
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import Outage, frames, write_captures
from ml.simulation.venue import Market, simulate
from ml.storage.durable import write_text

START = datetime(2025, 3, 3, 21, 30, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
SECONDS = 190 * 60
OUTAGE = Outage(130 * 60 + 10, 5)
USDM = "binance-usdm.BTCUSDT"


def simulated_captures(folder: Path, outages: tuple[Outage, ...] = (OUTAGE,), seed: int = 11) -> Path:
    """Write the captures of a simulated market and return their folder."""
    history = simulate(Market(seed, SECONDS, Alpha(0.25)))
    write_captures(folder, frames(history, START_NS, seed, outages))
    return folder


def chain_of(*paths: Path) -> CaptureSequence:
    """A chain of files, or of all files in a folder."""
    files = [p for path in paths for p in (sorted(path.iterdir()) if path.is_dir() else [path])]
    return link(files, lambda path: scan(path)[0])


def recorded_samples(market: Path, symbol: str) -> tuple[np.ndarray, Instrument]:
    """Samples of the recorded frames of a symbol, and its instrument as inferred."""
    chain = chain_of(*sorted((market / "binance_raw").glob(f"*{symbol}*")))
    instrument = infer_instrument(chain, chain.instruments()[0])
    feed = Feed.of(instrument)
    for arrived in chain.frames(instrument.id):
        feed.offer(arrived.doc, arrived.frame.recv_ts)
    return feed.sampler.samples[: feed.sampler.released], instrument


def listing(*instruments: str) -> dg.DagsterInstance:
    """A Dagster instance of its own whose partitions are those of the instruments."""
    from assets.partitions import INSTRUMENTS

    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(str(INSTRUMENTS.name), instruments)
    return instance


def ingest(root: DataRoot, configuration: Config, dates: list[str]) -> None:
    """Materialize what the job `ingest` does, for the listed instruments and dates."""
    from pipelines import jobs
    from pipelines.definitions import assets, resources_of

    write_text(root.config, render(configuration))
    graph = list(dg.load_assets_from_package_module(assets))
    given = resources_of(root)
    with listing(*configuration.ids) as instance:
        for date in dates:
            for instrument_id in configuration.ids:
                key = dg.MultiPartitionKey({"date": date, "instrument": instrument_id})
                made = dg.materialize(
                    graph, selection=jobs.ingest.selection, partition_key=key, resources=given, instance=instance
                )
                assert made.success


INGEST = """
import sys
from pathlib import Path
from ml.core import config, settings
from ml.core.paths import DataRoot
from tests.support.scenario import ingest
root = DataRoot(settings.load().data_root)
ingest(root, config.load(root), sys.argv[1:])
"""


def ingest_elsewhere(root: DataRoot, configuration: Config, dates: list[str], threads: int = 2) -> None:
    """The same in a process of its own, which may list other instruments and dates than this one's definitions."""
    project = Path(__file__).parents[2]
    write_text(root.config, render(configuration))
    environment = os.environ | {
        "LOBFORGE_DATA_ROOT": str(root.root),
        "LOBFORGE_THREADS": str(threads),
        "POLARS_MAX_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONHASHSEED": str(threads),  # another order of sets than in this process
    }
    command = [sys.executable, "-c", INGEST, *dates]
    done = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]


def diff(u: int, pu: int, ts_ms: int, bids=(), asks=(), first: int | None = None, symbol: str = "BTCUSDT") -> dict:
    """A USD-M diff; levels are (price text, size text)."""
    data = {"e": "depthUpdate", "E": ts_ms, "T": ts_ms, "s": symbol, "U": first or pu + 1, "u": u, "pu": pu}
    data |= {"b": [list(level) for level in bids], "a": [list(level) for level in asks]}
    return {"stream": f"{symbol.lower()}@depth", "data": data}


def trade(
    number: int, ts_ms: int, price: str = "100.0", size: str = "1.000", maker: bool = False, kind: str = "MARKET"
) -> dict:
    """A USD-M print."""
    data = {
        "e": "trade",
        "E": ts_ms,
        "T": ts_ms,
        "s": "BTCUSDT",
        "t": number,
        "p": price,
        "q": size,
        "X": kind,
        "m": maker,
    }
    return {"stream": "btcusdt@trade", "data": data}


def snapshot(last: int, ts_ms: int, bids=(("99.0", "1.000"),), asks=(("101.0", "1.000"),)) -> dict:
    """A REST depth snapshot."""
    return {
        "lastUpdateId": last,
        "E": ts_ms,
        "T": ts_ms,
        "bids": [list(b) for b in bids],
        "asks": [list(a) for a in asks],
    }


def capture(path: Path, docs, start_ms: int = 1_741_000_000_000, step_ms: int = 100) -> Path:
    """Write frames as a capture file, one every `step_ms`; bytes are written as they are."""
    lines = []
    for k, doc in enumerate(docs):
        lines.append(
            doc if isinstance(doc, bytes) else f"{(start_ms + k * step_ms) * 10**6} {json.dumps(doc)}\n".encode()
        )
    path.write_bytes(b"".join(lines))
    return path


__all__ = [
    "INSTRUMENT",
    "OUTAGE",
    "START_NS",
    "USDM",
    "capture",
    "chain_of",
    "diff",
    "ingest",
    "ingest_elsewhere",
    "listing",
    "simulated_captures",
    "snapshot",
    "trade",
]
