"""Which instrument and which stream each frame of a capture file belongs to, its kind and its time.

Here: frames many at a time, of the shapes that compiled code reads, and one by one for all others.
Not here: which streams of an instrument are read, whose frames those are that several markets write: the whole
file tells (`ml.market.files.index`); the order of several files (`ml.market.files.capture_sequence`).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from ml.core.errors import FrameError
from ml.core.instruments import is_symbol
from ml.market.book.compiled import njit_no_alloc
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import SHAPES, Frames, Levels, scanned, tried_on
from ml.market.bulk.shapes import I64, U8
from ml.market.decode.events import RawFrame
from ml.market.files import captures
from ml.market.venues import binance
from ml.market.venues.dialects import MOVING, dialect, guessed, passed_over, route

SNAPSHOT = 4
LOSS = 5
NO_FRAME = 6
"""Kinds beside those of `ml.market.bulk.shapes`, which compiled code does not read; NO_FRAME is dropped."""
KINDS = {"book": at.BOOK, "trade": at.TRADE, "other": at.OTHER, "snapshot": SNAPSHOT, "loss": LOSS}
NAMELESS = -1
REFUSED = -2
"""The owner of a snapshot that does not name its instrument, and of a frame that compiled code declines after all."""
LONGEST_NAME = 62
"""Bytes of a symbol and the name of a stream together."""
MARKETS = (binance.SPOT, binance.USDM, binance.COINM)
"""Venues of which one shape may fit a symbol of another."""
GUESS = "?"
"""Behind the venue in an id: other frames of the file may name another venue."""


@dataclass(frozen=True)
class Line:
    """A line that could not be routed or read."""

    offset: int
    error: FrameError
    line: bytes


class RoutedFrames(NamedTuple):
    """Frames with the number of their instrument, their kind, and the event time by which they move the clock.

    `moves` is ns UTC, 0 for a frame that moves no clock; `anchors` says that the book starts over in the stream;
    `stream` is the number of the stream's name; `fields` and `levels` as in `ml.market.bulk.scanner`.
    """

    frames: Frames
    owner: I64
    stream: I64
    kind: I64
    moves: I64
    anchors: I64
    fields: I64
    levels: Levels


class Owners:
    """The instruments and streams met so far, `ids` and `streams`, by number."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.streams: list[str] = []
        self.passed_over = Counter[str]()
        """Frames that belong to no instrument, by what they are."""
        self.known = np.zeros((0, 5), np.int64)
        """Shape, length of symbol and of stream, number of owner and of stream of what compiled code has met."""
        self.names = np.zeros((0, LONGEST_NAME), np.uint8)

    def number(self, instrument_id: str) -> int:
        """The number of an instrument."""
        return _number(self.ids, instrument_id)

    def stream(self, name: str) -> int:
        """The number of a stream."""
        return _number(self.streams, name)

    def of(self, frames: Frames, fields: I64) -> tuple[I64, I64]:
        """Owner and stream of scanned frames.

        A frame whose symbol is too long, or names another market than its shape, is declined instead.
        """
        owner, stream = np.full((2, len(frames.start)), NAMELESS)
        first = 0
        while (first := _own(frames.text, fields, first, self.known, self.names, owner, stream)) < len(owner):
            row = fields[first]
            symbol = frames.text[row[at.SYMBOL] : row[at.SYMBOL_END]].tobytes()
            rest = frames.text[row[at.STREAM] : row[at.STREAM_END]].tobytes()
            if len(symbol + rest) > LONGEST_NAME:
                row[at.KIND] = at.DECLINED
                continue
            shape = SHAPES[row[at.SHAPE]]
            numbers = (REFUSED, NAMELESS)
            written = shape.venue not in MARKETS or binance.may_write(shape.venue, symbol.decode())
            if written and is_symbol(symbol.decode()):
                name = shape.stream + rest.decode()
                numbers = self.number(f"{shape.venue}.{symbol.decode()}"), self.stream(name)
            added = np.array([[row[at.SHAPE], len(symbol), len(rest), *numbers]])
            self.known = np.concatenate([self.known, added])
            padded = np.frombuffer((symbol + rest).ljust(LONGEST_NAME, b"\0"), np.uint8)
            self.names = np.concatenate([self.names, padded[None]])
        return owner, stream


