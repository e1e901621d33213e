"""One UTC day of one instrument, alone: the events and validity that follow from its raw frames.

Here: opening a day from its checkpoint, and decoding it.
Not here: which frames belong to a day (`ml.market.raw`), samples of the day (`ml.market.samples`).
"""

from typing import NamedTuple

import orjson
import polars as pl

from ml.dates import bounds
from ml.instruments import Instrument
from ml.market import layout
from ml.market.book import levels
from ml.market.checkpoint import unpack
from ml.market.continuity import NO_ID
from ml.market.decoded import BookEvent, Tally
from ml.market.eventlog import EventLog
from ml.market.events import CHECKPOINT, CLEAR, SNAPSHOT, TIME, BookMessage
from ml.market.feed import Interval, intervals
from ml.market.frames import of_table
from ml.market.stream import Stream, arrivals
from ml.schemas import TABLES

TOGETHER = 1 << 15
"""Frames that are decoded at once."""
OPENING, CLOSING = "opening", "closing"


class Decoded(NamedTuple):
    """The tables that follow from a day's raw frames, and what was counted."""

    book_events: pl.DataFrame
    trades: pl.DataFrame
    validity: pl.DataFrame
    quarantine: pl.DataFrame
    tally: Tally


def decode_day(raw: pl.DataFrame, instrument: Instrument, date: str) -> Decoded:
    """Events, validity and set-aside frames of a day from its raw frames."""
    start, end = bounds(date)
    stream, log = open_day(raw, instrument), EventLog()
    if stream.sampler.state.meta[layout.ANCHORED]:
        _log_opening(log, stream, start)
    skipped = len(log.messages["end"])
    quarantined: list[tuple[str, int, str, str, bytes]] = []
    frames = raw.filter(pl.col("kind") != "checkpoint").sort("arrival")
    for part in frames.iter_slices(TOGETHER):
        columns = of_table(part)
        for k, error in stream.decode(columns, arrivals(part["arrival"][0], part.height), log):
            origin = part["source_sha256"][k], part["offset"][k]
            quarantined.append((*origin, error.reason, error.detail, columns.payload(k)))
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


def open_day(raw: pl.DataFrame, instrument: Instrument) -> Stream:
    """The decoder and sampler with which a day of raw frames opens."""
    opening = raw.filter(pl.col("conn") == OPENING, pl.col("kind") == "checkpoint")
    if opening.is_empty():
        return Stream.of(instrument)
    return Stream(*unpack(opening["payload"][0], instrument))


def closing_frames(raw: pl.DataFrame) -> list[tuple[int, bytes]]:
    """Receive time and payload of the first frames after a day of raw frames; none where the chain ends in it."""
    closing = raw.filter(pl.col("conn") == CLOSING, pl.col("kind") == "checkpoint")
    if closing.is_empty():
        return []
    return [(recv_ts, text.encode()) for recv_ts, text in orjson.loads(closing["payload"][0])]


def _run(stream: Stream, log: EventLog, skipped: int) -> None:
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


def _run_closing(stream: Stream, frames: list[tuple[int, bytes]], arrival: int) -> None:
    """Let the kernel see the first frames after the day; what they hold belongs to the next day's tables."""
    counted = Tally(**vars(stream.decoder.tally))
    for position, (recv_ts, frame) in enumerate(frames):
        log = EventLog()
        stream.take(arrival + position, recv_ts, orjson.loads(frame), log)
        stream.sampler.run(*log.streams())
    stream.decoder.tally = counted


def _log_opening(log: EventLog, stream: Stream, start: int) -> None:
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


def _validity(stream: Stream, start: int, end: int, goes_on: bool) -> list[Interval]:
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
