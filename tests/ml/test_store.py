"""The commit protocol: old or new, never broken."""

import os
import signal
import subprocess
import sys
import threading

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from ml import store
from ml.paths import DataRoot

OLD, NEW = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]}), pl.DataFrame({"ts": [3, 4, 5], "x": [1.0, 2.0, None]})
STEPS = ("staged", "synced", "verified", "renamed", "folder_synced", "listed")
WRITE = """
import sys, polars as pl
from pathlib import Path
from ml import store
from ml.paths import DataRoot
root = DataRoot(Path(sys.argv[1]))
frame = pl.DataFrame({"ts": [3, 4, 5], "x": [1.0, 2.0, None]})
store.publish(root, "features", root.partition("features", "2025-01-01", "sim.X"), frame, "v")
"""


def path(root):
    return root.partition("features", "2025-01-01", "sim.X")


def test_what_is_stored_reads_back_in_every_reader(root):
    """Polars, pyarrow and DuckDB read equal frames, and the tree holds parquet alone."""
    store.publish(root, "features", path(root), NEW, "v")
    assert_frame_equal(store.read(path(root)).collect(), NEW)
    assert_frame_equal(pl.from_arrow(pq.read_table(path(root))), NEW)
    with duckdb.connect() as connection:
        rows = connection.from_parquet(f"{root.table('features')}/**/*.parquet").select("ts, x").fetchall()
    assert rows == NEW.rows()
    assert {p.suffix for p in root.table("features").rglob("*") if p.is_file()} == {".parquet"}


def test_the_same_frame_gives_the_same_bytes(root):
    """No time, run or path goes into the file."""
    first = store.publish(root, "features", path(root), NEW, "one").sha256
    other = store.publish(DataRoot(root.root / "b"), "features", path(DataRoot(root.root / "b")), NEW, "two").sha256
    assert first == other


def test_the_manifest_tells_the_last_entry_of_a_path(root):
    """Replacing a file replaces its entry."""
    store.publish(root, "features", path(root), OLD, "v")
    entry = store.publish(root, "features", path(root), NEW, "v")
    assert store.manifest(root, "features") == {entry.path: entry}
    assert (entry.rows, entry.min_ts, entry.max_ts) == (3, 3, 5)
    assert entry.sha256 == store.sha256_file(path(root))


@pytest.mark.parametrize("existing", [False, True], ids=["create", "replace"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_old_or_new(root, step, existing):
    """SIGKILL at each named step: what is there reads whole, and one sweep makes manifest and tree agree."""
    if existing:
        store.publish(root, "features", path(root), OLD, "v")
    environment = os.environ | {"LOBFORGE_CRASH_AT": step}
    killed = subprocess.run([sys.executable, "-c", WRITE, str(root.root)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    found = store.read(path(root)).collect() if path(root).exists() else None
    assert found is None or found.equals(OLD) or found.equals(NEW)
    assert found is not None or not existing
    store.sweep(root, ["features"])
    listed = store.manifest(root, "features")
    assert set(listed) == {str(p.relative_to(root.root)) for p in root.table("features").rglob("*.parquet")}
    assert all(entry.sha256 == store.sha256_file(root.root / name) for name, entry in listed.items())
    assert store.sweep(root, ["features"]) == []


def test_an_unreadable_file_is_set_aside(root):
    """The sweep keeps the bytes, outside the tree."""
    store.publish(root, "features", path(root), OLD, "v")
    damaged = path(root).with_name("features_sim.Y.parquet")
    damaged.write_bytes(b"PAR1 nothing PAR1")
    done = store.sweep(root, ["features"])
    assert len(done) == 1
    assert "set aside" in done[0]
    assert (root.quarantine / "features" / damaged.name).read_bytes() == b"PAR1 nothing PAR1"


def test_a_flipped_bit_is_found(root):
    """Page checksums tell a damaged page when it is verified."""
    big = pl.DataFrame({"ts": range(50_000)})
    store.publish(root, "features", path(root), big, "v")
    data = bytearray(path(root).read_bytes())
    data[len(data) // 2] ^= 1
    path(root).write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path(root), page_checksum_verification=True)


def test_readers_never_see_a_part(root):
    """A reader in a loop beside a rewriting writer sees OLD or NEW each time."""
    store.publish(root, "features", path(root), OLD, "v")
    stop, seen = threading.Event(), []

    def read():
        while not stop.is_set():
            seen.append(store.read(path(root)).collect().height)

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(30):
        store.publish(root, "features", path(root), NEW if k % 2 else OLD, "v")
    stop.set()
    reader.join()
    assert set(seen) <= {2, 3}
    assert len(seen) > 5


def test_storing_the_same_again_touches_nothing(root):
    """A rebuilt partition with the same bytes leaves the file alone, so that readers need not notice."""
    first = store.publish(root, "features", path(root), NEW, "v")
    before = path(root).stat()
    assert store.publish(root, "features", path(root), NEW, "v") == first
    assert path(root).stat().st_ino == before.st_ino
    assert len(root.manifest("features").read_text().splitlines()) == 1


def test_a_torn_manifest_line_is_healed(root):
    """A line that a power cut tore is closed off, and the sweep lists its file again."""
    entry = store.publish(root, "features", path(root), OLD, "v")
    manifest = root.manifest("features")
    manifest.write_text(manifest.read_text()[:-20])
    assert store.manifest(root, "features") == {}
    store.sweep(root, ["features"])
    assert store.manifest(root, "features")[entry.path].sha256 == entry.sha256


def test_a_missing_table_says_what_to_do(root):
    """Reading what was never made is no stack trace from parquet."""
    with pytest.raises(store.StoreError, match="Materialize"):
        store.read(path(root))
