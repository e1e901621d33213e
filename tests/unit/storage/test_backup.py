"""A backup holds what was stored, whole, while writers go on; restored it is a data root again."""

import json
import sqlite3
import threading
from contextlib import closing
from shutil import rmtree

import polars as pl
import pytest

from ml.core import config
from ml.core.config import Config
from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.promotion.registry import Registry
from ml.storage import commit, decisions, durable
from ml.storage.backup import BESIDE, INDEX, backup, restore
from ml.storage.verify import verify
from tests.support.panels import small_model
from tests.support.scenario import INSTRUMENT

FRAME = pl.DataFrame({"ts": [1, 2, 3]})
REFUSAL = {"decision": "refuse", "candidate": None, "champion_before": None, "evidence": "e", "decided_at": 1}
DATES = tuple(f"2025-01-{day:02d}" for day in range(1, 9))


def one(root, date=DATES[0], table="features"):
    return root.partition(table, date, "sim.X")


def tree(root):
    """Bytes of every file below a data root, but for locks and databases."""
    files = (path for path in root.root.rglob("*") if path.is_file())
    named = {path.relative_to(root.root).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.endswith((*BESIDE, ".db"))}


@pytest.fixture
def full(root):
    """A data root with a bit of everything that a backup holds, and of what it does not."""
    from pipelines.demo import default_config

    configuration = default_config()
    durable.write_text(root.config, config.render(Config(root.captures, configuration.first_date, None, (INSTRUMENT,))))
    for table in ("features", "captures"):
        for date in DATES:
            commit.publish(root, table, one(root, date, table), FRAME, "v")
    for _ in range(2):
        record = decisions.stage(root, REFUSAL)
        decisions.publish(root, record)
        decisions.enter(root, record)
    texts = (root.document("label_spec"), root.model("m") / "card.json", root.mlflow / "artifacts" / "1" / "a.txt")
    for path in (*texts, root.dagster_home / "dagster.yaml", root.quarantine / "journals" / "a.torn"):
        durable.write_text(path, path.name)
    durable.write_text(root.journals / "b.journal", "journal")
    durable.write_text(root.compiled / "kernel.nbi", "compiled")
    numbers(root.dagster_home / "history" / "runs.db", 3)
    return root


