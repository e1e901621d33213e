"""One trial of `lobforge capture` under load: what was sent, what was journalled and when, and what it cost.

Here: starting the venue on one core and the capture on another, watching both, and counting afterwards.
Not here: judging (`tests.benchmarks`, the soak test).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import numpy as np

from ml.capture.journal import MAGIC, Kind, read
from tests.support.emulator.load import BUSY, names

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
HEADER = 19
"""Bytes of a journal's record around its payload."""


@dataclass(frozen=True)
class Setting:
    """What to play: symbols, multiple of the recorded rate (0: as fast as it is taken), seconds of the tape, lap."""

    symbols: int = 50
    speed: float = 1.0
    seconds: float = 60.0
    lap: float = 60.0
    entry: str = "cli"
    """The module that is run for `lobforge`."""
    first: bool = False
    """Before all other work of the machine, where that is allowed: for figures that are the capture's own."""


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Args:
        sent: frames that were handed to the sockets, and snapshots.
        journalled: those of them that the journals hold.
        overflows: those that the capture refused and has on record.
        kept_up: share of the tape's rate that was kept; 1 at speed 0.
        wall_s: from the first frame to the last.
        core_s: seconds of processor that the capture took for a second of tape, its sealing included.
        rss: resident memory of the capture, samples over the run, bytes.
        delay: from the moment a frame was handed to the socket to its being seen in the journal, s, per market frame.
        summary: what the capture said at the end.
    """

    sent: int
    journalled: int
    overflows: int
    kept_up: float
    wall_s: float
    core_s: float
    rss: np.ndarray
    delay: np.ndarray
    summary: dict[str, Any]


def run(setting: Setting, market: Path, folder: Path) -> Trial:
    """Play and capture; each process has a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    data = folder / "data"
    told = ["--market", market, "--symbols", setting.symbols, "--lap", setting.lap, "--speed", setting.speed]
    told += ["--seconds", setting.seconds, "--journals", data / "journals", "--log", folder / "log.npy"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.emulator.load", *map(str, told)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=partial(_pin, cores[0], setting.first),
    ) as venue:
        assert venue.stdout is not None
        try:
            url = f"127.0.0.1:{json.loads(venue.stdout.readline())['port']}"
            with _capture(setting, url, data, cores[-1]) as capture, Watcher(capture.pid) as watcher:
                played = json.loads(venue.stdout.readline())
                watcher.stop()
                capture.send_signal(signal.SIGTERM)
                out, err = capture.communicate(timeout=300)
        finally:
            venue.kill()
    assert out, err
    summary = json.loads(out.splitlines()[-1])
    return _counted(setting, played, summary, watcher, folder / "log")


def _pin(core: int, first: bool) -> None:
    os.sched_setaffinity(0, {core})
    if first:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _capture(setting: Setting, url: str, data: Path, core: int) -> subprocess.Popen[str]:
    told = [
        "capture",
        "--venue",
        "binance-usdm",
        "--json",
        "--stream-url",
        f"ws://{url}",
        "--rest-url",
        f"http://{url}",
    ]
    return subprocess.Popen(
        [sys.executable, "-m", setting.entry, *told, "--symbols", ",".join(names(setting.symbols))],
        env=os.environ | {"LOBFORGE_DATA_ROOT": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(_pin, core, setting.first),
    )


class Watcher:
    """Processor time and memory of a process and its children, sampled."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.samples = list[tuple[float, float, int]]()
        self._stop, self._thread = Event(), Thread(target=self._watch)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take no more samples."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            times, resident = _usage(self.pid)
            for child in _children(self.pid):
                times += _usage(child)[0]
            self.samples.append((time.monotonic(), times, resident))


def _usage(pid: int) -> tuple[float, int]:
    """Seconds of processor, with those of children that ended, and resident bytes."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, 0
    return sum(int(field) for field in fields[11:15]) / TICKS, int(fields[21]) * PAGE


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:
        return []


def _counted(setting: Setting, played: dict[str, Any], summary: dict[str, Any], watcher: Watcher, log: Path) -> Trial:
    seen = np.load(log.with_suffix(".npy"))
    counts, ends = zip(*map(_ends, sorted(log.with_suffix(".journals").glob("*"))), strict=True)
    delay = delays(seen, ends)
    samples = np.array(watcher.samples)
    # the start and the first snapshots are left out: the second half of the run
    half = samples[len(samples) // 2 :]
    tape_s = setting.seconds / played["wall_s"]
    core_s = (half[-1, 1] - half[0, 1]) / (half[-1, 0] - half[0, 0]) / tape_s
    kept_up = setting.seconds / setting.speed / played["wall_s"] if setting.speed else 1.0
    return Trial(
        played["sent"],
        sum(counts),
        summary["overflows"],
        kept_up,
        played["wall_s"],
        core_s,
        samples[:, 2],
        delay,
        summary | {"connections": played["connections"], "venue_cpu_s": played["cpu_s"]},
    )


def delays(seen: np.ndarray, journals: Sequence[np.ndarray]) -> np.ndarray:
    """Seconds from socket to journal of every market frame that the busy connection brought; all must be there.

    Args:
        seen: rows of time ns before sending, frames sent so far, number of the newest journal, its bytes, time ns then.
        journals: where their records end, for each journal.
    """
    at = list[np.ndarray]()
    for number, ends in enumerate(journals):
        grown = np.where(seen[:, 2] > number, np.iinfo(np.int64).max, np.where(seen[:, 2] == number, seen[:, 3], 0))
        at.append(seen[np.minimum(np.searchsorted(grown, ends), len(seen) - 1), 4])
    journalled = np.concatenate(at)
    sent = seen[np.searchsorted(seen[:, 1], np.arange(1, len(journalled) + 1)), 0]
    return (journalled - sent) / 1e9


def _ends(path: Path) -> tuple[int, np.ndarray]:
    """Frames in a journal, and where the records of the busy connection's market frames end."""
    frames = 0
    found = list[int]()
    busy = -1
    place = len(MAGIC)
    for kind, connection, payload in zip(*itemgetter(0, 1, 3)(read(path)[0]), strict=True):
        place += HEADER + len(payload)
        if kind == Kind.CONNECTION and payload.endswith(BUSY.encode()):
            busy = connection
        if kind == Kind.FRAME:
            frames += 1
            if connection == busy and payload.startswith(b'{"stream"'):
                found.append(place)
    return frames, np.array(found, np.int64)


def main() -> None:
    """`python -m tests.support.emulator.trial FOLDER SPEED SECONDS [first]`: one trial by hand."""
    with TemporaryDirectory() as folder:
        setting = Setting(speed=float(sys.argv[2]), seconds=float(sys.argv[3]), first="first" in sys.argv)
        trial = run(setting, Path(sys.argv[1]), Path(folder))
        quantiles = np.quantile(trial.delay, [0.5, 0.99, 0.999, 1.0]) * 1e3
        lost = trial.sent - trial.journalled - trial.overflows
        print(f"sent {trial.sent} lost {lost} overflows {trial.overflows} kept up {trial.kept_up:.3f}")
        print(f"core seconds a second {trial.core_s:.3f}; delay ms p50 p99 p99.9 max {quantiles.round(2)}")
        print(f"RSS MiB, deciles {(trial.rss[:: max(len(trial.rss) // 10, 1)] / 2**20).round()}; {trial.summary}")


if __name__ == "__main__":
    main()
