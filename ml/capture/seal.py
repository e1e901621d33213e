"""Seals a finished journal into a parquet capture file, and one of predictions, through the commit protocol.

It also recovers journals that a dead process left. `Sealer` seals in a separate process, so that no frame waits for
the interpreter: the path of a journal is sent as a line, the result comes back as a line, and the process ends when its
input ends, so it never outlives the capture. The journal format belongs to `ml.capture.journal`, reading
capture files to `ml.market.files.captures`.

The journal is removed only after its files are published and were read back. Unreadable content is quarantined,
never dropped.
"""

import fcntl
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import orjson
import polars as pl
import pyarrow.parquet as _  # noqa: F401 - loaded at the start: a stop must not wait for it

from ml.capture import journal
from ml.capture.journal import Extent, Kind
from ml.core.errors import CaptureError, StoreError
from ml.core.paths import DataRoot
from ml.storage import durable
from ml.storage.commit import publish
from ml.tables.schemas import SCHEMAS

TABLE = "captures"
PREDICTIONS = "prediction_log"
START = """
import os
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
os.nice(10)
from ml.capture.seal import main
main()
"""
"""Capturing comes first where both share a core, whatever class it runs in, from the first import on."""
CLOSE_SECONDS = 2.0
"""How long a stop waits for what is not sealed yet; the next start seals the rest."""


class State(StrEnum):
    """How a capture came to its end."""

    ENDED = "ended"
    """It stopped cleanly."""
    RECOVERED = "recovered"
    """Its process or machine died; all that was whole is kept, the torn tail is quarantined."""
    QUARANTINED = "quarantined"
    """The file was no journal; it is quarantined whole."""


@dataclass(frozen=True)
class Sealed:
    """What became of a journal: its state, the capture file (None if quarantined), records kept and bytes torn off."""

    journal: str
    state: State
    path: Path | None
    records: int
    torn: int


def seal(root: DataRoot, path: Path) -> Sealed:
    """Turn a journal that nobody writes any more into a capture file; a second process that tries waits for the first.

    Raises:
        FileNotFoundError: the first one sealed it.
        StoreError: the written file does not read back equal; the journal is still there.
    """
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        return _seal(root, path)


def recover(root: DataRoot) -> Iterator[Sealed]:
    """Seal every journal that no living process writes or seals, oldest first."""
    for path in sorted(root.journals.glob(f"*{journal.SUFFIX}")):
        try:
            sealed = None if journal.in_use(path) else seal(root, path)
        except FileNotFoundError:
            continue  # the sealing process of a capture that died was not done when this one began
        if sealed is not None:
            yield sealed


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


def _seal(root: DataRoot, path: Path) -> Sealed:
    try:
        frame, predictions, found = _read(path)
    except CaptureError:
        _quarantined(root, path, 0)
        path.unlink()
        return Sealed(path.name, State.QUARANTINED, None, 0, 0)
    if found.torn:
        _quarantined(root, path, found.whole)
    target = root.captures / f"{path.stem}.parquet"
    publish(root, TABLE, target, frame, "")
    if predictions.height:
        publish(root, PREDICTIONS, root.table(PREDICTIONS) / target.name, predictions, "")
    path.unlink()  # should a power cut bring it back, it is sealed again to the same file
    state = State.ENDED if found.ended else State.RECOVERED
    return Sealed(path.name, state, target, found.records, found.torn)


def _read(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, Extent]:
    """Frames and losses with their connection's name, in order; predictions."""
    records, found = journal.read(path)
    named = zip(records.kind, records.connection, records.payload, strict=True)
    names = {number: payload.decode() for kind, number, payload in named if kind == Kind.CONNECTION}
    conns = [names.get(number, "") for number in records.connection]
    columns = zip(SCHEMAS[TABLE].items(), (records.kind, conns, records.recv_ts, records.payload), strict=True)
    frame = pl.DataFrame([pl.Series(name, values, dtype) for (name, dtype), values in columns])
    said = [text for kind, text in zip(records.kind, records.payload, strict=True) if kind == Kind.PREDICTION]
    rows = [orjson.loads(line) for text in said for line in text.splitlines()]
    predictions = pl.DataFrame(rows, SCHEMAS[PREDICTIONS], orient="row")
    return frame.filter(pl.col("kind").is_in([Kind.FRAME, Kind.LOSS])), predictions, found


def _quarantined(root: DataRoot, path: Path, start: int) -> None:
    """Keep the bytes from `start` on in the quarantine, durably, before anything is removed."""
    home = root.quarantine / "journals" / f"{path.name}.from-{start}"
    durable.make_folder(home.parent)
    with path.open("rb") as source, home.open("wb") as sink:
        source.seek(start)
        while chunk := source.read(1 << 20):
            sink.write(chunk)
        durable.sync(sink)
    durable.sync_folder(home.parent)
