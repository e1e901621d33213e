"""Compile what most tests need in two processes at once, before the workers of pytest would each compile all of it."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.core import kernel_cache


def precompile() -> None:
    """Half of the compiled functions in each process, by what compiling takes; nothing if they are there already."""
    if kernel_cache.folder() is None or not kernel_cache.notice():
        return
    parts = [subprocess.Popen([sys.executable, "-m", __name__, part]) for part in (BOOK, REST)]
    for part in parts:
        part.wait()


BOOK = "book"
REST = "rest"


def main(part: str) -> None:
    """Have one half called once."""
    from live.runner import Runner
    from ml.layering.detector import shipped_detector
    from ml.simulation.instrument import INSTRUMENT
    from tests.support.command import lobforge
    from tests.support.scenario import capture, diff, snapshot

    if part == BOOK:
        Runner(INSTRUMENT, None).prepare()
        return
    with TemporaryDirectory() as folder:
        lobforge("inspect", str(capture(Path(folder) / "a.log", [snapshot(1, 10**12), diff(2, 1, 10**12)])), "--json")
    shipped_detector(INSTRUMENT).prepare()


if __name__ == "__main__":
    main(sys.argv[1])
