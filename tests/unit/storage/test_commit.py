"""The commit protocol: old or new, never broken."""

import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.storage import commit
from ml.storage.parquet import Parts, content_of
from ml.storage.repair import sweep
from tests.support.disk import STEPS

OLD = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]})
NEW = pl.DataFrame({"ts": [3, 4, 5], "x": [1.0, 2.0, None]})
BEGIN = """
import resource, sys, time, polars as pl
from pathlib import Path
from ml.storage import commit as store
from ml.core.errors import StoreError
from ml.core.paths import DataRoot
root = DataRoot(Path(sys.argv[1]))
path = root.partition("features", "2025-01-01", "sim.X")
frame = pl.DataFrame({"ts": [3, 4, 5], "x": [1.0, 2.0, None]})
"""
WRITE = (
    BEGIN
    + """
from tests.support.disk import kill_at
kill_at(sys.argv[2])
store.publish(root, "features", path, frame, "v")
"""
)
FILL = """
frame = frame.sample(100_000, with_replacement=True, seed=1).with_row_index()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    store.publish(root, "features", path, frame.head(int(sys.argv[3])), "v")
except StoreError as error:
    print(error)
"""
HOLD = BEGIN + 'with store.writer(root, "features"): print("held", flush=True); time.sleep(60)'


def path(root, instrument="sim.X"):
    return root.partition("features", "2025-01-01", instrument)


def elsewhere(root, code, *arguments):
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, str(root.root), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files(root):
    """Every file below the data root but locks."""
    return {p.relative_to(root.root).as_posix() for p in root.root.rglob("*") if p.is_file() and p.suffix != ".lock"}


def agree(root):
    """Whether manifest and tree say the same."""
    entries = commit.manifest(root, "features")
    assert set(entries) == {p.relative_to(root.root).as_posix() for p in root.table("features").rglob("*.parquet")}
    for name, entry in entries.items():
        standing = root.root / name
        assert entry == commit.entry_of(root, standing, standing, content_of(standing), entry.code_version)


@pytest.mark.promise("B4")
def test_what_is_stored_reads_back_in_every_reader(root):
    """Polars, pyarrow, pandas and DuckDB read equal frames by file, folder and glob; the tree holds parquet alone."""
    commit.publish(root, "features", path(root), NEW, "v")
    tree = root.table("features")
    assert_frame_equal(commit.read(path(root)).collect(), NEW)
    assert_frame_equal(pl.scan_parquet(tree).select("ts", "x").collect(), NEW)
    assert_frame_equal(pl.from_arrow(pq.read_table(path(root))), NEW)
    assert_frame_equal(pl.from_arrow(pq.read_table(tree, columns=["ts", "x"])), NEW)
    assert_frame_equal(pl.from_pandas(pd.read_parquet(tree)[["ts", "x"]]), NEW)
    with duckdb.connect() as connection:
        rows = connection.from_parquet(f"{tree}/**/*.parquet").select("ts, x").fetchall()
    assert rows == NEW.rows()
    assert {p.suffix for p in tree.rglob("*") if p.is_file()} == {".parquet"}


def test_the_same_frame_gives_the_same_bytes(root):
    """No time, run or path goes into the file."""
    other = DataRoot(root.root / "b")
    first = commit.publish(root, "features", path(root), NEW, "one").sha256
    assert first == commit.publish(other, "features", path(other), NEW, "two").sha256


def test_the_manifest_tells_the_last_entry_of_a_path(root):
    """Replacing a file replaces its entry."""
    commit.publish(root, "features", path(root), OLD, "v")
    entry = commit.publish(root, "features", path(root), NEW, "v")
    assert commit.manifest(root, "features") == {entry.path: entry}
    assert (entry.rows, entry.min_ts, entry.max_ts) == (3, 3, 5)
    assert entry.sha256 == commit.sha256_file(path(root))


