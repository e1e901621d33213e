"""A function in a process of its own, forked from one that has imported what takes long.

`subprocess` would import everything for each process: seconds of processor time for a capture. The interface is that of
`subprocess.Popen` with text pipes, as far as tests need it.
"""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["ccxt.pro", "cli.capture", "tests.support.emulator.verb"])


class Forked:
    """A running process.

    Args:
        work: a function of a module that is quick to import; it takes `arguments`, and returns the return code or None.
        arguments: its first argument.
        environment: variables that the process has beside those of this one.
        more: further arguments by name.
    """

    def __init__(
        self, work: Callable[..., Any], arguments: Any, environment: dict[str, str], more: dict[str, Any] | None = None
    ) -> None:
        (out, out_end), (err, err_end) = CONTEXT.Pipe(duplex=False), CONTEXT.Pipe(duplex=False)
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno())) for end in (out, err))
        everything = dict(os.environ) | environment
        self._process = CONTEXT.Process(
            target=_run, args=(work, arguments, more or {}, everything, out_end, err_end), daemon=True
        )
        self._process.start()
        for end in (out, out_end, err, err_end):
            end.close()

    @property
    def returncode(self) -> int | None:
        """None while it runs, minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The return code."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it has ended."""
        self._process.join(timeout)
        return self.returncode

    def communicate(self, timeout: float = 240.0) -> tuple[str, str]:
        """Wait until it has ended; what it printed and what it complained of."""
        told = "" if self.stdout.closed else self.stdout.read()
        complained = "" if self.stderr.closed else self.stderr.read()
        self.stdout.close()
        self.stderr.close()
        assert self.wait(timeout) is not None, "it does not end"
        return told, complained

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self._process.pid or 0, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _run(
    work: Callable[..., Any], arguments: Any, more: dict[str, Any], environment: dict[str, str], out: Any, err: Any
) -> None:
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    out.close()
    err.close()
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(work(arguments, **more))
