"""The journal: every received frame, appended at once and durable a second later.

This module writes a journal, and reads back all complete records. Converting it to a capture file belongs to
`ml.capture.seal`.

A journal is a header line and records. A record is its length u32, the crc32 u32 of the rest, then kind u8,
connection u16, receive time i64 ns UTC, and the payload, little-endian. Reading ends at the first record with a wrong
length or crc: the torn tail after a kill or a power cut.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from ml.core.errors import CaptureError
from ml.storage import durable

MAGIC = b"lobforge journal 1\n"
SUFFIX = ".journal"
_HEAD = struct.Struct("<II")
_BODY = struct.Struct("<BHq")
_WHOLE = struct.Struct("<IIBHq")
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
    PREDICTION = 4
    """What models said of one second: rows of the table `prediction_log`, a JSON line each."""


class Record(NamedTuple):
    """One record; `connection` numbers the connections of the journal."""

    kind: Kind
    connection: int
    recv_ts: int
    payload: bytes


class Columns(NamedTuple):
    """All records of a journal, field by field: a journal of 128 MB holds half a million."""

    kind: list[int]
    connection: list[int]
    recv_ts: list[int]
    payload: list[bytes]


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


def render(kind: Kind, connection: int, recv_ts: int, payloads: Iterable[bytes]) -> bytes:
    """Records as they stand in a journal: one per payload, all of the same connection and time."""
    body = _BODY.pack(kind, connection, recv_ts)
    size = len(body)
    begun = zlib.crc32(body)
    head = _HEAD.pack
    crc32 = zlib.crc32
    parts: list[bytes] = []
    for payload in payloads:
        parts += (head(size + len(payload), crc32(payload, begun)), body, payload)
    return b"".join(parts)


class Journal:
    """Appends records to a new file; one process holds it.

    Raises:
        CaptureError: the file exists, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        durable.make_folder(path.parent)
        try:
            self._sink = path.open("xb", buffering=BUFFER)
        except FileExistsError as error:
            raise CaptureError(
                f"{path} already exists: another capture with the same start time writes it. Stop one of the two."
            ) from error
        fcntl.flock(self._sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.path = path
        self.size = len(MAGIC)
        self._sink.write(MAGIC)
        self.flush()  # no sync: it would wait for all that the machine writes, and a roll must not
        self._named = False

    def append(self, kind: Kind, connection: int, recv_ts: int, payload: bytes) -> None:
        """Take one record down, as `write` does."""
        self.write(render(kind, connection, recv_ts, (payload,)))

    def write(self, rendered: bytes) -> None:
        """Take rendered records down; they survive a kill after `flush`, a power cut after `sync`."""
        self._sink.write(rendered)
        self.size += len(rendered)

    def flush(self) -> None:
        """Hand all records to the kernel: they outlive the process."""
        self._sink.flush()

    def sync(self) -> None:
        """Hand all records to the disk: they survive a power cut. So must the file's name, from the first sync on."""
        self._sink.flush()
        os.fdatasync(self._sink.fileno())
        if not self._named:
            durable.sync_folder(self.path.parent)
            self._named = True

    def end(self, recv_ts: int) -> None:
        """Note the clean stop and close."""
        self.append(Kind.END, 0, recv_ts, b"")
        self.close()

    def close(self) -> None:
        """Sync and let go of the file."""
        self.sync()
        self._sink.close()


def read(path: Path) -> tuple[Columns, Extent]:
    """All good records of a journal, and how far they reach.

    Raises:
        CaptureError: the file is no journal.
    """
    content = path.read_bytes()  # a roll bounds it; slices of one text are the fastest way through
    if not content.startswith(MAGIC):
        raise CaptureError(f"{path} is not a journal: its first line is not {MAGIC.decode().strip()!r}. Move it away.")
    found = Columns([], [], [], [])
    position = len(MAGIC)
    size = len(content)
    whole = _WHOLE.unpack_from
    crc32 = zlib.crc32
    head = _HEAD.size
    skipped = _WHOLE.size
    kinds = len(Kind)
    while position + skipped <= size:
        length, crc, kind, connection, recv_ts = whole(content, position)
        end = position + head + length
        if not _BODY.size <= length <= MAX_RECORD or end > size or kind >= kinds:
            break
        if crc32(content[position + head : end]) != crc:
            break
        found.kind.append(kind)
        found.connection.append(connection)
        found.recv_ts.append(recv_ts)
        found.payload.append(content[position + skipped : end])
        position = end
    ended = bool(found.kind) and found.kind[-1] == Kind.END
    return found, Extent(len(found.kind), position, size - position, ended)


def records(path: Path) -> Iterator[Record]:
    """All good records of a journal, in order.

    Raises:
        CaptureError: the file is no journal.
    """
    kinds = tuple(Kind)
    found = read(path)[0]
    for kind, connection, recv_ts, payload in zip(
        found.kind, found.connection, found.recv_ts, found.payload, strict=True
    ):
        yield Record(kinds[kind], connection, recv_ts, payload)


def in_use(path: Path) -> bool:
    """Whether a living process writes the journal."""
    with path.open("rb") as source:
        try:
            fcntl.flock(source, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
