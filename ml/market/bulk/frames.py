"""Many raw frames as columns over one text.

They are built from the lines of a file, from single frames or from a stored table, and can be scanned. Files belong
to `ml.market.files.captures`, the shapes to scan for to `ml.market.bulk.shapes`.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from ml.core import settings
from ml.market.book.compiled import njit_no_alloc
from ml.market.bulk import shapes as at
from ml.market.bulk.scanner import nanoseconds, scan
from ml.market.bulk.shapes import I8, I32, I64, U8, Table
from ml.market.decode.events import RawFrame
from ml.market.venues import binance, bybit, okx
from ml.market.venues.dialects import DIALECTS

SHAPES = (*binance.SHAPES, *bybit.SHAPES, *okx.SHAPES)
STOP = b"\0"
"""Behind a text that does not end in a line feed, see `ml.market.bulk.scanner`."""
ANY_DECIMALS = (8, 8)
"""More than a venue's prices and sizes have, for frames whose instrument is not known yet."""
NS_DIGITS = 19
"""Of a time in ns, which fits 64 bits unless it begins with 9."""
LEAST_LEVEL = len('["1","1"]')
SHORT = 12
"""Bytes that a binary view holds itself."""
SPACE = 32
LINE_FEED = 10
RETURN = 13


class Frames(NamedTuple):
    """Raw frames: payload k is `text[start[k]:end[k]]`, else as in `RawFrame`; `conn` counts in `conns`."""

    text: U8
    start: I64
    end: I64
    recv_ts: I64
    offset: I64
    conn: I64
    conns: tuple[str, ...]

    def payload(self, k: int) -> bytes:
        """The bytes of one frame."""
        return self.text[self.start[k] : self.end[k]].tobytes()

    def frame(self, k: int) -> RawFrame:
        """One frame."""
        return RawFrame(int(self.offset[k]), self.conns[self.conn[k]], int(self.recv_ts[k]), self.payload(k))

    def take(self, rows: I64 | slice) -> "Frames":
        """Some of them, over the same text."""
        start, end, recv_ts, offset, conn = (column[rows] for column in self[1:6])
        return Frames(self.text, start, end, recv_ts, offset, conn, self.conns)


class Levels(NamedTuple):
    """Levels of scanned frames: side (1 bid, -1 ask, 0 none), price and size units."""

    side: I8
    price: I64
    size: I64

    def part(self, rows: slice) -> "Levels":
        """Some of them in a row."""
        return Levels(self.side[rows], self.price[rows], self.size[rows])

    def joined(self, others: "Levels") -> "Levels":
        """With others behind them."""
        return Levels(
            np.concatenate([self.side, others.side]),
            np.concatenate([self.price, others.price]),
            np.concatenate([self.size, others.size]),
        )


def of_frames(given: Sequence[RawFrame]) -> Frames:
    """Single frames as columns."""
    text = np.frombuffer(b"".join(frame.payload for frame in given) + STOP, np.uint8)
    end = np.cumsum([len(frame.payload) for frame in given], dtype=np.int64)
    conns = tuple(dict.fromkeys(frame.conn for frame in given))
    numbers = {conn: k for k, conn in enumerate(conns)}
    return Frames(
        text,
        np.concatenate([np.zeros(1, np.int64), end[:-1]]),
        end,
        np.array([frame.recv_ts for frame in given], np.int64),
        np.array([frame.offset for frame in given], np.int64),
        np.array([numbers[frame.conn] for frame in given], np.int64),
        conns,
    )


def of_table(rows: pl.DataFrame) -> Frames:
    """Rows with `conn`, `recv_ts` and `payload` as columns; the offset is the row's number."""
    payload = rows["payload"].rechunk().to_arrow().cast(pa.large_binary())
    _, bounds, data = payload.buffers()
    offsets = np.frombuffer(bounds, np.int64)[payload.offset : payload.offset + rows.height + 1]
    text = np.zeros(offsets[-1] - offsets[0] + len(STOP), np.uint8)
    if data is not None:
        text[: -len(STOP)] = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    conns = rows["conn"].unique(maintain_order=True)
    numbers = rows["conn"].cast(pl.Enum(conns)).to_physical().to_numpy()
    bounds = offsets - offsets[0]
    return Frames(
        text,
        bounds[:-1].copy(),
        bounds[1:].copy(),
        np.array(rows["recv_ts"].to_numpy(), np.int64),
        np.arange(rows.height),
        numbers.astype(np.int64),
        tuple(conns.to_list()),
    )


