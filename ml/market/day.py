"""One UTC day of one instrument, alone: its raw frames, and the events and validity that follow from them.

Here: which frames belong to a day, the checkpoint it opens with, and decoding it.
Not here: samples of the day (`ml.market.samples`), the files (`ml.market.chain`).

A frame belongs to the day of the watermark after it. The rows of `raw_frames` are the checkpoint with which the day
opens (arrival -1), the day's frames from arrival 0 on, and, where the chain goes on, the first frames of the next day
in one closing checkpoint: they tell whether the book was right up to midnight.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
import polars as pl

from ml.dates import bounds
from ml.errors import CaptureError, FrameError
from ml.instruments import Instrument
from ml.market import layout
from ml.market.book import levels
from ml.market.chain import Arrived, Chain
from ml.market.checkpoint import pack, unpack
from ml.market.clock import Clock
from ml.market.continuity import NO_ID, Step
from ml.market.decoder import BookEvent, Decoder, Tally, TradeEvent
from ml.market.eventlog import EventLog
from ml.market.events import CHECKPOINT, CLEAR, SNAPSHOT, TIME, BookMessage
from ml.market.feed import Interval, intervals
from ml.market.sampler import SECOND, Sampler
from ml.market.venues.dialects import BOOK, LOSS, MOVING, SNAPSHOT_ASKED, Dialect, dialect
from ml.schemas import TABLES

LEAD_IN_NS = (layout.TAIL + 60) * SECOND
CLOSING_BOOK_FRAMES = 3
FLUSH_MESSAGES = 200_000
OPENING, CLOSING = "opening", "closing"
KINDS = {SNAPSHOT_ASKED: "snapshot", LOSS: "loss"}


class Decoded(NamedTuple):
    """The tables that follow from a day's raw frames, and what was counted."""

    book_events: pl.DataFrame
    trades: pl.DataFrame
    validity: pl.DataFrame
    quarantine: pl.DataFrame
    tally: Tally


@dataclass
class _Stream:
    """Frames into events into the kernel, with the breaks that the ids showed."""

    decoder: Decoder
    sampler: Sampler
    breaks: dict[int, Step]

    def decode(self, arrival: int, recv_ts: int, payload: bytes, log: EventLog) -> list[FrameError]:
        refused: list[FrameError] = []
        for event in self.decoder.offer(orjson.loads(payload), recv_ts):
            if isinstance(event, BookEvent):
                if event.broken is not None:
                    self.breaks[arrival] = event.broken
                log.book(arrival, recv_ts, event)
            elif isinstance(event, TradeEvent):
                log.trades(arrival, recv_ts, event)
            else:
                refused.append(event)
        return refused


