"""Between connections and journal: a bounded queue, a writer thread, a sync thread, and rolling of journals.

Frames are accepted without waiting, written in order and synced at most a second apart. The format belongs to
`ml.capture.journal`, connections to `ml.capture.connections`.

The queue is bounded in bytes. If the disk does not keep up, frames are dropped, and a LOSS record `overflow` for each
instrument of the connection takes the place of the first one. Only these records may exceed the bound, once until a
frame of the connection is accepted again.
"""

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, time_ns
from typing import NamedTuple

import orjson

from ml.capture import journal
from ml.capture.delays import Delays
from ml.capture.journal import Journal, Kind, render
from ml.capture.seal import Sealed, Sealer, seal
from ml.core.errors import StoreError
from ml.core.paths import DataRoot

SYNC_SECONDS = 0.5
QUEUE_BYTES = 64 << 20
BACKLOG_BYTES = 8 << 20
"""What waits together only where the disk stood still; its memory is given back."""
ROLL_BYTES = 128 << 20
ROLL_SECONDS = 3_600.0


class Waiting(NamedTuple):
    """Records that wait for the disk: as they stand in a journal, how many frames they are, and since when."""

    rendered: bytes
    frames: int
    recv_ts: int


class Source(NamedTuple):
    """A connection: its name, the instruments whose frames are lost with it, and whether books are among them."""

    name: str
    symbols: tuple[str, ...]
    books: bool


