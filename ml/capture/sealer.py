"""Sealing in a separate process, so that no frame waits for the interpreter.

Sealing itself belongs to `ml.capture.seal`. The path of a journal is sent as a line, the result comes back as a line.
The process ends when its input ends, so it never outlives the capture; the next start recovers unfinished journals.
"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ml.capture.seal import Sealed, State, seal
from ml.core.errors import StoreError
from ml.core.paths import DataRoot

START = """
import os
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
os.nice(10)
from ml.capture.sealer import main
main()
"""
"""Capturing comes first where both share a core, whatever class it runs in, from the first import on."""
CLOSE_SECONDS = 2.0
"""How long a stop waits for what is not sealed yet; the next start seals the rest."""


class Sealer:
    """Seals journals one after the other; the process starts with the first.

    Args:
        root: data root that holds the journals and the capture files.
        sealed: told of every capture file, from a thread.
        failed: told why a journal could not be sealed; it is kept.
    """

    def __init__(self, root: DataRoot, sealed: Callable[[Sealed], None], failed: Callable[[StoreError], None]) -> None:
        self.root = root
        self.sealed = sealed
        self.failed = failed
        self.waiting = 0
        """Journals that are not sealed yet."""
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._listen, name="sealed")

    def submit(self, path: Path) -> None:
        """Have a journal sealed that nobody writes any more."""
        self.waiting += 1
        if self._process is None:
            command = [sys.executable, "-c", START, str(self.root.root)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._thread.start()
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.failed(StoreError(f"{path.name} is not sealed: the sealing process died"))

    def close(self) -> None:
        """Wait for a moment until all is sealed; a sealing that is broken off leaves its journal whole."""
        if self._process is None:
            return
        with self._process as process:
            assert process.stdin is not None  # noqa: S101 - it was asked for
            with suppress(BrokenPipeError):
                process.stdin.close()
            self._thread.join(CLOSE_SECONDS)
            late = self._thread.is_alive()
            if late:
                process.kill()
            self._thread.join()
        if process.returncode and not late:
            self.failed(StoreError(f"the sealing process ended with {process.returncode}"))

    def _listen(self) -> None:
        process = self._process
        assert process is not None  # noqa: S101 - `submit` starts both
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for line in process.stdout:
            done = json.loads(line)
            if "error" in done:
                self.failed(StoreError(done["error"]))
                continue
            path = done["path"] and Path(done["path"])
            self.waiting -= 1
            self.sealed(Sealed(done["journal"], State(done["state"]), path, done["records"], done["torn"]))


def main() -> None:
    """Seal each journal named on standard input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are meant for the capture, which closes the input
        signal.signal(number, signal.SIG_IGN)
    root = DataRoot(Path(sys.argv[1]))
    for line in sys.stdin:
        try:
            sealed = seal(root, Path(line.strip()))
            done = asdict(sealed)
        except (OSError, StoreError) as error:
            done = {"error": str(error)}
        print(json.dumps(done, default=str), flush=True)  # noqa: T201 - the capture reads it
