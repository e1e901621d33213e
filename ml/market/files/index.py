"""The index of a capture file: instruments, streams, times, snapshots, and lines that are not frames.

One pass over a file, stored under its sha256 so that it runs once. The index also decides which streams of an
instrument are read, and the instrument of frames that do not name it, because both depend on the whole file. The
order of files belongs to `ml.market.files.capture_sequence`, line formats to `ml.market.files.captures`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ml.core.errors import CaptureError, FrameError
from ml.core.paths import DataRoot
from ml.core.time import DAY_NS
from ml.market.bulk import shapes as at
from ml.market.bulk.shapes import I64
from ml.market.decode.events import RawFrame
from ml.market.files.archives import detect
from ml.market.files.file_hash import content_hash
from ml.market.files.frame_routing import GUESS, MARKETS, NAMELESS, NO_FRAME, Line, Owners, route_frames
from ml.market.venues import binance
from ml.storage.commit import publish, sha256_file
from ml.storage.durable import write_text
from ml.tables.schemas import SCHEMAS

FORMAT = 8
MIN_APART_NS = 60 * 10**9
"""Snapshots are noted at most once a minute: some archives hold nothing else."""


AGGREGATED = ("aggTrade", "trades", "binance-vision-aggtrades")
"""Streams of trades that put several of the same order together; the venue has another one, of each trade."""
DEPTH = re.compile(r"[a-z]+[.]?(\d+)")
"""How many levels per side the name of a book's stream says; one that says none holds the whole book, or all that is
sent."""
SHALLOW = ("tardis-book-snapshot",)
"""Streams of a part of the book whose name does not say how deep it is."""


@dataclass
class StreamSpan:
    """A stream of a file, of trades or of a book: its frames, first and last event time (ns UTC)."""

    of_trades: bool
    frames: int
    first_event: int
    last_event: int

    def rank(self, name: str) -> tuple[float, bool, int, bool, str]:
        """By which one of several streams is preferred: depth, archives, most frames, each trade alone."""
        depth = 0 if self.of_trades else depth_of(name)
        return depth, name in detect.FORMATS, self.frames, name not in AGGREGATED, name


@dataclass
class Span:
    """An instrument's part of a file: frames, first and last event time, times of its snapshots (ns UTC).

    `books` counts the frames that say something of its book: messages, snapshots that were asked for, notes of losses;
    `last_book` is the latest time of a message.
    `streams` are those of the book and of trades: each has ids of its own, and trades would count twice, so which of
    them is read at a time follows from all files of a sequence. `others` names `snapshot` and `loss` where there are
    any. `left` names streams of the book beside a better one in the same file: they are not read.
    """

    frames: int = 0
    books: int = 0
    first_event: int = 0
    last_event: int = 0
    last_book: int = 0
    snapshots: list[int] = field(default_factory=list)
    streams: dict[str, StreamSpan] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def read(self) -> bool:
        """Whether anything of it is read."""
        return bool(self.streams or self.others)


@dataclass
class FileIndex:
    """Summary of one capture file.

    `quarantined` counts the lines that are no frames, by reason, `details` explains it; `not_read` counts the frames of
    kinds and streams that are not read, by name. `belongs` names the instrument of the frames whose owner in
    `ml.market.files.frame_routing` is a guess or, by the empty text, none.
    """

    sha256: str
    frames: int = 0
    first_recv: int = 0
    last_recv: int = 0
    instruments: dict[str, Span] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    not_read: dict[str, int] = field(default_factory=dict)
    belongs: dict[str, str] = field(default_factory=dict)

    def refused(self) -> str:
        """What was quarantined and why, for a person."""
        return ", ".join(f"{count} x {why} ({self.details[why]})" for why, count in self.quarantined.items())

    def owned(self, instrument_id: str) -> set[str]:
        """The owners whose frames are the instrument's, see `belongs`."""
        return {instrument_id, *(owner for owner, found in self.belongs.items() if found == instrument_id)}


