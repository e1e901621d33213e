"""From a finished journal to a capture file: parquet, published through the commit protocol.

Here: sealing one journal, and recovering those that a dead process left.
Not here: the journal itself (`ml.capture.journal`), reading capture files (`ml.market.captures`).

The journal is removed only after its capture file is in place and was read back. What cannot be read is set aside,
never dropped.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import polars as pl
import pyarrow.parquet as _  # noqa: F401 - loaded at the start: a stop must not wait for it

from ml.capture import journal
from ml.capture.journal import Kind
from ml.errors import CaptureError
from ml.paths import DataRoot
from ml.schemas import TABLES
from ml.store import publish, sync_folder

TABLE = "captures"


class State(StrEnum):
    """How a capture came to its end."""

    ENDED = "ended"
    """It stopped cleanly."""
    RECOVERED = "recovered"
    """Its process or machine died; all that was whole is kept, the torn tail is set aside."""
    QUARANTINED = "quarantined"
    """The file was no journal; it is set aside whole."""


@dataclass(frozen=True)
class Sealed:
    """What became of a journal: its state, the capture file (None if quarantined), records kept and bytes torn off."""

    journal: str
    state: State
    path: Path | None
    records: int
    torn: int


def seal(root: DataRoot, path: Path) -> Sealed:
    """Turn a journal that nobody writes any more into a capture file.

    Raises:
        StoreError: the written file does not read back equal; the journal is still there.
    """
    try:
        found = journal.extent(path)
    except CaptureError:
        _set_aside(root, path, 0)
        path.unlink()
        sync_folder(path.parent)
        return Sealed(path.name, State.QUARANTINED, None, 0, 0)
    if found.torn:
        _set_aside(root, path, found.whole)
    target = root.captures / f"{path.stem}.parquet"
    publish(root, TABLE, target, _frame(path), "")
    path.unlink()
    sync_folder(path.parent)
    state = State.ENDED if found.ended else State.RECOVERED
    return Sealed(path.name, state, target, found.records, found.torn)


def recover(root: DataRoot) -> Iterator[Sealed]:
    """Seal every journal that no living process writes, oldest first."""
    for path in sorted(root.journals.glob(f"*{journal.SUFFIX}")):
        if not journal.in_use(path):
            yield seal(root, path)


def _frame(path: Path) -> pl.DataFrame:
    """Frames and losses with their connection's name, in order."""
    names: dict[int, str] = {}
    rows: list[tuple[int, str, int, bytes]] = []
    for record in journal.records(path):
        if record.kind == Kind.CONNECTION:
            names[record.connection] = record.payload.decode()
        elif record.kind != Kind.END:
            rows.append((int(record.kind), names.get(record.connection, ""), record.recv_ts, record.payload))
    return pl.DataFrame(rows, schema=TABLES[TABLE], orient="row")


def _set_aside(root: DataRoot, path: Path, start: int) -> None:
    """Keep the bytes from `start` on in the quarantine, durably, before anything is removed."""
    home = root.quarantine / "journals" / f"{path.name}.from-{start}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as source, home.open("wb") as sink:
        source.seek(start)
        while chunk := source.read(1 << 20):
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    sync_folder(home.parent)