def of_lines(offset: int, piece: bytes, stamped: bool) -> Frames | None:
    """Lines of a file as columns, each a frame; None where one of them is not.

    Args:
        offset: of the first line in the file.
        piece: whole lines.
        stamped: whether each begins with a local time; else the receive time is 0.
    """
    whole = piece.endswith(b"\n")
    text = np.frombuffer(piece if whole else piece + STOP, np.uint8)
    behind = np.flatnonzero(text == LINE_FEED)
    if not whole:
        behind = np.append(behind, len(piece))
    begin, start, end, recv_ts = (np.empty(len(behind), np.int64) for _ in range(4))
    if not _split(text, behind, stamped, begin, start, end, recv_ts):
        return None
    return Frames(text, start, end, recv_ts, begin + offset, np.zeros(len(behind), np.int64), ("",))


def payloads(frames: Frames) -> pl.Series:
    """The payloads as a column of a table; their bytes stay where they are."""
    views = np.empty((len(frames.start), 4), np.int32)
    _view(frames.text, frames.start, frames.end, views)
    buffers = [None, pa.py_buffer(views), pa.py_buffer(frames.text)]
    column = pl.from_arrow(pa.Array.from_buffers(pa.binary_view(), len(views), buffers))
    assert isinstance(column, pl.Series)  # noqa: S101 - an array reads as a series, never as a frame
    return column


def scanned(frames: Frames, tried: I64, decimals: tuple[int, int] | None) -> tuple[I64, Levels]:
    """The fields of frames, i64 (n, shapes.FIELDS), and their levels; see `ml.market.bulk.scanner`.

    Args:
        frames: to be read.
        tried: (n, 2) or, for all frames alike, (2), see `tried_on`.
        decimals: of prices and of sizes; None checks the levels and keeps none.
    """
    count = len(frames.start)
    room = 0 if decimals is None else int((frames.end - frames.start).sum()) // LEAST_LEVEL + count
    levels = Levels(np.empty(room, np.int8), np.empty(room, np.int64), np.empty(room, np.int64))
    fields = np.empty((count, at.FIELDS), np.int64)
    units = np.array(decimals or ANY_DECIMALS)
    tried = np.broadcast_to(tried, (count, 2)).copy()
    rows = scan(frames.text, frames.start, frames.end, tried, _table(), units, fields, *levels)
    return fields, levels.part(slice(rows)) if room else levels


def tried_on(conns: Sequence[str]) -> I64:
    """The shapes to try on frames of some connections, i64 (conns, 2): the first of `SHAPES`, and the one behind.

    A connection is named by its venue or by an address that tells the markets of Bybit or Binance apart; any other may
    be of any market of Binance. None are tried where `settings.compiled_parser` is off: all frames go to the ordinary
    parser.
    """
    found = np.zeros((len(conns), 2), np.int64)
    if not settings.load().compiled_parser:
        return found
    for k, conn in enumerate(conns):
        given = (conn.partition(" ")[0], f"bybit-{conn.rpartition('/')[2]}", binance.venue_of(conn))
        venues = next(((venue,) for venue in given if venue in DIALECTS), binance.VENUES)
        mine = [n for n, shape in enumerate(SHAPES) if shape.venue in venues]
        if mine:
            found[k] = mine[0], mine[-1] + 1
    return found


@cache
def _table() -> Table:
    return at.table(SHAPES)


@njit_no_alloc
def _split(text: U8, behind: I64, stamped: bool, begins: I64, starts: I64, ends: I64, recv_ts: I64) -> bool:
    """Begin, start and end of the payload and receive time of the lines that end at `behind`; false if one is odd."""
    begin = 0
    for k in range(behind.size):
        here = begin
        end = behind[k]
        stamp = 0
        if stamped:
            while 48 <= text[here] <= 57 and here - begin < NS_DIGITS:
                stamp = stamp * 10 + (text[here] - 48)
                here += 1
            digits = here - begin
            if digits == 0 or text[here] != SPACE or (digits == NS_DIGITS and text[begin] == 57):
                return False
            here += 1
            stamp = nanoseconds(stamp)
        while end > here and text[end - 1] == RETURN:
            end -= 1
        if end <= here or stamp < 0:
            return False
        begins[k] = begin
        starts[k] = here
        ends[k] = end
        recv_ts[k] = stamp
        begin = behind[k] + 1
    return True


@njit_no_alloc
def _view(text: U8, start: I64, end: I64, views: I32) -> None:
    """Where each payload lies, as Arrow's binary views: length, first bytes, buffer and offset; short ones whole."""
    for k in range(start.size):
        length = end[k] - start[k]
        views[k, 0] = length
        for word in range(1, 4 if length <= SHORT else 2):
            value = 0
            for byte in range(min(length - 4 * (word - 1), 4)):
                value |= np.int64(text[start[k] + 4 * (word - 1) + byte]) << (8 * byte)
            views[k, word] = value
        if length > SHORT:
            views[k, 2] = 0
            views[k, 3] = start[k]
