"""The capture sequence: capture files in arrival order, interleaved by receive time where files overlap.

It selects the files of an instrument and yields its frames in arrival order. The content of one file belongs to
`ml.market.files.index`, decoding to `ml.market.decode.decoder`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from ml.core.errors import CaptureError
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import Frames, Levels
from ml.market.bulk.shapes import I64
from ml.market.decode.events import RawFrame
from ml.market.files.frame_routing import NAMELESS, Line, Owners, RoutedFrames, route_frames
from ml.market.files.index import FileIndex, StreamSpan

Mask = NDArray[np.bool_]
MOST_TOLD = 5
"""Files that an error tells one by one."""


class Arrived(NamedTuple):
    """A frame of one instrument with its JSON and the hash of the file that it came from."""

    source_sha256: str
    frame: RawFrame
    doc: dict[str, Any]


class Run(NamedTuple):
    """Frames of one instrument and one file that arrived one after the other.

    `kind` and `moves` as in `ml.market.files.frame_routing`; `latest` is the largest receive time so far in the file;
    `read` is what shapes have read of them, fields and levels, where that is known.
    """

    source_sha256: str
    frames: Frames
    kind: I64
    moves: I64
    latest: I64
    read: tuple[I64, Levels] | None = None

    @property
    def length(self) -> int:
        """How many frames there are."""
        return len(self.kind)

    def part(self, first: int, behind: int) -> "Run":
        """Some of them in a row."""
        return self.take(slice(first, behind))

    def take(self, rows: I64 | slice) -> "Run":
        """Some of them."""
        read = None if self.read is None else (self.read[0][rows], self.read[1])
        return Run(
            self.source_sha256, self.frames.take(rows), self.kind[rows], self.moves[rows], self.latest[rows], read
        )


class Covered(NamedTuple):
    """A time, first and last ns UTC, in which a better stream was recorded, and the name of that stream."""

    first: int
    last: int
    by: str


@dataclass(frozen=True)
class CaptureSequence:
    """Capture files with their indices, in order of first receive time; a file given twice counts once.

    `unread` are files without a single frame. `covered` says by file (its sha256), instrument and stream at which times
    a stream is not read: then a better one of the same trades, or the same book, was recorded in any of the files.
    """

    files: tuple[tuple[Path, FileIndex], ...]
    unread: tuple[tuple[Path, FileIndex], ...] = ()
    covered: Mapping[tuple[str, str, str], list[Covered]] = field(
        default_factory=dict[tuple[str, str, str], list[Covered]]
    )

    def instruments(self) -> list[str]:
        """Ids of all instruments of which the files hold something that is read; of all, where nothing is."""
        spans = [item for _, index in self.files for item in index.instruments.items()]
        return sorted({name for name, span in spans if span.read} or {name for name, _ in spans})

    def streams(self, instrument_id: str) -> list[str]:
        """Names of the streams of an instrument that are read."""
        found = set[str]()
        for _, index in self.of(instrument_id).files:
            span = index.instruments[instrument_id]
            never = {
                name
                for name, time in self._covered(index, instrument_id)
                if time.first <= span.streams[name].first_event and span.streams[name].last_event <= time.last
            }
            found.update(span.streams.keys() - never, span.others)
        return sorted(found)

    def not_read(self) -> dict[str, int]:
        """Frames of kinds and streams that are not read, by name."""
        counts = Counter[str]()
        for _, index in (*self.files, *self.unread):
            counts.update(index.not_read)
        for path, index in self.files:
            for instrument_id in index.instruments:
                counts.update(self._beside(path, index, instrument_id))
        return dict(sorted(counts.items()))

    def _beside(self, path: Path, index: FileIndex, instrument_id: str) -> Counter[str]:
        """Frames of a file that are not read since a better stream was recorded at their time."""
        counts = Counter[str]()
        beside = self._covered(index, instrument_id)
        owners = Owners()
        for item in route_frames(path, owners) if beside else ():
            if isinstance(item, Line):
                continue
            held = _owned(item, owners, index.owned(instrument_id))
            for name, better in beside:
                rows = held & _covered_rows(item, owners, name, better)
                counts[f"{name} (beside {better.by})"] += int(np.count_nonzero(rows))
                held &= ~rows
        return +counts

    def _covered(self, index: FileIndex, instrument_id: str) -> list[tuple[str, Covered]]:
        """The streams of a file, each with a time at which it is not read."""
        names = index.instruments[instrument_id].streams
        return [(name, time) for name in names for time in self.covered.get((index.sha256, instrument_id, name), [])]

    def quarantined(self) -> dict[str, dict[str, int]]:
        """Lines that are no frames: counts by reason, by file name."""
        return {path.name: index.quarantined for path, index in (*self.files, *self.unread) if index.quarantined}

    def of(self, instrument_id: str, since: int | None = None, until: int | None = None) -> "CaptureSequence":
        """The files that hold the instrument; with bounds (ns UTC) only those needed to know its book between them.

        The first file kept is one that starts 10 s or more before the last snapshot at or before `since`, so that the
        snapshot can be connected to the diffs around it; where there is none, no file with a message of the book is
        left out. Files that say nothing of the book are kept between the bounds, and one after them: it tells that the
        capture went on.
        """
        files = tuple((path, index) for path, index in self.files if instrument_id in index.instruments)
        first = 0
        anchors = [s for _, index in files for s in self._anchors(index, instrument_id)]
        usable = [s for s in anchors if since is not None and s <= since]
        for position, (_, index) in enumerate(files):
            if usable and 0 < index.instruments[instrument_id].first_event <= max(usable) - 10 * 10**9:
                first = position
        kept: list[tuple[Path, FileIndex]] = []
        beyond = False
        for path, index in files[first:]:
            span = index.instruments[instrument_id]
            before = since is not None and 0 < span.last_event < since
            after = until is not None and span.first_event >= until
            if span.books or not (before or (after and beyond)):
                kept.append((path, index))
                beyond |= after
        return CaptureSequence(tuple(kept), covered=self.covered)

    def _anchors(self, index: FileIndex, instrument_id: str) -> list[int]:
        """Times of a file's snapshots, but for those of a book that is not read then."""
        span = index.instruments[instrument_id]
        beside = [time for name, time in self._covered(index, instrument_id) if not span.streams[name].of_trades]
        return [ts for ts in span.snapshots if not any(time.first <= ts <= time.last for time in beside)]

    def last_book(self, instrument_id: str) -> int:
        """Latest event time of a book message of the instrument, ns UTC; 0 without one."""
        spans = [index.instruments[instrument_id] for _, index in self.of(instrument_id).files]
        return max((span.last_book for span in spans), default=0)

    def frames(self, instrument_id: str) -> Iterator[Arrived]:
        """The instrument's frames in arrival order, one by one, each parsed."""
        for run in self.runs(instrument_id):
            for k in range(run.length):
                frame = run.frames.frame(k)
                yield Arrived(run.source_sha256, frame, orjson.loads(frame.payload))

    def runs(self, instrument_id: str, decimals: tuple[int, int] | None = None) -> Iterator[Run]:
        """The instrument's frames in arrival order, many at a time: by receive time, then by the file's position.

        With the `decimals` of its prices and sizes, frames of a file that holds no other are read at once.
        """
        files = self.of(instrument_id).files
        sources = [
            _file_runs(path, index, instrument_id, decimals, self._covered(index, instrument_id))
            for path, index in files
        ]
        heads: dict[int, Run] = {}
        opened = 0
        while heads or opened < len(files):
            n = min(heads, key=lambda n: (heads[n].latest[0], n), default=-1)
            if opened < len(files) and (n < 0 or files[opened][1].first_recv <= heads[n].latest[-1]):
                first = next(sources[opened], None)  # a file is opened when its turn may have come
                if first is not None:
                    heads[opened] = first
                opened += 1
                continue
            run = heads.pop(n)
            bounds = [(heads[other].latest[0], other) for other in heads]
            until, other = min(bounds, default=(0, 0))
            stop = np.searchsorted(run.latest, until, "right" if n < other else "left") if bounds else run.length
            yield run.part(0, int(stop))
            rest = run.part(int(stop), run.length) if stop < run.length else next(sources[n], None)
            if rest is not None:
                heads[n] = rest