def route_frames(path: Path, owners: Owners, decimals: tuple[int, int] | None = None) -> Iterator[RoutedFrames | Line]:
    """Every frame of a file with its owner, and the lines that are none; frames of no instrument are counted.

    Args:
        path: a capture file.
        owners: instruments met so far; others are added.
        decimals: of prices and of sizes, for a file of one instrument; None keeps no levels.

    Raises:
        CaptureError: there is no such file.
    """
    for item in captures.columns(path):
        if isinstance(item, Frames):
            yield from _route_frames(item, owners, decimals)
        else:
            yield Line(item[0], item[2], item[1])


class Described(NamedTuple):
    """A frame as the ordinary parser reads it; the owner is None where it names no instrument."""

    owner: str | None
    stream: str
    kind: int
    moves: int = 0
    anchors: bool = False


def described(frame: RawFrame) -> Described | Line:
    """What one frame is; a line for what cannot be read."""
    try:
        doc = orjson.loads(frame.payload)
        routed = route(doc, frame.conn)
    except orjson.JSONDecodeError as error:
        return Line(frame.offset, FrameError("bad_json", str(error)), frame.payload)
    except FrameError as error:
        return Line(frame.offset, error, frame.payload)
    if routed is None:
        return Described(None, passed_over(frame.conn), NO_FRAME)
    venue, symbol = routed
    if symbol is not None and not is_symbol(symbol):
        return Line(frame.offset, FrameError("bad_frame", f"the symbol is {symbol!r}"), frame.payload)
    spoken = dialect(venue)
    kind = spoken.kind(doc)
    stream = spoken.stream(doc)
    if symbol is None:
        return Described(None, stream, KINDS[kind] if kind == "snapshot" else NO_FRAME)
    owner = f"{venue}{GUESS if guessed(doc, frame.conn) else ''}.{symbol}"
    begins = kind == "book" and spoken.begins(doc)
    try:
        return Described(owner, stream, KINDS[kind], spoken.event_ts(doc) if kind in MOVING else 0, begins)
    except FrameError:
        return Described(owner, stream, KINDS[kind])  # the decoder quarantines it, with its offset


def _route_frames(frames: Frames, owners: Owners, decimals: tuple[int, int] | None) -> Iterator[RoutedFrames | Line]:
    fields, levels = scanned(frames, tried_on(frames.conns)[frames.conn], decimals)
    owner, stream = owners.of(frames, fields)
    kind = fields[:, at.KIND].copy()
    moves = np.where((kind == at.BOOK) | (kind == at.TRADE), fields[:, at.EVENT], 0)
    anchors = np.zeros(len(kind), np.int64)
    for k in np.flatnonzero(kind == at.DECLINED).tolist():
        read = described(frames.frame(k))
        if isinstance(read, Line):
            kind[k] = NO_FRAME
            yield read
            continue
        kind[k] = read.kind
        moves[k] = read.moves
        anchors[k] = read.anchors
        owner[k] = NAMELESS if read.owner is None else owners.number(read.owner)
        stream[k] = owners.stream(read.stream)
        owners.passed_over[read.stream] += read.kind == NO_FRAME
    kept = np.flatnonzero(kind != NO_FRAME)
    if len(kept) < len(kind):
        frames = frames.take(kept)
        fields = fields[kept]
        owner, stream, kind, moves, anchors = (column[kept] for column in (owner, stream, kind, moves, anchors))
    if len(kept):
        yield RoutedFrames(frames, owner, stream, kind, moves, anchors, fields, levels)


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


@njit_no_alloc
def _own(text: U8, fields: I64, first: int, known: I64, names: U8, owner: I64, stream: I64) -> int:
    """Find owner and stream of each frame from `first` on; stops at one that is not known."""
    last = 0
    for k in range(first, owner.size):
        row = fields[k]
        if row[at.KIND] == at.DECLINED:
            continue
        found = -1
        for n in range(len(known)):
            candidate = (last + n) % len(known)
            if _is(text, row, known[candidate], names[candidate]):
                found = candidate
                break
        if found < 0:
            return k
        last = found
        owner[k] = known[found, 3]
        stream[k] = known[found, 4]
        if owner[k] == REFUSED:
            owner[k] = NAMELESS
            row[at.KIND] = at.DECLINED
    return owner.size


@njit_no_alloc
def _is(text: U8, row: I64, known: I64, name: U8) -> bool:
    if known[0] != row[at.SHAPE]:
        return False
    length = row[at.SYMBOL_END] - row[at.SYMBOL]
    rest = row[at.STREAM_END] - row[at.STREAM]
    if known[1] != length or known[2] != rest:
        return False
    for k in range(length + rest):
        place = row[at.SYMBOL] + k if k < length else row[at.STREAM] + k - length
        if text[place] != name[k]:
            return False
    return True
