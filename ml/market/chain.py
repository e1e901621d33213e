"""Capture files in arrival order: file after file, and by receive time where files overlap.

Here: which files make an instrument's chain, and its frames in the order in which they arrived.
Not here: what is in a file (`ml.market.index`), what the frames mean (`ml.market.decoder`).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ml.errors import CaptureError
from ml.market.events import RawFrame
from ml.market.index import FileIndex, Line, documents


class Arrived(NamedTuple):
    """A frame of one instrument with its JSON and the hash of the file that it came from."""

    source_sha256: str
    frame: RawFrame
    doc: dict[str, Any]


@dataclass(frozen=True)
class Chain:
    """Capture files with their indices, in order of first receive time; a file given twice counts once.

    `unread` are files without a single frame.
    """

    files: tuple[tuple[Path, FileIndex], ...]
    unread: tuple[tuple[Path, FileIndex], ...] = ()

    def instruments(self) -> list[str]:
        """Ids of all instruments in the files."""
        return sorted({name for _, index in self.files for name in index.instruments})

    def set_aside(self) -> dict[str, dict[str, int]]:
        """Lines that are no frames: counts by reason, by file name."""
        return {path.name: index.set_aside for path, index in (*self.files, *self.unread) if index.set_aside}

    def of(self, instrument_id: str, since: int | None = None) -> "Chain":
        """The files that hold the instrument; with `since` (ns UTC) only those needed to know its book from then on.

        The first file kept is one that starts 10 s or more before the last snapshot at or before `since`, so that the
        snapshot can be connected to the diffs around it; where there is none, the whole chain is kept.
        """
        files = tuple((path, index) for path, index in self.files if instrument_id in index.instruments)
        first = 0
        anchors = [s for _, index in files for s in index.instruments[instrument_id].snapshots]
        usable = [s for s in anchors if since is not None and s <= since]
        for position, (_, index) in enumerate(files):
            if usable and 0 < index.instruments[instrument_id].first_event <= max(usable) - 10 * 10**9:
                first = position
        return Chain(files[first:])

    def frames(self, instrument_id: str) -> Iterator[Arrived]:
        """The instrument's frames in arrival order."""
        files = self.of(instrument_id).files
        streams = [_file_frames(position, path, index, instrument_id) for position, (path, index) in enumerate(files)]
        for _, _, arrived in heapq.merge(*streams, key=lambda item: item[:2]):
            yield arrived


def link(paths: Iterable[Path], index: Callable[[Path], FileIndex]) -> Chain:
    """Order files into a chain, whatever the order in which they are given.

    Raises:
        CaptureError: no file holds a frame.
    """
    by_content: dict[str, tuple[Path, FileIndex]] = {}
    for path in sorted(paths):
        summary = index(path)
        by_content.setdefault(summary.sha256, (path, summary))
    files = sorted((f for f in by_content.values() if f[1].instruments), key=lambda f: (f[1].first_recv, f[1].sha256))
    unread = [f for f in by_content.values() if not f[1].instruments]
    if not files:
        why = "; ".join(f"{path.name}: {index.set_aside}" for path, index in unread) or "no file was given"
        raise CaptureError(
            f"No frame of a supported venue in the capture files ({why}). Check that they are raw captures."
        )
    return Chain(tuple(files), tuple(unread))


def _file_frames(position: int, path: Path, index: FileIndex, instrument_id: str) -> Iterator[tuple[int, int, Arrived]]:
    """Frames with their merge key: the latest receive time so far in the file, then the file's position."""
    alone = len(index.instruments) == 1
    latest = 0
    for item in documents(path):
        if isinstance(item, Line):
            continue  # kept in the quarantine by the index
        frame, doc, venue, symbol = item
        latest = max(latest, frame.recv_ts)
        if (alone and symbol is None) or f"{venue}.{symbol}" == instrument_id:
            yield latest, position, Arrived(index.sha256, frame, doc)