@dataclass
class _Part:
    """The frames of one owner, kind and stream."""

    owner: str
    kind: int
    stream: str
    frames: int = 0
    first_event: int = 0
    last_event: int = 0
    near: tuple[int, int] = (0, 0)
    """Earliest and latest event time that lies within a day of the receive time: others may be wrong."""
    anchors: list[int] = field(default_factory=list)

    def count(self, moves: I64, anchors: I64, recv_ts: I64) -> None:
        """Add frames, by the times with which they move the clock."""
        self.frames += len(moves)
        near = moves[np.abs(moves - recv_ts) <= DAY_NS]
        if len(near):
            self.near = joined(self.near, (int(near.min()), int(near.max())))
        timed = moves[moves > 0]
        if len(timed):
            self.first_event = self.first_event or int(timed[0])
            self.last_event = max(self.last_event, int(timed.max()))
        for event_ts in moves[anchors != 0].tolist():
            if event_ts >= (self.anchors[-1] if self.anchors else 0) + MIN_APART_NS:
                self.anchors.append(event_ts)


def scan(path: Path, tell: Callable[[int], None] | None = None) -> tuple[FileIndex, list[Line]]:
    """Index a file from its content alone; `tell` is told now and then how many frames were read.

    Raises:
        CaptureError: there is no such file.
    """
    index = FileIndex(sha256=_sha256(path))
    lines = list[Line]()
    owners = Owners()
    nameless: list[tuple[RawFrame, int]] = []
    parts: dict[tuple[str, int, str], _Part] = {}
    latest = 0
    for item in route_frames(path, owners):
        if isinstance(item, Line):
            lines.append(item)
            continue
        recv_ts = item.frames.recv_ts
        index.frames += len(recv_ts)
        if tell is not None:
            tell(index.frames)
        index.first_recv = index.first_recv or int(recv_ts[np.argmax(recv_ts > 0)])
        index.last_recv = max(index.last_recv, int(recv_ts.max()))
        for k in np.flatnonzero(item.owner == NAMELESS).tolist():
            nameless.append((item.frames.frame(k), max(latest, int(item.moves[:k].max(initial=0)))))
        latest = max(latest, int(item.moves.max()))
        key = (item.owner * NO_FRAME + item.kind) * len(owners.streams) + item.stream
        for k in np.unique(key, return_index=True)[1].tolist():
            if item.owner[k] != NAMELESS:
                kind = int(item.kind[k])
                rows = key == key[k]
                part = _Part(owners.ids[item.owner[k]], kind, owners.streams[item.stream[k]])
                part = parts.setdefault((part.owner, kind, part.stream), part)
                part.count(item.moves[rows], item.anchors[rows], recv_ts[rows])
    _place(index, list(parts.values()))
    not_read = owners.passed_over + _choose(index, list(parts.values()))
    _place_nameless(index, list(parts.values()), nameless, lines)
    index.not_read = dict(sorted(not_read.items()))
    index.quarantined = dict(sorted(Counter(line.error.reason for line in lines).items()))
    index.details = {line.error.reason: line.error.detail for line in reversed(lines)}
    return index, lines


def load(root: DataRoot, path: Path) -> FileIndex:
    """The index of a file, from the data root where it is known, else made and kept there with its quarantine.

    Raises:
        CaptureError: there is no such file.
    """
    kept = root.capture_index(content_hash(root, path))
    origin = detect.origin(path)
    if kept.exists():
        document = json.loads(kept.read_text())
        if (document.pop("format"), document.pop("origin", "")) == (FORMAT, origin):
            document["instruments"] = {name: _span(span) for name, span in document["instruments"].items()}
            return FileIndex(**document)
    index, lines = scan(path)
    if lines:
        place = root.quarantine / "captures" / f"{index.sha256}.parquet"
        publish(root, "quarantine", place, quarantine_frame(index.sha256, lines), "")
    write_text(kept, json.dumps({"format": FORMAT, "origin": origin} | asdict(index), sort_keys=True))
    return index


def _span(document: dict[str, Any]) -> Span:
    document["streams"] = {name: StreamSpan(**stream) for name, stream in document["streams"].items()}
    return Span(**document)


def quarantine_frame(source: str, lines: list[Line]) -> pl.DataFrame:
    """Lines that were quarantined as the table `quarantine`."""
    rows = {
        "source": [source] * len(lines),
        "offset": [line.offset for line in lines],
        "reason": [line.error.reason for line in lines],
        "detail": [line.error.detail for line in lines],
        "line": [line.line for line in lines],
    }
    return pl.DataFrame(rows, schema=SCHEMAS["quarantine"])


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise CaptureError(f"{path} is not a file. Name capture files, or directories that contain them.")
    return sha256_file(path)


