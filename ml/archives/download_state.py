"""A partial download, and how much of it can be trusted.

A note beside the partial file records its version and how many of its bytes were synced. Only these bytes are kept:
after a kill or a power cut the rest may be anything. Downloading belongs to `ml.archives.download`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ml.storage import durable

SYNC_BYTES = 8 << 20
"""A kill costs no more than these."""


class DownloadState(NamedTuple):
    """The version that a part is of, as its server names it, and how many bytes of it are safe."""

    version: str = ""
    synced: int = 0


@dataclass(frozen=True)
class Part:
    """A file that has come in part; there need not be one."""

    path: Path

    def read(self) -> DownloadState:
        """What has come; nothing if there is no part, or no note that fits it."""
        try:
            note = json.loads(self._note.read_text())
            come = DownloadState(str(note["version"]), int(note["synced"]))
            return come if self.path.stat().st_size >= come.synced else DownloadState()
        except (OSError, ValueError, KeyError, TypeError):
            return DownloadState()

    def receive(self, chunks: Iterable[bytes], version: str) -> None:
        """Append what comes to what is safe; all of it is synced, also where the chunks end in an error."""
        synced = self.read().synced
        unsynced = 0
        durable.make_folder(self.path.parent)
        with self.path.open("r+b" if synced else "wb") as sink:
            sink.truncate(synced)
            sink.seek(synced)
            try:
                for chunk in chunks:
                    unsynced += sink.write(chunk)
                    if unsynced >= SYNC_BYTES:
                        self._sync(sink, version)
                        unsynced = 0
            finally:
                self._sync(sink, version)

    def forget(self) -> None:
        """Remove it; its note first, for a part without a note is worth nothing."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".note")

    def _sync(self, sink: BinaryIO, version: str) -> None:
        durable.sync(sink)
        durable.write_text(self._note, json.dumps({"version": version, "synced": sink.tell()}))
