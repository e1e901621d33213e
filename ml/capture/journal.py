"""The journal: every received frame, appended at once, durable a second later.

Here: writing it, and reading back all of it that is whole.
Not here: turning a finished journal into a capture file (`ml.capture.seal`), connections (`ml.exchange`).

A journal is a header line and records. A record is its length u32, the crc32 u32 of what follows, then kind u8,
connection u16, receive time i64 ns UTC, and the payload, little-endian. Reading ends at the first record whose length
or crc is wrong: the torn tail of a process or machine that died.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from ml.errors import CaptureError

MAGIC = b"lobforge journal 1\n"
SUFFIX = ".journal"
_HEAD, _BODY = struct.Struct("<II"), struct.Struct("<BHq")
MAX_RECORD = 64 << 20
BUFFER = 1 << 20


class Kind(IntEnum):
    """What a record holds."""

    FRAME = 0
    """A frame as received."""
    CONNECTION = 1
    """The name of the record's connection: the venue and the address, separated by a space."""
    LOSS = 2
    """Why frames of the connection may be missing here: `reconnect`, `silent` or `overflow`."""
    END = 3
    """The capture stopped cleanly; nothing follows."""


class Record(NamedTuple):
    """One record; `connection` numbers the connections of the journal."""

    kind: Kind
    connection: int
    recv_ts: int
    payload: bytes


@dataclass(frozen=True)
class Extent:
    """How far a journal can be read.

    `whole` bytes hold `records` good records; `torn` bytes after them do not. `ended` says that the capture stopped
    cleanly.
    """

    records: int
    whole: int
    torn: int
    ended: bool


class Journal:
    """Appends records to a new file; one process holds it.

    Raises:
        CaptureError: the file exists, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._sink = path.open("xb", buffering=BUFFER)
        except FileExistsError as error:
            raise CaptureError(f"{path} exists already. Another capture of the same start writes it.") from error
        fcntl.flock(self._sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path, self.size = path, len(MAGIC)
        self._sink.write(MAGIC)
        self.sync()

    def append(self, kind: Kind, connection: int, recv_ts: int, payload: bytes) -> None:
        """Take a record down; it survives a kill after `flush`, a power cut after `sync`."""
        body = _BODY.pack(kind, connection, recv_ts)
        crc = zlib.crc32(payload, zlib.crc32(body))
        self._sink.write(_HEAD.pack(len(body) + len(payload), crc) + body + payload)
        self.size += _HEAD.size + len(body) + len(payload)

    def flush(self) -> None:
        """Hand all records to the kernel: they outlive the process."""
        self._sink.flush()

    def sync(self) -> None:
        """Hand all records to the disk: they outlive the machine."""
        self._sink.flush()
        os.fdatasync(self._sink.fileno())

    def end(self, recv_ts: int) -> None:
        """Note the clean stop and close."""
        self.append(Kind.END, 0, recv_ts, b"")
        self.close()

    def close(self) -> None:
        """Sync and let go of the file."""
        self.sync()
        self._sink.close()


def records(path: Path) -> Iterator[Record]:
    """All good records of a journal, in order.

    Raises:
        CaptureError: the file is no journal.
    """
    yield from (record for record, _ in _walk(path))


def extent(path: Path) -> Extent:
    """How much of a journal is good.

    Raises:
        CaptureError: the file is no journal.
    """
    count, whole, ended = 0, len(MAGIC), False
    for record, position in _walk(path):
        count, whole, ended = count + 1, position, record.kind == Kind.END
    return Extent(count, whole, path.stat().st_size - whole, ended)


def in_use(path: Path) -> bool:
    """Whether a living process writes the journal."""
    with path.open("rb") as source:
        try:
            fcntl.flock(source, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _walk(path: Path) -> Iterator[tuple[Record, int]]:
    """Records with the position after each."""
    with path.open("rb", buffering=BUFFER) as source:
        if source.read(len(MAGIC)) != MAGIC:
            raise CaptureError(f"{path} is no journal: its first line is not {MAGIC.decode().strip()!r}. Set it aside.")
        position = len(MAGIC)
        while len(head := source.read(_HEAD.size)) == _HEAD.size:
            length, crc = _HEAD.unpack(head)
            if not _BODY.size <= length <= MAX_RECORD:
                return
            content = source.read(length)
            if len(content) < length or zlib.crc32(content) != crc or content[0] > max(Kind):
                return
            position += _HEAD.size + length
            kind, connection, recv_ts = _BODY.unpack_from(content)
            yield Record(Kind(kind), connection, recv_ts, content[_BODY.size :]), position
