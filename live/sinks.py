"""Where signals go: standard output, a database, and whoever listens.

Here: sinks, none of which makes a signal wait.
Not here: signals (`live.signals`), the database (`live.signal_table`), HTTP (`live.signal_server`).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep
from typing import Protocol

import msgspec

from live.signals import Missed, Signal
from ml.core.errors import StoreError

LOG = logging.getLogger(__name__)
MOST_WAITING = 200_000
"""Signals that a database which does not answer may leave waiting; then the oldest are dropped, and counted."""
MOST_AT_ONCE = 1_000
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LAST_PAUSE = 0.05
"""Seconds between tries of a store that is to be left."""
MOST_UNREAD = 10_000
"""Signals that a listener may leave unread before it is cut off."""


class Store(Protocol):
    """What keeps signals: `live.signal_table.SignalTable`."""

    def write(self, rows: Sequence[Signal | Missed]) -> None:
        """Keep them, or raise `StoreError` and keep none."""
        ...


class Lines:
    """Signals as lines of JSON.

    Args:
        write: takes a line.
        form: what a line says of a signal; nothing is written of None.
    """

    def __init__(self, write: Callable[[str], None], form: Callable[[Signal], object | None]) -> None:
        self.write = write
        self.form = form

    def put(self, signal: Signal) -> None:
        """Write a line."""
        shown = self.form(signal)
        if shown is not None:
            self.write(msgspec.json.encode(shown).decode())

    def miss(self, missed: Missed) -> None:
        """It is said in the log."""
        LOG.warning("No signals of %s, %s from %d to %d: %s", *vars(missed).values())


class Stored:
    """Signals into a store, by a thread of its own that tries again with growing pauses.

    Args:
        store: it may fail or take its time.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.dropped = 0
        self.failures = 0
        self._waiting = deque[Signal | Missed](maxlen=MOST_WAITING)
        self._wake = Event()
        self._ending = Event()
        self._until = 0.0
        self._thread = Thread(target=self._work, name="signal store", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows that are not stored yet."""
        return len(self._waiting)

    def put(self, signal: Signal) -> None:
        """Have a signal stored."""
        self._add(signal)

    def miss(self, missed: Missed) -> None:
        """Have missed steps stored."""
        self._add(missed)

    def close(self, seconds: float = 4.0) -> int:
        """Store what waits, for so long at most; returns how many rows are lost."""
        self._until = monotonic() + seconds
        self._ending.set()
        self._wake.set()
        self._thread.join(seconds + 1.0)
        return self.waiting

    def _add(self, row: Signal | Missed) -> None:
        if len(self._waiting) == MOST_WAITING:
            self.dropped += 1
        self._waiting.append(row)
        self._wake.set()

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while self._waiting or not self._ending.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                rows = [self._waiting[k] for k in range(min(len(self._waiting), MOST_AT_ONCE))]
                try:
                    self.store.write(rows)
                except StoreError:
                    self.failures += 1
                    LOG.exception("%d signals could not be stored; next try in %.1f s", len(self._waiting), pause)
                    if self._ending.wait(pause):
                        if monotonic() >= self._until:
                            return
                        sleep(LAST_PAUSE)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                pause = FIRST_PAUSE
                for row in rows:
                    if self._waiting[0] is row:  # another one, if it was dropped meanwhile
                        self._waiting.popleft()


class Listeners:
    """Signals to whoever listens in this process's event loop; one that does not read is cut off."""

    def __init__(self) -> None:
        self._queues = set[asyncio.Queue[Signal | None]]()

    def put(self, signal: Signal) -> None:
        """Hand a signal to all of them."""
        for queue in list(self._queues):
            if queue.qsize() >= MOST_UNREAD:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(signal)

    def miss(self, missed: Missed) -> None:
        """They hear of signals alone."""

    @contextmanager
    def listening(self):
        """A queue of the signals from now on; None ends it."""
        queue = asyncio.Queue[Signal | None]()
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
