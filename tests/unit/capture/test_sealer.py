"""The sealing process: what goes in comes out sealed, and it never outlives the capture."""

import os
import signal
import subprocess
import sys

import pytest

from ml.capture import seal as sealing
from ml.capture.journal import Journal, Kind
from ml.capture.seal import Sealer, State, recover


@pytest.fixture
def journals(root):
    """Three finished journals with a frame each."""
    found = []
    for number in range(3):
        journal = Journal(root.journals / f"sim__{number}.journal")
        journal.append(Kind.FRAME, 0, number, b"{}")
        journal.end(9)
        found.append(journal.path)
    return found


def test_journals_are_sealed_in_order(root, journals, monkeypatch):
    """Each is told once, with its state and file; none is left."""
    monkeypatch.setattr(sealing, "CLOSE_SECONDS", 60.0)
    sealed = []
    failed = []
    sealer = Sealer(root, sealed.append, failed.append)
    for path in journals:
        sealer.submit(path)
    sealer.close()
    assert [(one.journal, one.state, one.records) for one in sealed] == [(p.name, State.ENDED, 2) for p in journals]
    assert all(one.path.exists() for one in sealed)
    assert sealer.waiting == 0
    assert (failed, [path for path in journals if path.exists()]) == ([], [])


def test_a_process_that_dies_is_told_and_its_journals_stay(root, journals):
    """The next start recovers them."""
    failed = []
    sealer = Sealer(root, lambda _: None, failed.append)
    sealer.submit(root.journals / "sim__0.journal")
    sealer._process.kill()
    sealer._process.wait()
    sealer.submit(journals[1])
    sealer.close()
    assert failed
    assert journals[1].exists()


def test_a_stop_does_not_wait_for_a_backlog(root, journals, monkeypatch):
    """What is not sealed in time stays whole for the next start, and is no failure."""
    monkeypatch.setattr(sealing, "CLOSE_SECONDS", 0.0)
    failed = []
    sealer = Sealer(root, lambda _: None, failed.append)
    for path in journals:
        sealer.submit(path)
    sealer.close()
    left = [path for path in journals if path.exists()]
    assert (len(left), failed) == (sealer.waiting, [])
    assert [one.state for one in recover(root)] == [State.ENDED] * len(left)


def test_a_stop_signal_does_not_break_a_sealing_off(root, journals):
    """A service manager signals every process of the service: this one ends when its input does."""
    command = [sys.executable, "-c", sealing.START, str(root.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(f"{journals[0]}\n")
        process.stdin.flush()
        assert "ended" in process.stdout.readline()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(process.pid, number)
        process.stdin.write(f"{journals[1]}\n")
        process.stdin.flush()
        assert "ended" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0
