"""Between connections and the journal: a bounded queue, one writer thread, and the roll from file to file.

Here: taking frames without waiting, writing them in order, syncing at most a second apart, rolling and sealing.
Not here: the journal's format (`ml.capture.journal`), connections (`ml.exchange`).

The queue is bounded in bytes. Where the disk does not keep up, a frame is refused, and a LOSS record `overflow` for its
instruments stands where it would have been: memory stays bounded and the gap is on record.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, time_ns

import orjson

from ml.capture import journal
from ml.capture.journal import Journal, Kind, Record
from ml.capture.seal import Sealed, seal
from ml.errors import StoreError
from ml.paths import DataRoot

SYNC_SECONDS = 0.5
QUEUE_BYTES = 64 << 20
ROLL_BYTES = 128 << 20
ROLL_SECONDS = 3_600.0


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
        self.root, self.venue, self.sealed = root, venue, sealed
        self.queue_bytes, self.roll_bytes = queue_bytes, roll_bytes
        self.waiting_bytes = self.frames = self.bytes = self.overflows = 0
        self.slowest_ms = 0.0
        """Longest time from receipt to the kernel since it was last read, ms."""
        self.failure: OSError | StoreError | None = None
        """Why frames cannot be written, or a journal not sealed; what the journals hold is kept for the next start."""
        self._names: dict[int, str] = {}
        self._queue: deque[Record] = deque()
        self._lost: dict[int, tuple[str, ...]] = {}
        self._wake, self._stopping = threading.Condition(), False
        self._sealers: list[threading.Thread] = []
        self._journal, self._begun = self._next(), monotonic()
        self._thread = threading.Thread(target=self._write, name=f"journal-{venue}")
        self._thread.start()

    def connection(self, number: int, name: str) -> None:
        """Name a connection before its first frame."""
        self._names[number] = name
        self._put(Record(Kind.CONNECTION, number, time_ns(), name.encode()))

    def offer(self, connection: int, recv_ts: int, payload: bytes, symbols: tuple[str, ...]) -> bool:
        """Take a frame; False if there is no room, which is then on record as a loss for `symbols`."""
        if self.waiting_bytes + len(payload) > self.queue_bytes:
            self._lost[connection] = symbols
            self.overflows += 1
            return False
        lost = self._lost.pop(connection, ())
        for symbol in lost:
            self.loss(connection, symbol, "overflow")
        self._put(Record(Kind.FRAME, connection, recv_ts, payload))
        self.frames += 1
        self.bytes += len(payload)
        return True

    def loss(self, connection: int, symbol: str, reason: str) -> None:
        """Note that frames of an instrument may be missing here."""
        payload = orjson.dumps({"loss": reason, "symbol": symbol})
        self._put(Record(Kind.LOSS, connection, time_ns(), payload))

    def stop(self) -> None:
        """Write what waits, note the clean end, seal, and return when all is in place."""
        for connection, symbols in self._lost.items():
            for symbol in symbols:
                self.loss(connection, symbol, "overflow")
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        for sealer in self._sealers:
            sealer.join()

    def _put(self, record: Record) -> None:
        with self._wake:
            self._queue.append(record)
            self.waiting_bytes += len(record.payload)
            self._wake.notify()

    def _take(self) -> list[Record]:
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(SYNC_SECONDS)
            taken = list(self._queue)
            self._queue.clear()
        return taken

    def _write(self) -> None:
        try:
            self._write_all()
        except OSError as error:
            self.failure = error
            with suppress(OSError):
                self._journal.close()
        else:
            self._seal(self._journal.path)

    def _write_all(self) -> None:
        synced = monotonic()
        while True:
            stopping, taken = self._stopping, self._take()
            for record in taken:
                self._journal.append(*record)
            self._journal.flush()
            if taken:
                self.slowest_ms = max(self.slowest_ms, (time_ns() - taken[0].recv_ts) / 1e6)
            with self._wake:
                self.waiting_bytes -= sum(len(record.payload) for record in taken)
            if monotonic() - synced >= SYNC_SECONDS:
                self._journal.sync()
                synced = monotonic()
            if stopping and not taken:
                break
            if self._journal.size >= self.roll_bytes or monotonic() - self._begun >= ROLL_SECONDS:
                self._roll()
        self._journal.end(time_ns())

    def _roll(self) -> None:
        """Begin the next journal, then seal the one before it beside the writing."""
        finished = self._journal
        self._journal, self._begun = self._next(), monotonic()
        for number, name in self._names.items():
            self._journal.append(Kind.CONNECTION, number, time_ns(), name.encode())
        finished.end(time_ns())
        sealer = threading.Thread(target=self._seal, args=(finished.path,))
        sealer.start()
        self._sealers = [thread for thread in self._sealers if thread.is_alive()] + [sealer]

    def _seal(self, path: Path) -> None:
        try:
            self.sealed(seal(self.root, path))
        except (OSError, StoreError) as error:
            self.failure = error

    def _next(self) -> Journal:
        return Journal(self._path())

    def _path(self) -> Path:
        return self.root.journals / f"{self.venue}__{time_ns()}{journal.SUFFIX}"
