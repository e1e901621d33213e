"""One UTC day of one instrument, alone: the events and validity that follow from its raw frames.

Here: opening a day from its checkpoint, decoding it, and the intervals in which trades were captured (the table
`trade_validity`). A file that holds every trade of the day, as some archives do, makes the day known from its first to
its last ns.
Not here: which frames belong to a day (`ml.market.days.raw`), samples of the day (`ml.market.days.samples`).
"""

from collections.abc import Iterable, Iterator

import orjson
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import bounds, date_of
from ml.market.book import layout
from ml.market.book.checkpoint import unpack
from ml.market.book.feed import Interval, intervals, silent, trade_intervals
from ml.market.book.ladder import levels
from ml.market.bulk.frames import of_table
from ml.market.decode.decoded import BookEvent
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import CHECKPOINT, CLEAR, SNAPSHOT, TIME, BookMessage
from ml.market.decode.stream import Stream
from ml.tables.schemas import SCHEMAS

OPENING = "opening"
CLOSING = "closing"
NEVER = "no_trades_captured"


class Decoding:
    """A day's raw frames on their way into tables, part after part.

    `book_events` is read first and once; then the other tables are whole, and `tally` says what was counted.

    Args:
        raw: the table `raw_frames` of the day, in parts.
        instrument: whose frames they are.
        date: of the day.
    """

    def __init__(self, raw: Iterable[pl.DataFrame], instrument: Instrument, date: str) -> None:
        self._raw = raw
        self._instrument = instrument
        self._start, self._end = bounds(date)
        self._trades = [pl.DataFrame(schema=SCHEMAS["trades"])]
        self._refused: list[tuple[str, int, str, str, bytes]] = []
        self._spans: list[Interval] = []
        self._trade_spans: list[Interval] = []
        self.tally: dict[str, int] = {}

    def book_events(self) -> Iterator[pl.DataFrame]:
        """The table `book_events`, in parts; the kernel sees them as they go by."""
        stream = Stream.of(self._instrument)
        closing = list[tuple[int, bytes]]()
        count = 0
        for number, part in enumerate(self._raw):
            if number == 0:
                stream = open_day(part, self._instrument)
                yield _opening(stream, self._start)
            closing = closing or closing_frames(part)
            rows = part.filter(pl.col("kind") != "checkpoint")
            if rows.height:
                count = int(rows["arrival"][-1]) + 1
                yield self._decoded(stream, rows)
        if closing:
            log = midnight(count, self._end)
            stream.sampler.run(*log.streams())
            yield log.book_frame()
        self.tally |= vars(stream.decoder.tally)
        self._spans = close_day(stream, closing, count + 1, (self._start, self._end))
        self._trade_spans = trades_known(stream, self._start, self._end, bool(closing))

    def _decoded(self, stream: Stream, rows: pl.DataFrame) -> pl.DataFrame:
        log = EventLog()
        columns = of_table(rows)
        for k, error in stream.decode(columns, rows["arrival"].to_numpy(), log):
            origin = rows["source_sha256"][k], rows["offset"][k]
            self._refused.append((*origin, error.reason, error.detail, columns.payload(k)))
        stream.sampler.run(*log.streams())
        self._trades.append(log.trade_frame())
        return log.book_frame()

    @property
    def trades(self) -> pl.DataFrame:
        """The table `trades`."""
        return pl.concat(self._trades)

    @property
    def validity(self) -> pl.DataFrame:
        """The table `validity`."""
        return pl.DataFrame(self._spans, schema=SCHEMAS["validity"], orient="row")

    @property
    def trade_validity(self) -> pl.DataFrame:
        """The table `trade_validity`."""
        return pl.DataFrame(self._trade_spans, schema=SCHEMAS["trade_validity"], orient="row")

    @property
    def quarantine(self) -> pl.DataFrame:
        """The table `quarantine`: frames that were quarantined."""
        return pl.DataFrame(self._refused, schema=SCHEMAS["quarantine"], orient="row")


def open_day(raw: pl.DataFrame, instrument: Instrument) -> Stream:
    """The decoder and sampler with which a day of raw frames opens."""
    opening = raw.filter(pl.col("conn") == OPENING, pl.col("kind") == "checkpoint")
    return resumed(None if opening.is_empty() else opening["payload"][0], instrument)


def resumed(checkpoint: bytes | None, instrument: Instrument) -> Stream:
    """A stream that goes on from a checkpoint; without one it has seen nothing."""
    return Stream.of(instrument) if checkpoint is None else Stream(*unpack(checkpoint, instrument))