def _place(index: FileIndex, parts: Sequence[_Part]) -> None:
    """Frames that several markets write take the market that the file's other frames name, first of their symbol."""
    sure = {part.owner for part in parts if GUESS not in part.owner}
    for owner in {part.owner for part in parts} - sure:
        guess, symbol = owner.replace(GUESS, "", 1).split(".", 1)
        markets = {other.partition(".")[0] for other in sure} & set(MARKETS)
        of_symbol = {market for market in markets if f"{market}.{symbol}" in sure}
        markets -= {binance.COINM}  # all its symbols say so
        found = next((these.pop() for these in (of_symbol, markets) if len(these) == 1), guess)
        index.belongs[owner] = f"{found}.{symbol}"


def _choose(index: FileIndex, parts: Sequence[_Part]) -> Counter[str]:
    """Note of each instrument which streams are read; the frames of all others, by name."""
    not_read = Counter[str]()
    by_instrument: dict[str, list[_Part]] = {}
    for part in parts:
        by_instrument.setdefault(index.belongs.get(part.owner, part.owner), []).append(part)
    for instrument_id, own in by_instrument.items():
        span = index.instruments[instrument_id] = Span(frames=sum(part.frames for part in own))
        book = _deepest(own)
        for part in own:
            if part.kind == at.OTHER:
                not_read[part.stream] += part.frames
            elif part.kind == at.BOOK and part.stream != book:
                not_read[f"{part.stream} (beside {book})"] += part.frames
                span.left = sorted({*span.left, part.stream})
            else:
                _add(span, part)
    return not_read


def _add(span: Span, part: _Part) -> None:
    """Add to an instrument the frames of a stream that is read."""
    if part.kind in (at.BOOK, at.TRADE):
        known = span.streams.get(part.stream, StreamSpan(part.kind == at.TRADE, 0, 0, 0))
        own = part.near if part.near[1] else (part.first_event, part.last_event)
        both = joined((known.first_event, known.last_event), own)  # of a guessed owner and of a sure one
        span.streams[part.stream] = StreamSpan(part.kind == at.TRADE, known.frames + part.frames, *both)
    else:
        span.others = sorted({*span.others, part.stream})
    starts = [start for start in (span.first_event, part.first_event) if start]
    span.first_event = min(starts, default=0)
    span.last_event = max(span.last_event, part.last_event)
    span.books += part.frames if part.kind != at.TRADE else 0
    span.last_book = max(span.last_book, part.last_event if part.kind == at.BOOK else 0)
    span.snapshots = sorted([*span.snapshots, *part.anchors])


def joined(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The span from the earlier begin to the later end; one that ends at 0 is none."""
    spans = [span for span in (one, other) if span[1]]
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else (0, 0)


def _deepest(parts: Sequence[_Part]) -> str:
    """The stream of an instrument's book that is read: of most levels, then of most frames."""
    frames = Counter[str]()
    for part in parts:
        if part.kind == at.BOOK:
            frames[part.stream] += part.frames
    return max(frames, key=lambda name: (depth_of(name), frames[name], name), default="")


def depth_of(name: str) -> float:
    """How many levels per side a book's stream holds; `inf` for all."""
    found = DEPTH.match(name)
    return 0 if name in SHALLOW else int(found[1]) if found else inf


def _place_nameless(
    index: FileIndex, parts: Sequence[_Part], nameless: list[tuple[RawFrame, int]], lines: list[Line]
) -> None:
    """A snapshot of Binance without symbol belongs to the file's only book of diffs there, or only instrument."""
    if not nameless:
        return
    instruments = {name for name in index.instruments if name.partition(".")[0] in binance.VENUES}
    books = {index.belongs.get(p.owner, p.owner) for p in parts if p.kind == at.BOOK and depth_of(p.stream) == inf}
    for named in (books & instruments, instruments):
        if len(named) == 1:
            index.belongs[""] = named.pop()
            span = index.instruments[index.belongs[""]]
            span.frames += len(nameless)
            span.books += len(nameless)
            span.others = sorted({*span.others, "snapshot"})
            span.snapshots = sorted([*span.snapshots, *(event_ts for _, event_ts in nameless)])
            return
    for frame, _ in nameless:
        detail = f"the file holds {len(instruments)} instruments of Binance; write one instrument per file"
        lines.append(Line(frame.offset, FrameError("no_symbol", detail), frame.payload))