def link(paths: Iterable[Path], index: Callable[[Path], FileIndex]) -> CaptureSequence:
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
        raise CaptureError(_unreadable(unread))
    return CaptureSequence(tuple(files), tuple(unread), _better_streams(files))


def _better_streams(files: Sequence[tuple[Path, FileIndex]]) -> dict[tuple[str, str, str], list[Covered]]:
    """At which times each stream of each file is not read, since a better one of the same kind was recorded.

    A stream is judged by those alone that were recorded while it was: further files of other times change nothing.
    """
    kinds: dict[tuple[str, bool], list[tuple[str, str, StreamSpan]]] = {}
    for _, index in files:
        for instrument_id, span in index.instruments.items():
            for name, stream in span.streams.items():
                kinds.setdefault((instrument_id, stream.of_trades), []).append((index.sha256, name, stream))
    found: dict[tuple[str, str, str], list[Covered]] = {}
    for (instrument_id, _), streams in kinds.items():
        if len({name for _, name, _ in streams}) == 1:
            continue
        streams.sort(key=lambda found: found[2].rank(found[1]), reverse=True)
        for sha256, name, stream in streams:
            for _, other, better in streams:
                overlaps = better.first_event <= stream.last_event and stream.first_event <= better.last_event
                if other != name and overlaps and better.rank(other) > stream.rank(name):
                    times = found.setdefault((sha256, instrument_id, name), [])
                    times.append(Covered(better.first_event, better.last_event, other))
    return found