def midnight(arrival: int, end: int) -> EventLog:
    """What ends a day after which the chain goes on: time passes up to its end."""
    log = EventLog()
    log.book(arrival, end, BookEvent(BookMessage(False, end, 0, -1, -1, -1), TIME))
    return log


def closing_frames(raw: pl.DataFrame) -> list[tuple[int, bytes]]:
    """Receive time and payload of the first frames after a day of raw frames; none where the chain ends in it."""
    closing = raw.filter(pl.col("conn") == CLOSING, pl.col("kind") == "checkpoint")
    if closing.is_empty():
        return []
    return [(recv_ts, text.encode()) for recv_ts, text in orjson.loads(closing["payload"][0])]


def close_day(stream: Stream, closing: list[tuple[int, bytes]], arrival: int, day: tuple[int, int]) -> list[Interval]:
    """The day's intervals in which the book was known; its stream sees the first frames after it for that.

    Args:
        stream: at the end of the day.
        closing: receive time and payload of these frames, which belong to the next day's tables.
        arrival: their first number.
        day: first and last ns of the day.
    """
    for position, (recv_ts, frame) in enumerate(closing):
        log = EventLog()
        stream.take(arrival + position, recv_ts, orjson.loads(frame), log)
        stream.sampler.run(*log.streams())
    return _validity(stream, *day, goes_on=bool(closing))


def trades_known(stream: Stream, start: int, end: int, goes_on: bool) -> list[Interval]:
    """The intervals of a day in which trades were known; one of no length, `no_trades_captured`, where none was seen.

    Args:
        stream: after the day, and the first frames of the next one if there are any.
        start: first ns of the day.
        end: last ns of the day.
        goes_on: whether there are.
    """
    found: list[Interval] = []
    for span in trade_intervals(stream.sampler, stream.breaks):
        if span.end_reason is None:
            span = span._replace(end_ts=end) if goes_on else span._replace(end_reason="capture_end")
        if span.end_ts >= end:
            span = span._replace(end_ts=end, from_id=None, to_id=None, end_reason=None)
        span = span._replace(start_ts=max(span.start_ts, start))
        if span.start_ts <= span.end_ts and span.start_ts < end:
            found.append(span)
    if date_of(start) in stream.decoder.covered:
        found = _joined(found, start, end)
    return found or [Interval(start, start, -1, -1, None, None, NEVER)]


def _joined(spans: list[Interval], start: int, end: int) -> list[Interval]:
    """The same where a file holds every trade of the day: only what is missing in the file itself interrupts them."""
    found = list[Interval]()
    begin = spans[0]._replace(start_ts=start)
    for number, span in enumerate(spans):
        if span.from_id is None and span.end_reason != "bad_frame":
            continue
        found.append(span._replace(start_ts=begin.start_ts, start_arrival=begin.start_arrival))
        if number + 1 == len(spans):
            return found
        begin = spans[number + 1]
    whole = spans[-1]._replace(start_ts=begin.start_ts, start_arrival=begin.start_arrival)
    return [*found, whole._replace(end_ts=end, end_reason=None)]


def _opening(stream: Stream, start: int) -> pl.DataFrame:
    """The book with which a day opens, as events: the kernel knows it."""
    log = EventLog()
    if not stream.sampler.state.meta[layout.ANCHORED]:
        return log.book_frame()
    book = stream.sampler.state.book
    message = BookMessage(True, start, 0, -1, stream.decoder.continuity.last_id or -1, -1)
    for side, index in ((1, 0), (-1, 1)):
        prices, sizes = levels(book, index)
        message.side += [side] * len(prices)
        message.price += prices.tolist()
        message.size += sizes.tolist()
    log.book(-1, start, BookEvent(message, SNAPSHOT | CLEAR | CHECKPOINT))
    return log.book_frame()


def _validity(stream: Stream, start: int, end: int, *, goes_on: bool) -> list[Interval]:
    """The intervals within a day; what no book message confirms is unknown from the last one that did."""
    found: list[Interval] = []
    for span in intervals(stream.sampler, stream.breaks):
        if span.end_ts >= end:
            span = span._replace(end_ts=end, from_id=None, to_id=None, end_reason=None)
        elif span.end_reason is None:
            quiet = goes_on or silent(stream.sampler, stream.decoder.instrument)
            span = span.ended("silent" if quiet else "capture_end", stream.decoder.continuity.last_id)
        span = span._replace(start_ts=max(span.start_ts, start))
        if span.start_ts <= span.end_ts and span.start_ts < end:
            found.append(span)
    if not found and stream.first_ts:
        seen = min(max(stream.first_ts, start), end)
        found.append(Interval(seen, seen, -1, -1, None, None, "no_snapshot"))
    return found
