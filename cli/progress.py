"""What a person is told while a command works; standard output belongs to results.

Here: one line that is rewritten on a terminal, and a line now and then elsewhere.
Not here: the end of a command (`cli.console`).
"""

import shutil
import sys
from time import monotonic

ON_TERMINAL = 0.2
ELSEWHERE = 10.0
"""Seconds between two lines."""
ERASE = "\r\x1b[2K"


def say(line: str) -> None:
    """Print a line that stays; nothing if it is empty."""
    if line:
        print(line, file=sys.stderr, flush=True)


class Progress:
    """How far the work is; the first line comes only if the work takes longer than one."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.shown = monotonic()
        self.standing = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.standing:
            print(ERASE, end="", file=sys.stderr, flush=True)

    def __call__(self, line: str) -> None:
        """Show a line, if it is time for one."""
        now = monotonic()
        if now - self.shown < (ON_TERMINAL if self.terminal else ELSEWHERE):
            return
        self.shown = now
        if self.terminal:
            self.standing = True
            print(ERASE + line[: shutil.get_terminal_size().columns - 1], end="", file=sys.stderr, flush=True)
        else:
            say(line)
