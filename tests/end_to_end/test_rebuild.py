"""The same partitions give the same bytes: twice, in other processes, in another order, with other threads."""

import os
import subprocess
import sys

import pytest

from ml import store
from ml.config import Config
from ml.paths import DataRoot
from tests.conftest import default_dates
from tests.scenario import INSTRUMENT, ingest

DAYS = ["2025-03-03", "2025-03-04"]
TABLES = (
    "raw_frames", "book_events", "trades", "validity", "quarantine", "book_samples", "features", "future_labels",
    "training_features",
)  # fmt: skip
INGEST = """
import sys
from pathlib import Path
from ml import config, settings
from ml.fingerprint import use_compiled
from ml.paths import DataRoot
from tests.conftest import PROJECT
from tests.scenario import ingest
use_compiled(PROJECT / ".numba_cache")
root = DataRoot(settings.load().data_root)
ingest(root, config.load(root), sys.argv[1:])
"""


def hashes(root: DataRoot) -> dict[str, str]:
    """Sha256 by relative path over all tables, from the files themselves."""
    return {
        str(path.relative_to(root.root)): store.sha256_file(path)
        for table in TABLES
        for path in sorted(root.table(table).rglob("*.parquet"))
    }


def in_another_process(root: DataRoot, captures, days: list[str], threads: int) -> None:
    from ml.config import render

    store.write_text(root.config, render(Config(captures, *default_dates(), (INSTRUMENT,))))
    environment = os.environ | {
        "LOBFORGE_DATA_ROOT": str(root.root),
        "LOBFORGE_THREADS": str(threads),
        "POLARS_MAX_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }
    done = subprocess.run([sys.executable, "-c", INGEST, *days], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]


@pytest.mark.parametrize(("days", "threads"), [(DAYS[::-1], 1), (DAYS, 2)])
def test_another_process_another_order_other_threads(ingested, simulated, tmp_path, days, threads):
    """Every file of every table equals the one that this process made, byte for byte."""
    root = DataRoot(tmp_path)
    in_another_process(root, simulated, days, threads)
    assert hashes(root) == hashes(ingested)
    assert len(hashes(root)) == len(TABLES) * len(DAYS)


def test_made_again_in_place(ingested, simulated):
    """Materializing a stored partition again changes no byte and no manifest line."""
    before, listed = hashes(ingested), {table: ingested.manifest(table).read_bytes() for table in TABLES}
    ingest(ingested, Config(simulated, *default_dates(), (INSTRUMENT,)), DAYS[1:])
    assert hashes(ingested) == before
    assert {table: ingested.manifest(table).read_bytes() for table in TABLES} == listed