def raw_day(chain: Chain, instrument: Instrument, date: str) -> pl.DataFrame:
    """The table `raw_frames` of a day.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    start, end = bounds(date)
    before: list[Arrived] = []
    day, closing, book_frames = list[Arrived](), list[Arrived](), 0
    lead_in = _LeadIn(instrument)
    spoken, clock = dialect(instrument.venue), Clock()
    for arrived in chain.of(instrument.id, since=start - LEAD_IN_NS).frames(instrument.id):
        kind = spoken.kind(arrived.doc)
        _move(clock, arrived, spoken, kind)
        if clock.watermark == 0:
            before.append(arrived)
        elif clock.watermark < start:
            lead_in.take([*before, arrived])
            before.clear()
        elif clock.watermark < end:
            day += [*before, arrived]
            before.clear()
        else:
            closing.append(arrived)
            book_frames += kind == BOOK
            if book_frames == CLOSING_BOOK_FRAMES:
                break
    if not day and not (closing and lead_in.taken):
        raise CaptureError(
            f"{instrument.id}: no frame of {date} in the captures, which hold {_reach(chain, instrument)}. "
            "Add captures of that day."
        )
    opening = lead_in.checkpoint(start)
    parts = [_checkpoint_row(-1, OPENING, start, opening)] if opening is not None else []
    parts.append(_frame_rows(day, spoken))
    if closing:
        parts.append(_checkpoint_row(len(day), CLOSING, end, _pack_frames(closing)))
    return pl.concat(parts)


def decode_day(raw: pl.DataFrame, instrument: Instrument, date: str) -> Decoded:
    """Events, validity and set-aside frames of a day from its raw frames."""
    start, end = bounds(date)
    stream, log = open_day(raw, instrument), EventLog()
    if stream.sampler.state.meta[layout.ANCHORED]:
        _log_opening(log, stream, start)
    skipped = len(log.messages["end"])
    quarantined: list[tuple[str, int, str, str, bytes]] = []
    frames = raw.filter(pl.col("kind") != "checkpoint").sort("arrival")
    for arrival, recv_ts, payload, source, offset in frames.select(
        "arrival", "recv_ts", "payload", "source_sha256", "offset"
    ).iter_rows():
        for error in stream.decode(arrival, recv_ts, payload, log):
            quarantined.append((source, offset, error.reason, error.detail, payload))
    closing = closing_frames(raw)
    if closing:
        log.book(frames.height, end, BookEvent(BookMessage(False, end, 0, -1, -1, -1), TIME))
    _run(stream, log, skipped)
    _run_closing(stream, closing, frames.height + 1)
    validity = _validity(stream, start, end, bool(closing))
    return Decoded(
        log.book_frame(),
        log.trade_frame(),
        pl.DataFrame(validity, schema=TABLES["validity"], orient="row"),
        pl.DataFrame(quarantined, schema=TABLES["quarantine"], orient="row"),
        stream.decoder.tally,
    )


def open_day(raw: pl.DataFrame, instrument: Instrument) -> _Stream:
    """The decoder and sampler with which a day of raw frames opens."""
    opening = raw.filter(pl.col("conn") == OPENING, pl.col("kind") == "checkpoint")
    if opening.is_empty():
        return _Stream(Decoder(instrument), Sampler(), {})
    return _Stream(*unpack(opening["payload"][0], instrument), {})


def closing_frames(raw: pl.DataFrame) -> list[tuple[int, bytes]]:
    """Receive time and payload of the first frames after a day of raw frames; none where the chain ends in it."""
    closing = raw.filter(pl.col("conn") == CLOSING, pl.col("kind") == "checkpoint")
    if closing.is_empty():
        return []
    return [(recv_ts, text.encode()) for recv_ts, text in orjson.loads(closing["payload"][0])]


class _LeadIn:
    """The frames before a day, decoded in stretches so that memory stays small."""

    def __init__(self, instrument: Instrument) -> None:
        self.stream = _Stream(Decoder(instrument), Sampler(forget=True), {})
        self.log, self.taken = EventLog(), 0

    def take(self, arrived: Iterable[Arrived]) -> None:
        for one in arrived:
            self.stream.decode(self.taken, one.frame.recv_ts, one.frame.payload, self.log)
            self.taken += 1
            if self.taken % FLUSH_MESSAGES == 0:
                self.flush()

    def flush(self) -> None:
        self.stream.sampler.run(*self.log.streams())
        self.log = EventLog()

    def checkpoint(self, start: int) -> bytes | None:
        """The state at midnight: the day's first frame has moved the clock past it, and is not yet applied."""
        self.flush()
        self.stream.sampler.advance(start)
        return pack(self.stream.decoder, self.stream.sampler) if self.taken else None


def _reach(chain: Chain, instrument: Instrument) -> str:
    """First and last event time of an instrument in a chain, for a person."""
    spans = [s for _, index in chain.files if (s := index.instruments.get(instrument.id)) and s.first_event]
    if not spans:
        return f"only {', '.join(chain.instruments())}"
    ends = (min(span.first_event for span in spans), max(span.last_event for span in spans))
    return " to ".join(datetime.fromtimestamp(ts / SECOND, UTC).isoformat(" ", "seconds") for ts in ends)


