"""What a capture file holds: instruments, times, snapshots, and the lines that are no frames.

Here: one pass over a file, kept under the hash of its bytes so that it is made once.
Not here: the order of several files (`ml.market.chain`), the line formats (`ml.market.captures`).
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from ml.errors import CaptureError, FrameError
from ml.market.archives import door
from ml.market.attribution import NAMELESS, Line, Owners, attributed
from ml.market.content import content_hash
from ml.market.events import RawFrame
from ml.market.shapes import I64
from ml.paths import DataRoot
from ml.schemas import TABLES
from ml.store import publish, sha256_file, write_text

FORMAT = 4
MIN_APART_NS = 60 * 10**9
"""Snapshots are noted at most once a minute: some archives hold nothing else."""


@dataclass
class Span:
    """An instrument's part of a file: frames, first and last event time, times of its snapshots (ns UTC)."""

    frames: int = 0
    first_event: int = 0
    last_event: int = 0
    snapshots: list[int] = field(default_factory=list)


@dataclass
class FileIndex:
    """Summary of one capture file; `set_aside` counts the lines that are no frames by reason, `details` explains it."""

    sha256: str
    frames: int = 0
    first_recv: int = 0
    last_recv: int = 0
    instruments: dict[str, Span] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)

    def refused(self) -> str:
        """What was quarantined and why, for a person."""
        return ", ".join(f"{count} x {why} ({self.details[why]})" for why, count in self.set_aside.items())


def scan(path: Path) -> tuple[FileIndex, list[Line]]:
    """Index a file from its content alone.

    Raises:
        CaptureError: there is no such file.
    """
    index, lines, owners = FileIndex(sha256=_sha256(path)), list[Line](), Owners()
    nameless: list[tuple[RawFrame, int]] = []
    latest = 0
    for item in attributed(path, owners):
        if isinstance(item, Line):
            lines.append(item)
            continue
        recv_ts = item.frames.recv_ts
        index.frames += len(recv_ts)
        index.first_recv = index.first_recv or int(recv_ts[np.argmax(recv_ts > 0)])
        index.last_recv = max(index.last_recv, int(recv_ts.max()))
        for k in np.flatnonzero(item.owner == NAMELESS).tolist():
            nameless.append((item.frames.frame(k), max(latest, int(item.moves[:k].max(initial=0)))))
        latest = max(latest, int(item.moves.max()))
        for number in np.unique(item.owner[item.owner != NAMELESS]).tolist():
            rows = item.owner == number
            _count(index.instruments.setdefault(owners.ids[number], Span()), item.moves[rows], item.anchors[rows])
    _place_nameless(index, nameless, lines)
    index.set_aside = dict(sorted(Counter(line.error.reason for line in lines).items()))
    index.details = {line.error.reason: line.error.detail for line in reversed(lines)}
    return index, lines


def load(root: DataRoot, path: Path) -> FileIndex:
    """The index of a file, from the data root where it is known, else made and kept there with its quarantine.

    Raises:
        CaptureError: there is no such file.
    """
    kept = root.capture_index(content_hash(root, path))
    origin = door.origin(path)
    if kept.exists():
        document = json.loads(kept.read_text())
        if (document.pop("format"), document.pop("origin", "")) == (FORMAT, origin):
            document["instruments"] = {name: Span(**span) for name, span in document["instruments"].items()}
            return FileIndex(**document)
    index, lines = scan(path)
    if lines:
        place = root.quarantine / "captures" / f"{index.sha256}.parquet"
        publish(root, "quarantine", place, quarantine_frame(index.sha256, lines), "")
    write_text(kept, json.dumps({"format": FORMAT, "origin": origin} | asdict(index), sort_keys=True))
    return index


def quarantine_frame(source: str, lines: list[Line]) -> pl.DataFrame:
    """Lines that were set aside as the table `quarantine`."""
    rows = {
        "source": [source] * len(lines),
        "offset": [line.offset for line in lines],
        "reason": [line.error.reason for line in lines],
        "detail": [line.error.detail for line in lines],
        "line": [line.line for line in lines],
    }
    return pl.DataFrame(rows, schema=TABLES["quarantine"])


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise CaptureError(f"{path} is not a file. Name capture files, or directories that hold them.")
    return sha256_file(path)


def _count(span: Span, moves: I64, anchors: I64) -> None:
    """Add an instrument's frames, by the times with which they move the clock."""
    timed = moves[moves > 0]
    span.frames += len(moves)
    if len(timed):
        span.first_event = span.first_event or int(timed[0])
        span.last_event = max(span.last_event, int(timed.max()))
    for event_ts in moves[anchors != 0].tolist():
        known = span.snapshots[-1] if span.snapshots else 0
        if event_ts >= known + MIN_APART_NS:
            span.snapshots.append(event_ts)


def _place_nameless(index: FileIndex, nameless: list[tuple[RawFrame, int]], lines: list[Line]) -> None:
    """A snapshot without symbol belongs to the file's only instrument; with several it cannot be placed."""
    if len(index.instruments) == 1:
        span = next(iter(index.instruments.values()))
        span.frames += len(nameless)
        span.snapshots = sorted([*span.snapshots, *(event_ts for _, event_ts in nameless)])
        return
    for frame, _ in nameless:
        detail = f"the file holds {len(index.instruments)} instruments; write one instrument per file"
        lines.append(Line(frame.offset, FrameError("no_symbol", detail), frame.payload))
