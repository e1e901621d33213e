"""SIGKILLs of a whole capture, at any moment and at every step of the commit: what was recorded is there."""

import random
import signal
import time
from typing import Any

import pytest

from ml.capture import journal
from ml.capture.journal import Kind
from ml.capture.seal import TABLE, recover
from ml.core.paths import DataRoot
from ml.storage import commit
from ml.storage.repair import sweep
from tests.support.disk import STEPS
from tests.support.emulator.running import Running, until
from tests.support.emulator.server import Emulator

VENUE = "bybit-linear"
ROLL = 20_000


def payloads(path) -> list[str]:
    """The frames of a journal that is being written, or of a capture file."""
    if path.suffix == journal.SUFFIX:
        return [record.payload.decode() for record in journal.records(path) if record.kind == Kind.FRAME]
    return [payload.decode() for kind, _, _, payload in commit.load(path).rows() if kind == Kind.FRAME]


def recorded(root: DataRoot, since: int, until_ns: int) -> list[str]:
    """All frames on disk of the run that began between two times; a journal that is being sealed counts once."""
    paths = {path.stem: path for path in [*root.journals.glob("*.journal"), *root.captures.glob("*.parquet")]}
    mine = sorted(stem for stem in paths if since <= int(stem.rpartition("__")[2]) < until_ns)
    try:
        return [text for stem in mine for text in payloads(paths[stem])]
    except FileNotFoundError:  # a journal was sealed meanwhile, and stands among the captures now
        return recorded(root, since, until_ns)


def kill(root: DataRoot, emulator: Emulator, seconds: float, **patches: Any) -> tuple[int, int]:
    """A capture that runs until it is killed, by the test or by its own crash: when it began, and what it recorded.

    The frames that the journals held at a moment before the kill were recorded; -1 if it died before it connected.
    """
    connected = emulator.connections
    begun = time.time_ns()
    with Running(root, VENUE, emulator, **patches) as running:
        until(lambda: emulator.connections > connected or running.process.poll() is not None)
        time.sleep(seconds)
        taken = len(recorded(root, begun, time.time_ns())) if emulator.connections > connected else -1
        if "kill_at" in patches:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(240)
    return begun, taken


def prove(root: DataRoot, emulator: Emulator, runs: list[tuple[int, int]]) -> None:
    """Recover, then compare every run with what it was sent."""
    until(lambda: not [*recover(root)] and not [*root.journals.iterdir()])
    sweep(root, [TABLE])
    assert sweep(root, [TABLE]) == [], "one sweep was not enough"
    assert [*(root.staging / TABLE).glob("*")] == []
    entries = commit.manifest(root, TABLE)
    assert {root.root / name for name in entries} == set(root.captures.glob("*.parquet"))
    assert all(commit.sha256_file(root.root / name) == entry.sha256 for name, entry in entries.items())
    ends = [begun for begun, _ in runs[1:]] + [time.time_ns()]
    connected = [(begun, end, taken) for (begun, taken), end in zip(runs, ends, strict=True) if taken >= 0]
    for (begun, end, taken), sent in zip(connected, emulator.said.values(), strict=True):
        found = recorded(root, begun, end)
        assert found == sent[: len(found)], "no prefix of what was sent"
        assert len(found) >= taken


@pytest.mark.promise("A1", "B2")
def test_three_kills_lose_nothing_that_was_taken_down(tmp_path):
    """At a step of the commit, at some moment, and while journals are rolled."""
    root = DataRoot(tmp_path / "data")
    with Emulator(VENUE, ["BTCUSDT"], rate=200) as emulator:
        taken = [
            kill(root, emulator, 0.4, kill_at="renamed"),
            kill(root, emulator, 0.7),
            kill(root, emulator, 1.1, roll_bytes=ROLL),
        ]
    assert min(count for _, count in taken) > 0
    prove(root, emulator, taken)


@pytest.mark.slow
@pytest.mark.promise("A1", "B2")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_kills_lose_nothing_that_was_taken_down(tmp_path, seed):
    """Every step twice, with and without rolls, and as often at random; each start recovers what the last one left."""
    root = DataRoot(tmp_path / "data")
    rng = random.Random(seed)
    taken = list[tuple[int, int]]()
    runs = [{"kill_at": step} | roll for step in STEPS for roll in ({}, {"roll_bytes": ROLL})]
    runs += [{"roll_bytes": ROLL} if k % 2 else {} for k in range(18)]
    rng.shuffle(runs)
    with Emulator(VENUE, ["BTCUSDT"], rate=200, seed=seed) as emulator:
        for patches in runs:
            taken.append(kill(root, emulator, rng.uniform(0.05, 1.5), **patches))
    prove(root, emulator, taken)