def _owned(item: RoutedFrames, owners: Owners, mine: set[str]) -> Mask:
    """Which frames are those of an instrument, by its owners in the file."""
    owned = [NAMELESS] if "" in mine else []
    owned += [number for number, owner in enumerate(owners.ids) if owner in mine]
    return np.isin(item.owner, owned)


def _covered_rows(item: RoutedFrames, owners: Owners, name: str, better: Covered | None = None) -> Mask:
    """Which frames belong to a stream, and to a time; a frame whose time cannot be read belongs to each."""
    if name not in owners.streams:
        return np.zeros(len(item.kind), np.bool_)
    rows = (item.stream == owners.streams.index(name)) & np.isin(item.kind, (at.BOOK, at.TRADE))
    if better is None:
        return rows
    return rows & ((item.moves == 0) | ((better.first <= item.moves) & (item.moves <= better.last)))


def _unreadable(files: list[tuple[Path, FileIndex]]) -> str:
    """Why there is nothing to read, in the words in which a readable chain tells of such files."""
    if not files:
        return "No capture file was given. Name capture files, or directories that contain them."
    reasons = [
        f"{path.name}: {index.refused() or 'no frame of a supported venue'}" for path, index in files[:MOST_TOLD]
    ]
    further = [f"and {len(files) - MOST_TOLD} further files"] if len(files) > MOST_TOLD else []
    return (
        f"Nothing can be read from {len(files)} capture file{'s' * (len(files) > 1)}. {'; '.join(reasons + further)}."
    )


def _file_runs(
    path: Path,
    index: FileIndex,
    instrument_id: str,
    decimals: tuple[int, int] | None,
    beside: list[tuple[str, Covered]],
) -> Iterator[Run]:
    """An instrument's frames in one file, but for those of streams that are not read."""
    owners = Owners()
    latest = 0
    span = index.instruments[instrument_id]
    mine = index.owned(instrument_id)
    alone = len(index.instruments) == 1 and not span.left and not beside
    decimals = decimals if alone else None
    for item in route_frames(path, owners, decimals):
        if isinstance(item, Line):
            continue  # kept in the quarantine by the index
        merged = np.maximum(np.maximum.accumulate(item.frames.recv_ts), latest)
        latest = int(merged[-1])
        run = Run(index.sha256, item.frames, item.kind, item.moves, merged, _levels(item) if decimals else None)
        held = _owned(item, owners, mine)
        for name in span.left:
            held &= ~_covered_rows(item, owners, name)
        for name, better in beside:
            held &= ~_covered_rows(item, owners, name, better)
        rows = np.flatnonzero(held)
        if len(rows):
            yield run if len(rows) == run.length else run.take(rows)


def _levels(item: RoutedFrames) -> tuple[I64, Levels] | None:
    """What shapes have read of frames; None if levels of a frame that was declined after all lie between the others."""
    fields = item.fields
    declined = fields[:, at.KIND] == at.DECLINED
    return None if (fields[declined, at.ROWS] > fields[declined, at.FROM]).any() else (fields, item.levels)
