"""Peers that do not install beside us: each in a virtual environment of its own, made on first use.

Here: making it, and running a script in it that prints its measured times as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.architecture.sources import PROJECT

FOLDER = PROJECT / ".peers"


class Unreachable(Exception):
    """A peer cannot be installed here; the text is the last line of why."""


def python_of(name: str, *packages: str) -> Path:
    """The interpreter of a peer's environment.

    Raises:
        Unreachable: it cannot be made.
    """
    folder = FOLDER / name
    if not (folder / ".ok").exists():
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *packages)
        (folder / ".ok").touch()
    return folder / "bin" / "python"


def times(python: Path, script: str, *arguments: str) -> list[float]:
    """Seconds of each run, which the script prints in its last line."""
    done = subprocess.run([str(python), "-c", script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unreachable((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unreachable((done.stderr.strip().splitlines() or ["no message"])[-1])
