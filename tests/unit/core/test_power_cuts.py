"""The power fails at any moment of a commit, a decision or a capture: nothing that was acknowledged is lost or broken.

Each test runs the product over a disk that forgets what was not synced (`tests.support.disk`), and recovers every state
that a cut can leave, as the next start does. A kill is one of these states.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.archives import download_state as partial_files
from ml.archives.download_state import Part
from ml.capture import journal, recorder, seal
from ml.capture.journal import Journal, Kind
from ml.capture.seal import State, recover
from ml.core.paths import DataRoot
from ml.storage import commit, decisions
from ml.storage.parquet import content_of
from ml.storage.repair import sweep
from tests.support.disk import Disk, lay_out
from tests.support.emulator.running import until

OLD = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]})
NEW = pl.DataFrame({"ts": [3, 4, 5], "x": [1.0, 2.0, None]})
TABLE = "features"


@pytest.fixture
def disk(tmp_path):
    """An empty disk."""
    return Disk(tmp_path / "disk")


def cuts(disk, folder):
    """What had been acknowledged, and the data root after the cut, for each state in which a cut can leave the disk."""
    number = 0
    for number, (told, tree) in enumerate(disk.states(), 1):
        yield told, DataRoot(lay_out(tree, folder / f"cut-{number}"))
    assert number > 3, "the disk saw nothing"


def place(root, name):
    date, instrument = name.split("|")
    return root.partition(TABLE, date, instrument)


PUBLISHED = [("2025-01-01|sim.X", OLD), ("2025-01-01|sim.X", NEW), ("2025-01-02|sim.Y", OLD)]
"""A new table, a replaced file, a new folder."""


@pytest.mark.promise("B2")
def test_a_commit_is_there_or_was_not_made(disk, tmp_path):
    """Old or new, whole before any sweep; new once acknowledged; one sweep makes tree and manifest agree.

    A file that the sweep lists keeps the version of the code that made it.
    """
    root = DataRoot(disk.folder)
    with disk.watched():
        for name, frame in PUBLISHED:
            commit.publish(root, TABLE, place(root, name), frame, "v")
            disk.acknowledge(name)
    for told, cut in cuts(disk, tmp_path):
        whole_tables(cut, told)
        sweep(cut, [TABLE])
        whole_tables(cut, told)
        assert agree(cut)
        assert {entry.code_version for entry in commit.manifest(cut, TABLE).values()} <= {"v"}  # as it was made
        assert sweep(cut, [TABLE]) == []
        assert list((cut.staging / TABLE).glob("*")) == []
        assert not cut.quarantine.exists()


def whole_tables(root, told):
    """Each file reads, and is one of those that may stand there."""
    for name in {name for name, _ in PUBLISHED}:
        frames = [frame for published, frame in PUBLISHED if published == name]
        sure = told.count(name)
        if place(root, name).exists():
            found = commit.load(place(root, name))
            assert any(found.equals(frame) for frame in frames[max(sure - 1, 0) :]), (name, told)
        else:
            assert not sure, (name, told)


def agree(root):
    """Whether tree and manifest say the same."""
    entries = commit.manifest(root, TABLE)
    standing = {str(path.relative_to(root.root)): path for path in root.table(TABLE).rglob("*.parquet")}
    return {path: entry.sha256 for path, entry in entries.items()} == {
        name: commit.entry_of(root, path, path, content_of(path), "").sha256 for name, path in standing.items()
    }


def test_what_a_cut_left_is_stored_again(tmp_path):
    """Whoever writes next heals the table first, without any sweep."""
    root = DataRoot(tmp_path / "disk")
    name = PUBLISHED[0][0]
    commit.publish(root, TABLE, place(root, name), OLD, "v")
    disk = Disk(root.root)
    with disk.watched():
        commit.publish(root, TABLE, place(root, name), NEW, "v")
    for _, cut in cuts(disk, tmp_path):
        entry = commit.publish(cut, TABLE, place(cut, name), OLD, "w")
        assert_frame_equal(commit.load(place(cut, name)), OLD)
        assert commit.manifest(cut, TABLE)[entry.path] == entry
        assert agree(cut)


def decide(root, number):
    """One decision, as the registry makes it."""
    before = [line.champion for line in decisions.journal(root)]
    content = {"decision": "promote", "candidate": f"m{number}", "evidence": "e", "decided_at": number}
    record = decisions.stage(root, content | {"champion_before": before[-1] if before else None})
    decisions.publish(root, record)
    decisions.enter(root, record)


def test_a_decision_is_in_force_or_was_not_taken(disk, tmp_path):
    """The chain verifies at each moment, what was acknowledged is in it, and the next decision follows it."""
    root = DataRoot(disk.folder)
    with disk.watched():
        for number in (1, 2, 3):
            decide(root, number)
            disk.acknowledge(number)
    for told, cut in cuts(disk, tmp_path):
        length = decisions.verify(cut)
        assert len(told) <= length <= len(told) + 1
        assert decisions.champion_at(cut, 9) == (f"m{length}" if length else None)
        decide(cut, 7)
        assert decisions.verify(cut) == length + 1


def frames_of(root):
    """The frames of all capture files and journals, in order."""
    found = []
    for path in sorted([*root.captures.glob("*.parquet"), *root.journals.glob("*.journal")], key=lambda p: p.stem):
        if path.suffix == ".parquet":
            found += commit.load(path).filter(pl.col("kind") == Kind.FRAME)["payload"].to_list()
        elif path.read_bytes().startswith(journal.MAGIC):
            found += [record.payload for record in journal.records(path) if record.kind == Kind.FRAME]
    return found


def recovered(root):
    """The frames after the next start has sealed every journal."""
    assert {one.state for one in recover(root)} <= set(State)
    assert list(root.journals.glob("*")) == []
    return frames_of(root)


@pytest.mark.promise("A1")
def test_a_synced_record_survives(disk, tmp_path):
    """What was written before a sync or the end is there after it, and of the rest a whole record or none, in order."""
    root = DataRoot(disk.folder)
    frames = [b"frame %d" % k * (k + 1) for k in range(5)]
    with disk.watched():
        written = Journal(root.journals / "sim__1.journal")
        written.append(Kind.CONNECTION, 0, 1, b"sim somewhere")
        for k, frame in enumerate(frames):
            written.append(Kind.FRAME, 0, k, frame)
            written.flush()
            disk.moment()
            if k % 2:
                written.sync()
                disk.acknowledge(k + 1)
        written.end(9)
        disk.acknowledge(len(frames))
        seal.seal(root, written.path)
    for told, cut in cuts(disk, tmp_path):
        found = recovered(cut)
        assert found == frames[: len(found)]
        assert len(found) >= max(told, default=0)


@pytest.mark.promise("A1")
@pytest.mark.parametrize("whole", [True, False])
def test_bytes_that_no_record_holds_are_kept(tmp_path, whole):
    """The torn tail of a journal, or a file that is no journal: in its place or in the quarantine, all of it."""
    root = DataRoot(tmp_path / "disk")
    path = root.journals / "sim__1.journal"
    written = Journal(path)
    written.append(Kind.FRAME, 0, 1, b"frame")
    written.close()
    torn = b"torn" * 50
    path.write_bytes((path.read_bytes() if whole else b"") + torn)
    disk = Disk(root.root)
    with disk.watched():
        seal.seal(root, path)
        disk.acknowledge("sealed")
    for _, cut in cuts(disk, tmp_path):
        assert recovered(cut) == [b"frame"] * whole
        assert [path.read_bytes() for path in (cut.quarantine / "journals").iterdir()] == [torn]


def test_a_download_trusts_only_what_was_synced(disk, tmp_path, monkeypatch):
    """The note never vouches for bytes that a cut may have taken; acknowledged ones are not fetched again."""
    monkeypatch.setattr(partial_files, "SYNC_BYTES", 20)
    content = bytes(range(100))
    part = Part(disk.folder / "incoming" / "a.part")

    def chunks():
        for begin in range(0, 100, 10):
            disk.acknowledge(part.read().synced)
            yield content[begin : begin + 10]

    with disk.watched():
        part.receive(chunks(), "v1")
        disk.acknowledge(100)
    for told, cut in cuts(disk, tmp_path):
        left = Part(cut.root / "incoming" / "a.part")
        synced = left.read().synced
        assert synced >= max(told, default=0)
        assert not synced or left.path.read_bytes()[:synced] == content[:synced]


class SealedHere:
    """Seals in the thread that asks, where the disk sees it."""

    waiting = 0

    def __init__(self, root, sealed, failed):
        self.root = root

    def submit(self, path):
        seal.seal(self.root, path)

    def close(self):
        pass


def are_safe(frames, disk, folder):
    """Whether these frames are in every state in which a cut at this moment can leave the disk."""
    for tree in disk.moment().states():
        with TemporaryDirectory(dir=folder) as cut:
            if not frames <= set(frames_of(DataRoot(lay_out(tree, Path(cut) / "data")))):
                return False
    return True


@pytest.mark.promise("A1")
def test_a_recorder_syncs_while_it_runs(disk, tmp_path, monkeypatch):
    """Every frame is safe some time after it was taken, while the capture goes on; rolls and seals lose none."""
    assert recorder.SYNC_SECONDS <= 1  # what may be lost
    monkeypatch.setattr(recorder, "SYNC_SECONDS", 0.02)
    monkeypatch.setattr(recorder, "Sealer", SealedHere)
    root = DataRoot(disk.folder)
    with disk.watched():
        running = recorder.Recorder(root, "sim", roll_bytes=300)
        try:
            running.connection(0, "sim somewhere", ("X",))
            offered = set()
            for number in range(3):
                frames = [b"%d:%d" % (number, k) + b"." * 70 for k in range(2)]
                assert running.offer(0, number, frames)
                offered |= set(frames)
                until(partial(are_safe, offered, disk, tmp_path), 20)
                disk.acknowledge(frozenset(frames))
        finally:
            running.stop()
    assert running.failure is None
    for told, cut in cuts(disk, tmp_path):
        found = recovered(cut)
        assert len(found) == len(set(found))
        assert set(found) >= set().union(*told)
