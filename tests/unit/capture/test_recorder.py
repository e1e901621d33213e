"""The recorder: order, bounded memory with the loss on record, rolling without a hole."""

import threading

import orjson
import pytest

from ml.capture import journal, seal
from ml.capture import recorder as recorders
from ml.capture.journal import Journal, Kind
from ml.capture.recorder import Recorder
from ml.capture.seal import State
from ml.storage import commit


def rows(sealed):
    """All rows of the sealed files, in order of the files."""
    ordered = sorted(sealed, key=lambda one: one.path)
    return [row for one in ordered for row in commit.read(one.path).collect().rows()]


def test_frames_are_taken_down_in_order(root):
    """Each with its connection's name and receive time; the clean stop seals one file."""
    sealed = []
    recorder = Recorder(root, "sim", sealed=sealed.append)
    recorder.connection(0, "sim ws://x")
    for k in range(1_000):
        assert recorder.offer(0, k, [b"%d" % k])
    recorder.stop()
    assert rows(sealed) == [(0, "sim ws://x", k, b"%d" % k) for k in range(1_000)]
    assert [one.state for one in sealed] == [State.ENDED]


def test_a_roll_loses_and_doubles_nothing(root, monkeypatch):
    """Many small files hold what one would; each names its connections again."""
    monkeypatch.setattr(seal, "CLOSE_SECONDS", 60.0)
    sealed = []
    recorder = Recorder(root, "sim", roll_bytes=2_000, sealed=sealed.append)
    recorder.connection(0, "sim ws://x")
    for k in range(3_000):
        recorder.offer(0, k, [b"frame %d" % k])
        if k % 100 == 0:
            threading.Event().wait(0.002)
    recorder.stop()
    assert len(sealed) > 3
    assert [row[2] for row in rows(sealed)] == list(range(3_000))
    assert {row[1] for row in rows(sealed)} == {"sim ws://x"}
    assert list(root.journals.iterdir()) == []


@pytest.mark.promise("A7")
def test_a_disk_that_does_not_keep_up_is_a_loss_on_record(root, monkeypatch):
    """Memory stays bounded; where frames were refused stands one loss per instrument, and once until one is taken."""
    go = threading.Event()
    write = Journal.write

    def slow(self, rendered):
        go.wait()
        write(self, rendered)

    sealed = []
    recorder = Recorder(root, "sim", queue_bytes=1_000, sealed=sealed.append)
    monkeypatch.setattr(Journal, "write", slow)
    recorder.connection(0, "sim ws://x", ("A", "B"))
    recorder.connection(1, "sim ws://x/candles", ("A",), books=False)
    taken = [recorder.offer(k % 2, k, [b"x" * 100]) for k in range(50)]
    assert recorder.waiting_bytes <= 1_000 + 3 * 100
    go.set()
    while recorder.waiting_bytes:
        threading.Event().wait(0.01)
    assert recorder.offer(0, 99, [b"after"])
    recorder.stop()
    kinds = [(row[0], row[3]) for row in rows(sealed)]
    accepted = sum(taken)
    assert 0 < accepted < 49
    assert recorder.overflows == 50 - accepted
    losses = [orjson.loads(payload) for kind, payload in kinds if kind == Kind.LOSS]
    assert sorted((one["symbol"], one["loss"], one.get("books", True)) for one in losses) == [
        ("A", "overflow", False),
        ("A", "overflow", True),
        ("B", "overflow", True),
    ]
    assert [kind for kind, _ in kinds[accepted:]] == [Kind.LOSS] * 3 + [Kind.FRAME]
    assert kinds[-1] == (Kind.FRAME, b"after")


@pytest.mark.promise("A7")
def test_predictions_take_no_room_from_frames(root, monkeypatch):
    """Those that find none are dropped and counted: no frame is refused for them, and no loss is put on record."""
    go = threading.Event()
    write = Journal.write

    def slow(self, rendered):
        go.wait()
        write(self, rendered)

    sealed = []
    recorder = Recorder(root, "sim", queue_bytes=1_000, sealed=sealed.append)
    monkeypatch.setattr(Journal, "write", slow)
    taken = [recorder.predicted(b'{"ts":%d}' % k) for k in range(100)]
    assert recorder.waiting_bytes <= 1_000
    go.set()
    recorder.stop()
    assert recorder.predictions_dropped == taken.count(False) > 0
    assert (recorder.overflows, rows(sealed)) == (0, [])
    kept = commit.read(root.table("prediction_log") / sealed[0].path.name).collect()
    assert kept["ts"].to_list() == [k for k in range(100) if taken[k]]


@pytest.mark.promise("A1")
def test_what_was_taken_is_with_the_kernel_soon(root, monkeypatch):
    """A kill loses nothing that was handed over: the journal holds the frame long before the stop."""
    monkeypatch.setattr(recorders, "SYNC_SECONDS", 0.05)
    recorder = Recorder(root, "sim")
    recorder.offer(0, 1, [b"kept"])
    (path,) = root.journals.iterdir()
    for _ in range(200):
        if b"kept" in path.read_bytes():
            break
        threading.Event().wait(0.01)
    else:
        pytest.fail("not written within two seconds")
    recorder.stop()


def test_a_disk_that_fails_is_told_and_what_was_written_stays(root, monkeypatch):
    """The reason is there to be read; the journal can be recovered."""
    recorder = Recorder(root, "sim")
    recorder.offer(0, 1, [b"kept"])
    while recorder.waiting_bytes:
        threading.Event().wait(0.01)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "write", full)
    recorder.offer(0, 2, [b"lost"])
    recorder.stop()
    assert recorder.failure is not None
    monkeypatch.undo()
    (path,) = root.journals.iterdir()
    assert [record.payload for record in journal.records(path)] == [b"kept"]


@pytest.mark.parametrize("roll_bytes", [100, recorders.ROLL_BYTES])
def test_a_journal_that_cannot_be_sealed_is_told_and_stays(root, monkeypatch, roll_bytes):
    """At a roll, in a process of its own, and at the stop."""
    monkeypatch.setattr(seal, "CLOSE_SECONDS", 60.0)
    root.captures.parent.mkdir(parents=True)
    root.captures.write_text("a file where the folder should be")
    recorder = Recorder(root, "sim", roll_bytes=roll_bytes)
    recorder.offer(0, 1, [b"x" * 200])
    while recorder.waiting_bytes:
        threading.Event().wait(0.01)
    recorder.stop()
    assert "could not be stored" in str(recorder.failure)
    kept = [r.payload for path in root.journals.iterdir() for r in journal.records(path) if r.kind == Kind.FRAME]
    assert kept == [b"x" * 200]
