"""Whose frames are these: instrument, kind and time of all frames of a capture file.

Here: frames many at a time, of the shapes that compiled code reads, and one by one for all others.
Not here: a file's summary (`ml.market.index`), the order of several files (`ml.market.chain`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from ml.errors import FrameError
from ml.market import captures
from ml.market import shapes as at
from ml.market.compiled import hot
from ml.market.events import RawFrame
from ml.market.frames import SHAPES, Frames, Levels, scanned, tried_on
from ml.market.shapes import I64, U8
from ml.market.venues.dialects import DIALECTS, MOVING, dialect, route

SNAPSHOT, LOSS, NO_FRAME = 4, 5, 6
"""Kinds beside those of `ml.market.shapes`, which compiled code does not read; NO_FRAME is dropped."""
KINDS = {"book": at.BOOK, "trade": at.TRADE, "other": at.OTHER, "snapshot": SNAPSHOT, "loss": LOSS}
NAMELESS = -1
"""The owner of a snapshot that does not name its instrument."""
LONGEST_SYMBOL = 62
VENUE = np.array([list(DIALECTS).index(shape.venue) for shape in SHAPES])


@dataclass(frozen=True)
class Line:
    """A line that could not be attributed or read."""

    offset: int
    error: FrameError
    line: bytes


class Attributed(NamedTuple):
    """Frames with the number of their instrument, their kind, and the event time by which they move the clock.

    `moves` is ns UTC, 0 for a frame that moves no clock; `anchors` says that the book begins anew in the stream;
    `fields` and `levels` as in `ml.market.scanner`.
    """

    frames: Frames
    owner: I64
    kind: I64
    moves: I64
    anchors: I64
    fields: I64
    levels: Levels


class Owners:
    """The instruments met so far, `ids`, by number."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.known = np.zeros((0, 3), np.int64)
        """Venue, length of the symbol and number of the instruments that compiled code has met."""
        self.symbols = np.zeros((0, LONGEST_SYMBOL), np.uint8)

    def number(self, instrument_id: str) -> int:
        """The number of an instrument."""
        if instrument_id not in self.ids:
            self.ids.append(instrument_id)
        return self.ids.index(instrument_id)

    def of(self, frames: Frames, fields: I64) -> I64:
        """The owners of scanned frames; a frame whose symbol is too long is declined instead."""
        owner, first = np.full(len(frames.start), NAMELESS), 0
        while (first := _own(frames.text, fields, first, VENUE, self.known, self.symbols, owner)) < len(owner):
            shape, start, end = fields[first, [at.SHAPE, at.SYMBOL, at.SYMBOL_END]].tolist()
            symbol = frames.text[start:end]
            if symbol.size > LONGEST_SYMBOL:
                fields[first, at.KIND] = at.DECLINED
                continue
            number = self.number(f"{SHAPES[shape].venue}.{symbol.tobytes().decode()}")
            padded = np.concatenate([symbol, np.zeros(LONGEST_SYMBOL - symbol.size, np.uint8)])
            self.known = np.concatenate([self.known, np.array([[VENUE[shape], symbol.size, number]])])
            self.symbols = np.concatenate([self.symbols, padded[None]])
        return owner


def attributed(path: Path, owners: Owners, decimals: tuple[int, int] | None = None) -> Iterator[Attributed | Line]:
    """Every frame of a file with its owner, and the lines that are none; acknowledgements are skipped.

    Args:
        path: a capture file.
        owners: instruments met so far; others are added.
        decimals: of prices and of sizes, for a file of one instrument; None keeps no levels.

    Raises:
        CaptureError: there is no such file.
    """
    for item in captures.columns(path):
        if isinstance(item, Frames):
            yield from _attribute(item, owners, decimals)
        else:
            yield Line(item[0], item[2], item[1])


def document(frame: RawFrame) -> tuple[dict[str, Any], str, str | None] | Line | None:
    """A frame's JSON, venue and symbol; None for an acknowledgement, a line for what cannot be read."""
    try:
        doc = orjson.loads(frame.payload)
        routed = route(doc, frame.conn)
    except orjson.JSONDecodeError as error:
        return Line(frame.offset, FrameError("bad_json", str(error)), frame.payload)
    except FrameError as error:
        return Line(frame.offset, error, frame.payload)
    return None if routed is None else (doc, *routed)


def _attribute(frames: Frames, owners: Owners, decimals: tuple[int, int] | None) -> Iterator[Attributed | Line]:
    fields, levels = scanned(frames, tried_on(frames.conns)[frames.conn], decimals)
    owner = owners.of(frames, fields)
    kind = fields[:, at.KIND].copy()
    moves = np.where((kind == at.BOOK) | (kind == at.TRADE), fields[:, at.EVENT], 0)
    anchors = np.zeros(len(kind), np.int64)
    for k in np.flatnonzero(kind == at.DECLINED).tolist():
        read = document(frames.frame(k))
        if read is None or isinstance(read, Line):
            kind[k] = NO_FRAME
            if read is not None:
                yield read
            continue
        doc, venue, symbol = read
        owner[k] = NAMELESS if symbol is None else owners.number(f"{venue}.{symbol}")
        kind[k], moves[k], anchors[k] = _said(doc, venue)
    kept = np.flatnonzero(kind != NO_FRAME)
    if len(kept) == len(kind):
        yield Attributed(frames, owner, kind, moves, anchors, fields, levels)
    elif len(kept):
        owner, kind, moves, anchors, fields = (column[kept] for column in (owner, kind, moves, anchors, fields))
        yield Attributed(frames.take(kept), owner, kind, moves, anchors, fields, levels)


def _said(doc: dict[str, Any], venue: str) -> tuple[int, int, bool]:
    """Kind, time and whether the book begins anew, of a frame that `route` accepted."""
    spoken = dialect(venue)
    kind = spoken.kind(doc)
    begins = kind == "book" and "snapshot" in (doc.get("type"), doc.get("action"))
    try:
        return KINDS[kind], spoken.event_ts(doc) if kind in MOVING else 0, begins
    except FrameError:
        return KINDS[kind], 0, False  # the decoder sets it aside, with its offset


@hot
def _own(text: U8, fields: I64, first: int, venues: I64, known: I64, symbols: U8, owner: I64) -> int:
    """Find the owner of each frame from `first` on; stops at one that is not known."""
    last = 0
    for k in range(first, owner.size):
        row = fields[k]
        if row[at.KIND] == at.DECLINED:
            continue
        found = NAMELESS
        for n in range(len(known)):
            candidate = (last + n) % len(known)
            if _is(text, row, venues[row[at.SHAPE]], known[candidate], symbols[candidate]):
                found, last = known[candidate, 2], candidate
                break
        if found == NAMELESS:
            return k
        owner[k] = found
    return owner.size


@hot
def _is(text: U8, row: I64, venue: int, known: I64, symbol: U8) -> bool:
    start, k, same = row[at.SYMBOL], 0, known[0] == venue and known[1] == row[at.SYMBOL_END] - row[at.SYMBOL]
    while same and k < known[1]:
        same = text[start + k] == symbol[k]
        k += 1
    return same