@pytest.mark.promise("B2")
@pytest.mark.parametrize(("step", "existing"), [("synced", False), ("folder_synced", False), ("renamed", True)])
def test_a_kill_leaves_old_or_new(root, step, existing):
    """A real SIGKILL, which frees the locks: what is there reads whole, and one sweep makes manifest and tree agree.

    `tests/unit/core/test_power_cuts.py` has every other moment.
    """
    if existing:
        commit.publish(root, "features", path(root), OLD, "v")
    assert elsewhere(root, WRITE, step).returncode == -signal.SIGKILL
    found = commit.read(path(root)).collect() if path(root).exists() else None
    renamed = STEPS.index(step) >= STEPS.index("renamed")
    assert (found is None) == (not existing and not renamed)
    assert found is None or found.equals(NEW if renamed else OLD)
    sweep(root, ["features"])
    agree(root)
    assert sweep(root, ["features"]) == []
    assert {name.split("/")[0] for name in files(root)} <= {"features", "_meta"}
    entry = commit.publish(root, "features", path(root), NEW, "v")
    assert commit.manifest(root, "features") == {entry.path: entry}


@pytest.mark.promise("B2")
def test_a_replacement_that_was_not_recorded_is_found_by_the_next_writer(root):
    """Another partition, stored after the kill and before any sweep, does not hide it."""
    commit.publish(root, "features", path(root), OLD, "v")
    elsewhere(root, WRITE, "renamed")
    commit.publish(root, "features", path(root, "sim.Y"), OLD, "v")
    agree(root)


