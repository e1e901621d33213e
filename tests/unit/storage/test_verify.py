"""Damage is found, wherever it is; a writer at work is no damage."""

import json
import threading
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ml.catalog.tables import TABLES
from ml.core.errors import StoreError
from ml.storage import commit, decisions
from ml.storage.verify import verify

BLOCK = 4096
RECORD = {"decision": "refuse", "candidate": None, "champion_before": None}
FRAME = pl.DataFrame({"ts": np.arange(9_000), "x": np.random.default_rng(1).normal(size=9_000)})


@pytest.fixture
def stored(root):
    """A data root with two tables and two decisions, that a test may spoil."""
    for table in ("features", "training_features"):
        commit.publish(root, table, one(root, table), FRAME, "v")
    for number in range(2):
        record = decisions.stage(root, RECORD | {"evidence": str(number), "decided_at": number})
        decisions.publish(root, record)
        decisions.enter(root, record)
    return root


def one(root, table="features"):
    return root.partition(table, "2025-01-01", "sim.X")


def kinds(root):
    """What is at fault: kind and path."""
    return [(fault.kind, fault.path) for fault in verify(root).faults]


def relist(root, **changes):
    """Make the manifest say something else of a file."""
    (entry,) = commit.manifest(root, "features").values()
    root.manifest("features").write_text(json.dumps(vars(replace(entry, **changes))) + "\n")


def flip(path, position, bit=0):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def test_what_was_stored_is_without_fault(stored):
    """Files and bytes are counted by table, decisions by their chain."""
    report = verify(stored)
    assert report.faults == []
    assert report.files == {"features": 1, "training_features": 1}
    assert report.bytes["features"] == one(stored).stat().st_size
    assert report.decisions == 2


@pytest.mark.promise("B3")
def test_a_flipped_bit_in_any_block_is_found(stored):
    """Each 4 KB of a stored file, footer included, one bit at a time."""
    size = one(stored).stat().st_size
    blocks = range(0, size, BLOCK)
    assert len(blocks) > 10
    for number, start in enumerate(blocks):
        place = (start + 997 * number % BLOCK) % size
        flip(one(stored), place, number % 8)
        assert kinds(stored) == [("changed", "features/date=2025-01-01/features_sim.X.parquet")], place
        flip(one(stored), place, number % 8)
    assert kinds(stored) == []


@pytest.mark.promise("B3")
def test_a_damaged_page_is_found_under_a_hash_that_fits(stored):
    """A manifest made after the damage does not hide it: the pages carry their own checksums."""
    flip(one(stored), one(stored).stat().st_size // 2)
    relist(stored, sha256=commit.sha256_file(one(stored)))
    (fault,) = verify(stored).faults
    assert fault.kind == "damaged"
    assert "CRC" in fault.detail


@pytest.mark.parametrize("change", [{"rows": 1}, {"bytes": 1}, {"schema_hash": "0"}, {"min_ts": 5}, {"max_ts": None}])
def test_a_manifest_that_says_otherwise_is_found(stored, change):
    """Rows, bytes, columns and times are those of the file."""
    relist(stored, **change)
    (fault,) = verify(stored).faults
    assert fault.kind == "mislisted"
    assert f"instead of {next(iter(change.values()))}" in fault.detail


def spoil_journal(root, change):
    path = root.decisions / "journal.jsonl"
    path.write_bytes(change(path.read_bytes()))


def record(root, number):
    return next(root.decisions.glob(f"{number:06d}-*.json"))


FEATURES = "features/date=2025-01-01/features_sim.X.parquet"
DECISIONS = "decisions"


@pytest.mark.parametrize(
    ("spoil", "kind", "path"),
    [
        (lambda r: one(r).unlink(), "missing", FEATURES),
        (lambda r: one(r).write_bytes(b""), "changed", FEATURES),
        (lambda r: r.manifest("features").write_text(""), "unlisted", FEATURES),
        (lambda r: flip(r.manifest("features"), 1), "unlisted", FEATURES),
        (lambda r: FRAME.write_parquet(r.root / "features" / "stray.parquet"), "unlisted", "features/stray.parquet"),
        (lambda r: record(r, 1).unlink(), "decision", DECISIONS),
        (lambda r: flip(record(r, 1), 0), "decision", DECISIONS),
        (lambda r: flip(record(r, 1), 9, 7), "decision", DECISIONS),
        (lambda r: flip(r.decisions / "journal.jsonl", 0), "decision", DECISIONS),
        (lambda r: flip(r.decisions / "journal.jsonl", 30, 7), "decision", DECISIONS),
        (lambda r: spoil_journal(r, lambda data: data[:-3]), "decision", DECISIONS),
        (lambda r: spoil_journal(r, lambda data: data.splitlines()[1]), "decision", DECISIONS),
    ],
    ids=[
        "lost file",
        "emptied file",
        "emptied manifest",
        "damaged manifest",
        "stray file",
        "lost record",
        "damaged record",
        "record of no text",
        "damaged journal",
        "journal of no text",
        "torn journal",
        "lost line",
    ],
)
def test_each_kind_of_fault_is_told(stored, spoil, kind, path):
    """One fault, one finding, which names the file and says what to do."""
    spoil(stored)
    (fault,) = verify(stored).faults
    assert (fault.kind, fault.path[: len(path)]) == (kind, path)
    assert fault.detail
    assert fault.fix


def test_asking_changes_nothing(stored):
    """Not even a stray file is touched: fixing is another verb's."""
    one(stored).write_bytes(b"PAR1")
    before = {path: path.read_bytes() for path in stored.root.rglob("*") if path.is_file()}
    assert len(kinds(stored)) == 1
    assert {path: path.read_bytes() for path in stored.root.rglob("*") if path.is_file()} == before


def test_a_writer_at_work_is_no_fault(stored):
    """Files that are replaced and listed while the check runs are sound, or looked at again."""
    stop = threading.Event()

    def write():
        k = 0
        while not stop.is_set():
            k += 1
            commit.publish(stored, "features", one(stored), FRAME.head(5_000 + k), "v")
            new = stored.partition("features", f"2025-02-{k % 28 + 1:02d}", "sim.X")
            commit.publish(stored, "features", new, FRAME.head(k), "v")

    thread = threading.Thread(target=write)
    thread.start()
    found = [fault for _ in range(15) for fault in verify(stored).faults]
    stop.set()
    thread.join()
    assert found == []


def test_what_does_not_belong_to_tables_is_no_finding(stored):
    """Parquet captures of other collectors, artefacts and what was quarantined are nobody's partitions."""
    for folder in (".staging", "_quarantine", "captures", "dagster", "journals", "mlflow", "models", "numba"):
        (stored.root / folder).mkdir(exist_ok=True)
        FRAME.write_parquet(stored.root / folder / "any.parquet")
    assert verify(stored, TABLES).faults == []


def test_a_file_of_a_table_that_has_no_manifest_is_found(stored):
    """Its writer died before it listed anything; only the catalog tells that the folder is a table's."""
    stored.table("trades").mkdir()
    FRAME.write_parquet(stored.table("trades") / "any.parquet")
    (fault,) = verify(stored, TABLES).faults
    assert (fault.kind, fault.path) == ("unlisted", "trades/any.parquet")


def test_without_a_data_root_nothing_can_be_checked(root):
    """A misspelt path is not a sound, empty data root."""
    with pytest.raises(StoreError, match="LOBFORGE_DATA_ROOT"):
        verify(root)
