"""Sealing: the journal goes only when its capture file is in place; a torn tail and a foreign file are kept."""

import fcntl
import os
import threading
import time

import pytest

from ml.capture import seal as sealing
from ml.capture.journal import Journal, Kind, render
from ml.capture.seal import State, recover, seal
from ml.core.errors import StoreError
from ml.storage import commit, parquet


def journal_of(root, name="a", ended=True, torn=b""):
    """A journal of two frames and a loss on one connection."""
    journal = Journal(root.journals / f"{name}.journal")
    journal.append(Kind.CONNECTION, 3, 1, b"bybit-linear wss://x/linear")
    journal.append(Kind.FRAME, 3, 2, b'{"a":1}')
    journal.append(Kind.LOSS, 3, 3, b'{"loss":"silent","symbol":"X"}')
    journal.append(Kind.FRAME, 3, 4, b"\xff not json")
    journal.end(5) if ended else journal.close()
    with journal.path.open("ab") as sink:
        sink.write(torn)
    return journal.path


@pytest.mark.promise("A8")
def test_a_clean_journal_becomes_a_capture_file(root):
    """Frames and losses in order, with their connection; the journal is gone, the file is in the manifest."""
    path = journal_of(root)
    sealed = seal(root, path)
    rows = commit.read(sealed.path).collect().rows()
    conn = "bybit-linear wss://x/linear"
    assert rows == [
        (0, conn, 2, b'{"a":1}'),
        (2, conn, 3, b'{"loss":"silent","symbol":"X"}'),
        (0, conn, 4, b"\xff not json"),
    ]
    assert (sealed.state, sealed.torn, path.exists()) == (State.ENDED, 0, False)
    assert commit.manifest(root, "captures")["captures/a.parquet"].rows == 3


@pytest.mark.promise("A1", "A8")
def test_a_torn_tail_is_kept_apart(root):
    """What is whole is sealed as recovered; the torn bytes lie in the quarantine."""
    sealed = seal(root, journal_of(root, ended=False, torn=b"half a rec"))
    assert (sealed.state, sealed.records, sealed.torn) == (State.RECOVERED, 4, 10)
    (kept,) = (root.quarantine / "journals").iterdir()
    assert kept.read_bytes() == b"half a rec"


@pytest.mark.promise("A8")
def test_a_foreign_file_is_quarantined_whole(root):
    """It is moved, not deleted, and the others are sealed all the same."""
    journal_of(root, "b")
    (root.journals / "a.journal").write_bytes(b"what is this")
    assert [(s.journal, s.state) for s in recover(root)] == [
        ("a.journal", State.QUARANTINED),
        ("b.journal", State.ENDED),
    ]
    assert (root.quarantine / "journals" / "a.journal.from-0").read_bytes() == b"what is this"
    assert list(root.journals.iterdir()) == []


@pytest.mark.promise("A10")
def test_a_journal_in_use_is_left_alone(root):
    """Recovery beside a running capture touches only the dead."""
    running = Journal(root.journals / "b.journal")
    journal_of(root, "a", ended=False)
    assert [s.journal for s in recover(root)] == ["a.journal"]
    running.close()


@pytest.mark.parametrize("dies_at", ["captures", "prediction_log"])
def test_predictions_are_sealed_beside_the_frames(root, monkeypatch, dies_at):
    """Once each, also after a death before either file; the journal stays until both are in place."""
    path = journal_of(root, ended=False)
    with path.open("ab") as sink:
        sink.write(render(Kind.PREDICTION, 0, 9, (b'{"ts":1,"model":"a","p_up":0.1}\n{"ts":1,"model":"b"}',)))
    put = sealing.publish

    def die(root, table, *more):
        if table == dies_at:
            raise KeyboardInterrupt
        put(root, table, *more)

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            seal(root, path)
    (sealed,) = recover(root)
    rows = commit.read(root.table("prediction_log") / sealed.path.name).collect()
    assert rows.select("ts", "model", "p_up").rows() == [(1, "a", 0.1), (1, "b", None)]
    assert commit.read(sealed.path).collect().height == 3
    assert {name: len(commit.manifest(root, name)) for name in ("captures", "prediction_log")} == {
        "captures": 1,
        "prediction_log": 1,
    }


def test_a_file_that_does_not_read_back_keeps_its_journal(root, monkeypatch):
    """Never delete before the new is safely in place."""
    path = journal_of(root)
    before = path.read_bytes()

    monkeypatch.setattr(parquet, "content_of", lambda path: None)
    with pytest.raises(StoreError):
        seal(root, path)
    assert path.read_bytes() == before


def test_sealing_again_after_a_death_in_between_gives_the_same_file(root, monkeypatch):
    """Killed between the capture file and the removal of the journal: the next start makes the same bytes again."""
    path = journal_of(root)
    content = path.read_bytes()
    first = commit.sha256_file(seal(root, path).path)
    path.write_bytes(content)
    os.utime(path)
    (again,) = recover(root)
    assert commit.sha256_file(again.path) == first
    assert sealing.TABLE == "captures"


@pytest.mark.promise("A10")
def test_a_journal_is_sealed_by_one_process(root):
    """The sealing process of a dead capture is at it: the next start leaves it alone, and who waits finds it gone."""
    path = journal_of(root)
    found = []

    def wait() -> None:
        with pytest.raises(FileNotFoundError):
            seal(root, path)
        found.append(True)

    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert list(recover(root)) == []
        second = threading.Thread(target=wait)
        second.start()
        time.sleep(0.2)
        path.unlink()
    second.join(10)
    assert found == [True]