class Recorder:
    """Writes one venue's frames; `offer` may be called from the event loop, it never waits for the disk.

    Args:
        root: data root that holds the journals and the capture files.
        venue: first part of the files' names.
        queue_bytes: most bytes that wait for the disk.
        roll_bytes: size at which a journal is sealed and the next one begun.
        sealed: told of every capture file.
    """

    def __init__(
        self,
        root: DataRoot,
        venue: str,
        queue_bytes: int = QUEUE_BYTES,
        roll_bytes: int = ROLL_BYTES,
        sealed: Callable[[Sealed], None] = lambda _: None,
    ) -> None:
        self.root = root
        self.venue = venue
        self.sealed = sealed
        self.queue_bytes = queue_bytes
        self.roll_bytes = roll_bytes
        self.waiting_bytes = self.frames = self.bytes = self.overflows = 0
        self.predictions_dropped = 0
        """Seconds whose predictions found no room."""
        self.slowest_ms = 0.0
        """Longest time from receipt to the kernel since it was last read, ms."""
        self.delays = Delays()
        self.failure: OSError | StoreError | None = None
        """Why frames cannot be written, or a journal not sealed; what the journals hold is kept for the next start."""
        self._sources: dict[int, Source] = {}
        self._queue: deque[Waiting] = deque()
        self._refusing: set[int] = set()
        self._wake = threading.Condition()
        self._stopping = False
        self._sealer = Sealer(root, sealed, self._fail)
        self._journal = self._next()
        self._begun = monotonic()
        self._finished: deque[Journal] = deque()
        self._written = threading.Event()
        self._thread = threading.Thread(target=self._write, name=f"journal-{venue}")
        self._keeper = threading.Thread(target=self._keep, name=f"sync-{venue}")
        self._thread.start()
        self._keeper.start()

    @property
    def unsealed(self) -> int:
        """Journals that were rolled and are not sealed yet."""
        return self._sealer.waiting

    def connection(self, number: int, name: str, symbols: tuple[str, ...] = (), *, books: bool = True) -> None:
        """Name a connection before its first frame, and say what is lost with it, as in `Source`."""
        self._sources[number] = Source(name, symbols, books)
        self._note(Kind.CONNECTION, number, name.encode())

    def offer(self, connection: int, recv_ts: int, frames: Sequence[bytes]) -> bool:
        """Take frames that came together; False if there is no room, which is put on record as a loss."""
        rendered = render(Kind.FRAME, connection, recv_ts, frames)
        if self.waiting_bytes + len(rendered) > self.queue_bytes:
            if connection not in self._refusing:
                self._refusing.add(connection)
                self.loss(connection, "overflow")
            self.overflows += len(frames)
            return False
        self._refusing.discard(connection)
        self._put(Waiting(rendered, len(frames), recv_ts))
        self.frames += len(frames)
        self.bytes += sum(map(len, frames))
        return True

    def loss(self, connection: int, reason: str) -> None:
        """Note that frames of a connection may be missing here: one record for each of its instruments."""
        source = self._sources[connection]
        beside = {} if source.books else {"books": False}
        for symbol in source.symbols:
            self._note(Kind.LOSS, connection, orjson.dumps({"loss": reason, "symbol": symbol} | beside))

    def predicted(self, lines: bytes) -> bool:
        """Record what models said of a second, rows of `prediction_log` as JSON lines; False if there is no room."""
        now = time_ns()
        rendered = render(Kind.PREDICTION, 0, now, (lines,))
        if self.waiting_bytes + len(rendered) > self.queue_bytes:
            self.predictions_dropped += 1
            return False
        self._put(Waiting(rendered, 0, now))
        return True

    def stop(self) -> None:
        """Write what waits, note the clean end, seal, and return when all is in place."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        self._sealer.close()

    def _note(self, kind: Kind, connection: int, payload: bytes) -> None:
        now = time_ns()
        self._put(Waiting(render(kind, connection, now, (payload,)), 0, now))

    def _put(self, waiting: Waiting) -> None:
        with self._wake:
            self._queue.append(waiting)
            self.waiting_bytes += len(waiting.rendered)
            self._wake.notify()

    def _take(self) -> list[Waiting]:
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(SYNC_SECONDS)
            taken = list(self._queue)
            self._queue.clear()
        return taken

    def _write(self) -> None:
        finish = self._journal_end
        try:
            self._write_all()
        except OSError as error:
            self._fail(error)
            finish = self._journal_close
        self._written.set()
        self._keeper.join()
        finish()

    def _journal_end(self) -> None:
        try:
            self._journal.end(time_ns())
        except OSError as error:
            self._fail(error)
        else:
            self._seal(self._journal.path)

    def _journal_close(self) -> None:
        with suppress(OSError):
            self._journal.close()

    def _write_all(self) -> None:
        while True:
            stopping = self._stopping
            taken = self._take()
            for waiting in taken:
                self._journal.write(waiting.rendered)
            self._journal.flush()
            written = self._count(taken)
            if stopping and not taken:
                return
            if written >= BACKLOG_BYTES:
                taken.clear()
                _give_back()
            if self._journal.size >= self.roll_bytes or monotonic() - self._begun >= ROLL_SECONDS:
                self._roll()

    def _keep(self) -> None:
        """Sync what was written, end what was rolled: beside the writing, which never waits for the disk's cache."""
        begun = monotonic()
        try:
            while True:
                last = self._written.wait(max(SYNC_SECONDS - (monotonic() - begun), 0))
                begun = monotonic()
                while self._finished:
                    finished = self._finished.popleft()
                    finished.end(time_ns())
                    self._sealer.submit(finished.path)
                if last:
                    return
                self._journal.sync()
        except OSError as error:
            self._fail(error)

    def _count(self, written: list[Waiting]) -> int:
        """Note that these are with the kernel now; returns their bytes."""
        now = time_ns()
        for waiting in written:
            seconds = (now - waiting.recv_ts) / 1e9
            self.delays.add(seconds, waiting.frames)
            self.slowest_ms = max(self.slowest_ms, seconds * 1e3)
        size = sum(len(waiting.rendered) for waiting in written)
        with self._wake:
            self.waiting_bytes -= size
        return size

    def _roll(self) -> None:
        """Begin the next journal; the one before it is ended and sealed beside the writing."""
        finished = self._journal
        self._journal = self._next()
        self._begun = monotonic()
        for number, source in self._sources.items():
            self._journal.append(Kind.CONNECTION, number, time_ns(), source.name.encode())
        self._finished.append(finished)

    def _seal(self, path: Path) -> None:
        try:
            self.sealed(seal(self.root, path))
        except (OSError, StoreError) as error:
            self._fail(error)

    def _fail(self, error: OSError | StoreError) -> None:
        self.failure = error

    def _next(self) -> Journal:
        return Journal(self._path())

    def _path(self) -> Path:
        return self.root.journals / f"{self.venue}__{time_ns()}{journal.SUFFIX}"


def _give_back() -> bool:
    """Return the memory of a written backlog to the operating system; False where the C library has no way to.

    glibc keeps memory that is freed below its last block in use: a queue that was full once would keep 60 MB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