def numbers(path, count):
    """A database that counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table if not exists n (k integer primary key)")
        connection.executemany("insert into n values (null)", [()] * count)


def counted(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        return [k for (k,) in connection.execute("select k from n order by k")]


@pytest.mark.promise("B9")
def test_what_is_restored_is_what_was_backed_up(full, tmp_path):
    """Every file but captures and compiled code, byte for byte; databases row for row; all of it verified."""
    taken = backup(full, tmp_path / "copy")
    again = DataRoot(tmp_path / "again")
    back = restore(tmp_path / "copy", again)
    assert (taken.left_out, back.faults, taken.files, taken.bytes) == ([], [], back.files, back.bytes)
    without = ("captures/", "_meta/captures/", "journals/", "numba/", "captures")
    assert tree(again) == {name: data for name, data in tree(full).items() if not name.startswith(without)}
    assert commit.manifest(again, "features") == commit.manifest(full, "features")
    assert counted(again.dagster_home / "history" / "runs.db") == [1, 2, 3]
    assert config.load(again).instruments == (INSTRUMENT,)
    assert decisions.verify(again) == 2
    assert verify(again).faults == []


def test_captures_are_held_if_asked_for(full, tmp_path):
    """Capture files, journals and the manifest of the captures."""
    backup(full, tmp_path / "copy", captures=True)
    restore(tmp_path / "copy", DataRoot(tmp_path / "again"))
    restored = tree(DataRoot(tmp_path / "again"))
    assert {name for name in tree(full) if name not in restored} == {"numba/kernel.nbi"}
    assert sum(name.startswith("captures/") for name in restored) == len(DATES)


@pytest.mark.promise("B9")
def test_a_backup_is_whole_while_a_writer_runs(full, tmp_path):
    """Each file is one that was published, each database a state that was committed; nothing is left out."""
    stop = threading.Event()
    published = set()
    database = full.dagster_home / "history" / "runs.db"

    def write():
        k = 3
        while not stop.is_set():
            k += 1
            date = DATES[k % len(DATES)]
            published.add(commit.publish(full, "features", one(full, date), pl.DataFrame({"ts": range(k)}), "v").sha256)
            numbers(database, 1)

    published |= {entry.sha256 for entry in commit.manifest(full, "features").values()}
    thread = threading.Thread(target=write)
    thread.start()
    taken = []
    while thread.is_alive() and (len(taken) < 3 or len(published) <= 5):  # however slow the writer is beside them
        taken.append(backup(full, tmp_path / f"copy{len(taken)}"))
    stop.set()
    thread.join()
    for k, summary in enumerate(taken):
        again = DataRoot(tmp_path / f"again{k}")
        assert (summary.left_out, restore(tmp_path / f"copy{k}", again).faults) == ([], [])
        entries = commit.manifest(again, "features").values()
        assert len(entries) == len(DATES)
        assert {entry.sha256 for entry in entries} <= published
        rows = counted(again.dagster_home / "history" / "runs.db")
        assert rows == list(range(1, len(rows) + 1))


def test_a_manifest_is_read_once_and_again_for_each_fault(full, tmp_path, monkeypatch):
    """Not once a file: a table may hold a hundred thousand."""
    reads = []
    manifest = commit.manifest
    monkeypatch.setattr(commit, "manifest", lambda root, table: reads.append(table) or manifest(root, table))
    backup(full, tmp_path / "sound")
    assert reads == ["features"]
    one(full).write_bytes(b"PAR1")
    backup(full, tmp_path / "copy")
    assert reads == ["features"] * 3


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda r: one(r).unlink(), "it is listed but missing"),
        (lambda r: one(r).write_bytes(b"PAR1"), "its bytes differ from the listed checksum"),
        (lambda r: (r.dagster_home / "history" / "runs.db").write_bytes(b"no database" * 99), "not a database"),
    ],
)
def test_what_is_damaged_is_left_out_and_named(full, tmp_path, spoil, why):
    """The rest is worth keeping, most of all then; what was restored has no fault."""
    sound = backup(full, tmp_path / "sound").files
    spoil(full)
    taken = backup(full, tmp_path / "copy")
    (line,) = taken.left_out
    assert why in line
    assert taken.files == sound - 1
    assert restore(tmp_path / "copy", DataRoot(tmp_path / "again")).faults == []


@pytest.mark.promise("B9")
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda c: next(c.rglob("label_spec.json")).write_text("{}"), r"1 of \d+ files are missing or changed"),
        (lambda c: rmtree(c / "features"), r"8 of \d+ files are missing or changed"),
        (lambda c: (c / INDEX).unlink(), "holds no backup.json"),
        (lambda c: (c / INDEX).write_text("{"), "cannot be read"),
        (lambda c: (c / INDEX).write_text((c / INDEX).read_text().replace("lobforge.toml", "../x")), "paths outside"),
    ],
    ids=["changed", "missing", "unfinished", "damaged index", "index that points out"],
)
def test_a_backup_that_is_not_whole_is_not_restored(full, tmp_path, spoil, why):
    """It is read before anything is copied."""
    backup(full, tmp_path / "copy")
    spoil(tmp_path / "copy")
    with pytest.raises(StoreError, match=why):
        restore(tmp_path / "copy", DataRoot(tmp_path / "again"))
    assert not (tmp_path / "again").exists()


def test_nothing_is_written_over(full, tmp_path):
    """Neither an older backup nor a data root in use; a README is no use."""
    backup(full, tmp_path / "copy")
    with pytest.raises(StoreError, match="is not empty"):
        backup(full, tmp_path / "copy")
    with pytest.raises(StoreError, match="is not empty"):
        restore(tmp_path / "copy", full)
    with pytest.raises(StoreError, match="inside the data root"):
        backup(full, full.root / "copy")
    with pytest.raises(StoreError, match="is not a data root"):
        backup(DataRoot(tmp_path / "none"), tmp_path / "other")
    durable.write_text(tmp_path / "again" / "README.md", "# The data root")
    assert restore(tmp_path / "copy", DataRoot(tmp_path / "again")).files


@pytest.mark.promise("B9")
def test_a_promoted_model_is_loaded_from_the_restored_store(registry, tmp_path):
    """The model store's addresses name the data root: restored elsewhere they name the new one."""
    root = registry.root
    model = small_model()
    model.save(root.model(model.id))
    run = registry.log_run(root.model(model.id), tags={"model_id": model.id})
    evidence = {"decision": "promote", "candidate": model.id, "champion_before": None, "evidence": "e"}
    registry.commit(evidence, run)
    durable.write_text(root.config, "# any")
    backup(root, tmp_path / "copy")
    rmtree(root.root)
    again = Registry(restore_into(tmp_path / "copy", tmp_path / "again"))
    assert again.load().id == again.champion() == model.id
    assert again.reconcile() is None


def restore_into(folder, target):
    assert restore(folder, DataRoot(target)).faults == []
    assert json.loads((folder / INDEX).read_text())["root"] not in (target / "mlflow" / "mlflow.db").read_text(
        "latin-1"
    )
    return DataRoot(target)
