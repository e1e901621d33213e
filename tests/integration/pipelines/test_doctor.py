"""Each thing that can be wrong is named, with its fix."""

from time import time

import polars as pl
import pytest
from dagster._daemon.types import DaemonHeartbeat

from ml.core import config
from ml.storage import commit, decisions
from pipelines import doctor
from pipelines.doctor import examine
from pipelines.setup import instance_of

FRAME = pl.DataFrame({"ts": [1, 2]})
RECORD = {"decision": "refuse", "evidence": "e", "decided_at": 1, "candidate": None, "champion_before": None}


@pytest.fixture
def root(home):
    """A data root with a capture file, a table and a decision, that a test may spoil."""
    folder = config.load(home).captures
    folder.mkdir(parents=True)
    (folder / "a.log").touch()
    for name in ("sim.X", "sim.Y"):
        commit.publish(home, "trades", home.partition("trades", "2025-03-03", name), FRAME, "v")
    record = decisions.stage(home, RECORD)
    decisions.publish(home, record)
    decisions.enter(home, record)
    return home


def one(root):
    return root.partition("trades", "2025-03-03", "sim.X")


def record(root):
    return next(root.decisions.glob("0*.json"))


def wrong(root):
    return [finding for finding in examine(root) if not finding.ok]


def test_a_sound_root_has_no_finding(root):
    """What is well is said too: instruments, captures, stores, disk, decisions."""
    assert wrong(root) == []
    said = " ".join(finding.what for finding in examine(root))
    for word in ("1 instruments", "1 capture files", "model store", "Dagster instance", "GB free", "1 decisions"):
        assert word in said


@pytest.mark.parametrize(
    ("spoil", "what", "fix", "fatal"),
    [
        (lambda r: r.config.unlink(), "lobforge.toml is missing", "lobforge init", True),
        (lambda r: r.config.write_text("captures = "), "Correct the file", "by hand", True),
        (lambda r: next(r.captures.rglob("*.log")).unlink(), "contains no capture file", "point `captures`", False),
        (lambda r: (r.mlflow / "mlflow.db").unlink(), "model store", "lobforge init", True),
        (lambda r: (r.dagster_home / "dagster.yaml").unlink(), "Dagster instance", "lobforge init", True),
        (lambda r: (r.dagster_home / "dagster.yaml").write_text(""), "stays started", "run lobforge init", False),
        (lambda r: (r.mlflow / "mlflow.db").write_bytes(b"no database" * 99), "mlflow.db", "from a backup", True),
        (lambda r: one(r).unlink(), "1 of 2 listed files are missing", "materialize trades", False),
        (lambda r: r.manifest("trades").unlink(), "2 files are in no manifest", "lobforge init", False),
        (lambda r: record(r).unlink(), "is missing", "from a backup", False),
        (lambda r: record(r).write_text("{}"), "changed after the decision", "from a backup", False),
    ],
    ids=[
        "no configuration",
        "bad configuration",
        "no captures",
        "no model store",
        "no instance",
        "old instance configuration",
        "damaged database",
        "lost file",
        "unlisted files",
        "lost decision",
        "changed decision",
    ],
)
def test_what_is_wrong_is_named_with_its_fix(root, spoil, what, fix, fatal):
    """One fault, one finding; fatal where nothing can run."""
    spoil(root)
    (finding,) = wrong(root)
    assert what in finding.what
    assert fix in finding.fix
    assert finding.fatal == fatal


def test_a_full_disk_is_named(root, monkeypatch):
    """With the bytes that are free."""
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 60)
    (finding,) = wrong(root)
    assert "GB free" in finding.what
    assert "1 GB" in finding.fix


@pytest.mark.parametrize(("silent", "is_wrong"), [(0, False), (doctor.SILENT_SECONDS + 60, True)])
def test_a_dead_daemon_is_named(root, silent, is_wrong):
    """Where one ever ran: its last sign of life is too old, so that nothing starts by itself any more."""
    beat = DaemonHeartbeat(time() - silent, "SENSOR", "d", [])
    with instance_of(root) as instance:
        instance.add_daemon_heartbeat(beat)
    found = [finding for finding in examine(root) if "the Dagster daemon" in finding.what]
    assert [(finding.ok, "lobforge ui" in finding.fix) for finding in found] == [(not is_wrong, True)]
    assert ("silent for 4 min" in found[0].what) == is_wrong


def test_a_journal_that_lost_its_end_is_named(root):
    """With how many decisions are missing."""
    (root.decisions / "journal.jsonl").write_text("")
    (finding,) = wrong(root)
    assert "1 at its end are missing" in finding.what


def test_asking_changes_nothing(root):
    """The doctor fixes nothing: every file is as it was, but for what SQLite keeps beside an open database."""
    root.manifest("trades").unlink()
    before = {path: path.read_bytes() for path in root.root.rglob("*") if path.is_file()}
    assert wrong(root)
    after = {path: path.read_bytes() for path in root.root.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if path.suffix not in (".db-shm", ".db-wal")} == before
