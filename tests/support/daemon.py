"""Dagster's daemon as a user starts it, on a data root of the test's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg

from ml.core.config import Config
from ml.core.paths import DataRoot
from pipelines.setup import initialise

T = TypeVar("T")
PROJECT = Path(__file__).parents[2]


def environment(root: DataRoot) -> dict[str, str]:
    """The variables that name a data root and its instance."""
    return os.environ | {"LOBFORGE_DATA_ROOT": str(root.root), "DAGSTER_HOME": str(root.dagster_home)}


def created(root: DataRoot, config: Config) -> DataRoot:
    """A data root with its instance, as `lobforge init` makes it."""
    initialise(root, config)
    return root


@contextmanager
def daemon(
    root: DataRoot, log: Path, workspace: Path = PROJECT / "workspace.yaml"
) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon in a process group of its own, which is killed at the end; its output goes to `log`."""
    with _started(root, log, "dagster-daemon", "run", "-w", str(workspace)) as process:
        yield process


@contextmanager
def ui(root: DataRoot, log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`lobforge ui`, daemon included, in the same way; its code server stays, where a daemon alone restarts its own."""
    with _started(root, log, "lobforge", "ui", "--port", str(port)) as process:
        yield process


@contextmanager
def _started(root: DataRoot, log: Path, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment(root), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """What a power cut does to the daemon, its code server and its runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(found: Callable[[], T], seconds: float, log: Path) -> T:
    """The first answer that is true; an error with the end of the daemon's output if none came in time."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, log.read_text()[-4_000:]
        time.sleep(0.25)
    return answer


@contextmanager
def instance(root: DataRoot) -> Iterator[dg.DagsterInstance]:
    """The instance of a data root, beside its daemon."""
    with dg.DagsterInstance.from_config(str(root.dagster_home)) as opened:
        yield opened