@pytest.mark.promise("B3")
def test_a_flipped_bit_is_found(root):
    """Page checksums tell a damaged page when it is verified."""
    commit.publish(root, "features", path(root), pl.DataFrame({"ts": range(50_000)}), "v")
    data = bytearray(path(root).read_bytes())
    data[len(data) // 2] ^= 1
    path(root).write_bytes(data)
    with pytest.raises(StoreError, match="CRC"):
        commit.load(path(root))


def from_open_file(read):
    """A reader that is given an open file: it sees one file, whatever is put in its place."""

    def reading(path):
        with path.open("rb") as source:
            return read(source)

    return reading


def from_duckdb(path):
    """DuckDB opens a path twice and may mix two files: it is given what was read at once."""
    with duckdb.connect() as connection:
        return connection.from_arrow(commit.read(path).collect().to_arrow()).pl()


READERS = {
    "store": lambda path: commit.read(path).collect(),
    "polars": from_open_file(pl.read_parquet),
    "pyarrow": from_open_file(lambda source: pl.from_arrow(pq.read_table(source))),
    "pandas": from_open_file(lambda source: pl.from_pandas(pd.read_parquet(source))),
    "duckdb": from_duckdb,
}


@pytest.mark.promise("B1")
@pytest.mark.parametrize("reader", READERS)
def test_readers_never_see_a_part(root, reader):
    """Each reader in a loop beside a rewriting writer sees the old file or the new one, each time."""
    whole = {n: NEW.sample(n, with_replacement=True, seed=1) for n in (2_000, 3_000)}
    commit.publish(root, "features", path(root), whole[2_000], "v")
    stop = threading.Event()
    seen = set()

    def read():
        while not stop.is_set():
            found = READERS[reader](path(root))
            assert_frame_equal(found, whole[found.height])
            seen.add(found.height)

    thread = threading.Thread(target=read)
    thread.start()
    written = 0
    while thread.is_alive() and (written < 60 or seen != set(whole)):
        for frame in whole.values():
            commit.publish(root, "features", path(root), frame, "v")
        written += 1
    stop.set()
    thread.join()  # pytest turns what the thread raised into a failure
    assert seen == set(whole)


def test_storing_the_same_again_touches_nothing(root):
    """A rebuilt partition with the same bytes leaves the file alone, so that readers need not notice."""
    first = commit.publish(root, "features", path(root), NEW, "v")
    before = path(root).stat()
    assert commit.publish(root, "features", path(root), NEW, "v") == first
    assert path(root).stat().st_ino == before.st_ino
    assert len(root.manifest("features").read_text().splitlines()) == 1
    assert files(root) == {first.path, "_meta/features/manifest.jsonl"}


def test_a_missing_table_says_what_to_do(root):
    """Reading what was never made is no stack trace from parquet."""
    with pytest.raises(StoreError, match="Materialize"):
        commit.read(path(root))


def test_a_file_that_reads_back_differently_is_not_published(root, monkeypatch):
    """A disk that loses bytes without an error: the step fails and says so, and the old file stands."""
    entry = commit.publish(root, "features", path(root), OLD, "v")
    before = files(root)

    def lose(sink):
        sink.flush()
        shutil.copy(path(root), sink.name)

    monkeypatch.setattr(commit.durable, "sync", lose)
    with pytest.raises(StoreError, match="reads back differently than it was written"):
        commit.publish(root, "features", path(root), NEW, "v")
    assert_frame_equal(commit.load(path(root)), OLD)
    assert (commit.manifest(root, "features"), files(root)) == ({entry.path: entry}, before)


@pytest.mark.promise("B7")
def test_a_full_disk_leaves_the_old_file(root):
    """The step fails and says so; the old file and its entry stand, and nothing else is left behind."""
    entry = commit.publish(root, "features", path(root), OLD, "v")
    before = files(root)
    done = elsewhere(root, BEGIN + FILL, 50_000, 100_000)
    assert "features: features_sim.X.parquet could not be stored: [Errno 27]" in done.stdout, done.stderr
    assert "has free space" in done.stdout
    assert_frame_equal(commit.load(path(root)), OLD)
    assert (commit.manifest(root, "features"), files(root)) == ({entry.path: entry}, before)


@pytest.mark.promise("B7")
def test_a_disk_that_fills_before_the_manifests_line_is_healed(root):
    """The file is in place and whole, its line is torn: the step fails, and the next writer records what stands."""
    entry = commit.publish(root, "features", path(root), OLD, "v")
    with root.manifest("features").open("a") as manifest:
        manifest.write("#" * 50_000 + "\n")
    done = elsewhere(root, BEGIN + FILL, 50_400, 10)
    assert "could not be stored" in done.stdout, done.stderr
    assert commit.load(path(root)).height == 10
    assert commit.manifest(root, "features") == {entry.path: entry}
    assert len(sweep(root, ["features"])) == 1
    agree(root)


@pytest.mark.promise("A10")
def test_a_second_writer_waits_then_gives_up_with_a_reason(root, monkeypatch):
    """While another holds the table it fails cleanly; when the holder is killed the kernel frees the table."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(root.root)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    monkeypatch.setattr(commit, "LOCK_SECONDS", 0.1)
    with pytest.raises(StoreError, match=r"features: another writer has held .*features\.lock for 0\.1 s\. Wait"):
        commit.publish(root, "features", path(root), OLD, "v")
    assert sweep(root, ["features"]) == []
    holder.kill()
    holder.communicate()
    commit.publish(root, "features", path(root), OLD, "v")
    agree(root)


def test_two_writers_at_once_give_what_one_after_the_other_gives(root):
    """Threads that store other partitions of the same table: every file is listed, no line is torn."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: commit.publish(root, "features", path(root, f"sim.{k}"), OLD, "v"), range(12)))
    assert len(root.manifest("features").read_text().splitlines()) == 12
    agree(root)


def test_files_of_one_table_are_made_side_by_side(root):
    """While one is in the making another is stored, and a sweep takes nothing away; no leftover stays."""
    begun = threading.Event()
    go = threading.Event()

    def slow():
        begun.set()
        assert go.wait(60)
        yield NEW

    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(commit.publish, root, "features", path(root), Parts(NEW.schema, slow()), "v")
        assert begun.wait(60)
        other = commit.publish(root, "features", path(root, "sim.Y"), OLD, "v")
        assert sweep(root, ["features"]) == []
        assert list(commit.manifest(root, "features")) == [other.path]
        go.set()
        entry = made.result()
    assert commit.manifest(root, "features") == {other.path: other, entry.path: entry}
    assert_frame_equal(commit.load(path(root)), NEW)
    assert list((root.staging / "features").iterdir()) == []
    agree(root)


def test_what_cannot_be_made_leaves_nothing(root):
    """Rows that raise while they are stored: the error itself, and the old file."""

    def failing():
        yield NEW
        raise ValueError("no more rows")

    entry = commit.publish(root, "features", path(root), OLD, "v")
    before = files(root)
    with pytest.raises(ValueError, match="no more rows"):
        commit.publish(root, "features", path(root), Parts(NEW.schema, failing()), "v")
    assert (commit.manifest(root, "features"), files(root)) == ({entry.path: entry}, before)
