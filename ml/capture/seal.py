"""Seals a finished journal into a parquet capture file through the commit protocol.

It also recovers journals that a dead process left. The journal format belongs to `ml.capture.journal`, reading
capture files to `ml.market.files.captures`.

The journal is removed only after its capture file is published and was read back. Unreadable content is quarantined,
never dropped.
"""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import polars as pl
import pyarrow.parquet as _  # noqa: F401 - loaded at the start: a stop must not wait for it

from ml.capture import journal
from ml.capture.journal import Extent, Kind
from ml.core.errors import CaptureError
from ml.core.paths import DataRoot
from ml.storage import durable
from ml.storage.commit import publish
from ml.tables.schemas import SCHEMAS

TABLE = "captures"


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


def _seal(root: DataRoot, path: Path) -> Sealed:
    try:
        frame, found = _read(path)
    except CaptureError:
        _quarantined(root, path, 0)
        path.unlink()
        return Sealed(path.name, State.QUARANTINED, None, 0, 0)
    if found.torn:
        _quarantined(root, path, found.whole)
    target = root.captures / f"{path.stem}.parquet"
    publish(root, TABLE, target, frame, "")
    path.unlink()  # should a power cut bring it back, it is sealed again to the same file
    state = State.ENDED if found.ended else State.RECOVERED
    return Sealed(path.name, state, target, found.records, found.torn)


def recover(root: DataRoot) -> Iterator[Sealed]:
    """Seal every journal that no living process writes or seals, oldest first."""
    for path in sorted(root.journals.glob(f"*{journal.SUFFIX}")):
        try:
            sealed = None if journal.in_use(path) else seal(root, path)
        except FileNotFoundError:
            continue  # the sealing process of a capture that died was not done when this one began
        if sealed is not None:
            yield sealed


def _read(path: Path) -> tuple[pl.DataFrame, Extent]:
    """Frames and losses with their connection's name, in order."""
    records, found = journal.read(path)
    named = zip(records.kind, records.connection, records.payload, strict=True)
    names = {number: payload.decode() for kind, number, payload in named if kind == Kind.CONNECTION}
    conns = [names.get(number, "") for number in records.connection]
    columns = zip(SCHEMAS[TABLE].items(), (records.kind, conns, records.recv_ts, records.payload), strict=True)
    frame = pl.DataFrame([pl.Series(name, values, dtype) for (name, dtype), values in columns])
    return frame.filter(pl.col("kind").is_in([Kind.FRAME, Kind.LOSS])), found


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