def _frame_rows(day: list[Arrived], spoken: Dialect) -> pl.DataFrame:
    frames = [arrived.frame for arrived in day]
    columns = {
        "arrival": range(len(day)),
        "conn": [frame.conn for frame in frames],
        "recv_ts": [frame.recv_ts for frame in frames],
        "kind": [KINDS.get(spoken.kind(arrived.doc), "ws") for arrived in day],
        "payload": [frame.payload for frame in frames],
        "source_sha256": [arrived.source_sha256 for arrived in day],
        "offset": [frame.offset for frame in frames],
    }
    return pl.DataFrame(columns, schema=TABLES["raw_frames"])


def _checkpoint_row(arrival: int, which: str, ts: int, payload: bytes) -> pl.DataFrame:
    return pl.DataFrame(
        [(arrival, which, ts, "checkpoint", payload, "", -1)], schema=TABLES["raw_frames"], orient="row"
    )


def _move(clock: Clock, arrived: Arrived, spoken: Dialect, kind: str) -> None:
    """Move the day's clock exactly as the decoder will."""
    if kind in MOVING:
        try:
            clock.admit(spoken.event_ts(arrived.doc), arrived.frame.recv_ts)
        except FrameError:
            return  # the decoder sets the frame aside; it moves no clock


def _run(stream: _Stream, log: EventLog, skipped: int) -> None:
    """Give the kernel what was logged, but for the opening book, which it knows."""
    books, trades = log.streams()
    offset = int(books.end[skipped - 1]) if skipped else 0
    books = books._replace(
        ts=books.ts[skipped:],
        arrival=books.arrival[skipped:],
        flags=books.flags[skipped:],
        end=books.end[skipped:] - offset,
        side=books.side[offset:],
        price=books.price[offset:],
        size=books.size[offset:],
    )
    stream.sampler.run(books, trades)


def _run_closing(stream: _Stream, frames: list[tuple[int, bytes]], arrival: int) -> None:
    """Let the kernel see the first frames after the day; what they hold belongs to the next day's tables."""
    counted = Tally(**vars(stream.decoder.tally))
    for position, (recv_ts, frame) in enumerate(frames):
        log = EventLog()
        stream.decode(arrival + position, recv_ts, frame, log)
        stream.sampler.run(*log.streams())
    stream.decoder.tally = counted


def _log_opening(log: EventLog, stream: _Stream, start: int) -> None:
    book, message = (
        stream.sampler.state.book,
        BookMessage(True, start, 0, -1, stream.decoder.continuity.last_id or -1, -1),
    )
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(book, index)
        message.side += [side] * len(prices)
        message.price += prices.tolist()
        message.size += sizes.tolist()
    log.book(-1, start, BookEvent(message, SNAPSHOT | CLEAR | CHECKPOINT))


def _validity(stream: _Stream, start: int, end: int, goes_on: bool) -> list[Interval]:
    found: list[Interval] = []
    for span in intervals(stream.sampler, stream.breaks):
        if span.end_reason is None and not goes_on:
            span = span._replace(end_reason="capture_end", from_id=_known(stream.decoder.continuity.last_id))
        if span.end_ts >= end or (span.end_reason is None and goes_on):
            span = span._replace(end_ts=end, from_id=None, to_id=None, end_reason=None)
        span = span._replace(start_ts=max(span.start_ts, start))
        if span.start_ts <= span.end_ts and span.start_ts < end:
            found.append(span)
    if not found and stream.decoder.clock.watermark:
        seen = max(stream.decoder.clock.watermark, start)
        found.append(Interval(seen, seen, -1, -1, None, None, "no_snapshot"))
    return found


def _known(update_id: int | None) -> int | None:
    return None if update_id == NO_ID else update_id


def _pack_frames(frames: list[Arrived]) -> bytes:
    return orjson.dumps([[f.frame.recv_ts, f.frame.payload.decode()] for f in frames])
