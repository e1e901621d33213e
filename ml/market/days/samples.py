"""The samples of a day, and the tail of the day before.

`book_samples` is computed from the stored events, or directly from captures without storing anything. Sampling
itself is `ml.market.book.kernel`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.core.prefetch import prefetch
from ml.core.time import bounds
from ml.market.book import kernel, layout
from ml.market.book.layout import BookStream, TradeStream
from ml.market.book.sampler import NO_BOOKS, Sampler
from ml.market.days.day import close_day, midnight, open_day, resumed
from ml.market.days.day_frames import DayFrames
from ml.market.days.tables import book_stream, samples_frame, trade_stream
from ml.market.decode.eventlog import EventLog
from ml.market.decode.events import CHECKPOINT, LAST
from ml.market.decode.stream import arrivals
from ml.market.files.capture_sequence import CaptureSequence


def sample_day(
    raw: pl.DataFrame,
    book_events: Iterable[pl.DataFrame],
    trades: pl.DataFrame,
    validity: pl.DataFrame,
    instrument: Instrument,
    date: str,
) -> pl.DataFrame:
    """The table `book_samples` of a day: one row per second over which the capture goes, midnight at the end included.

    Args:
        raw: the first of the day's raw frames.
        book_events: the table, in parts; of its columns BOOK are needed.
        trades: the table.
        validity: the table.
        instrument: whose day it is.
        date: of the day.
    """
    sampler = open_day(raw, instrument).sampler
    pending = trade_stream(trades)
    for part in whole_messages(book_events):
        books = book_stream(part)
        now = int(np.searchsorted(pending.arrival, books.arrival[-1], "right"))
        sampler.run(books, pending.part(slice(now)))
        pending = pending.part(slice(now, None))
    sampler.run(trades=pending)
    return _finished(sampler, validity["end_reason"][-1] if validity.height else None, date)


class FromCaptures(NamedTuple):
    """A day's samples, those of the hour before (see `tail`), and how many frames were quarantined by reason."""

    samples: pl.DataFrame
    tail: np.ndarray
    refused: dict[str, int]


def sample_captures(chain: CaptureSequence, instrument: Instrument, date: str) -> FromCaptures:
    """The table `book_samples` of a day directly from captures: the rows that the stored tables would give.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    day, (start, end) = DayFrames(chain, instrument, date), bounds(date)
    runs = prefetch(day.runs())
    arrival = 0
    refused = Counter[str]()
    stream = resumed(day.opening, instrument)
    before = _until(stream.sampler, start)
    for run in runs:
        log = EventLog()
        numbers = arrivals(arrival, run.length)
        refused.update(error.reason for _, error in stream.decode(run.frames, numbers, log, run.read))
        stream.sampler.run(*log.streams())
        arrival += run.length
    if day.closing:
        stream.sampler.run(*midnight(arrival, end).streams())
    known = close_day(stream, day.closing, arrival + 1, (start, end))
    return FromCaptures(_finished(stream.sampler, known[-1].end_reason if known else None, date), before, dict(refused))


def whole_messages(parts: Iterable[pl.DataFrame], *, with_opening: bool = False) -> Iterator[pl.DataFrame]:
    """The rows in parts that cut no message and are not empty; the book with which the day opens only if asked for."""
    held = pl.DataFrame()
    for part in parts:
        flags = part["flags"].to_numpy()
        if not with_opening and flags.size and flags[0] & CHECKPOINT:
            part = part.filter(pl.col("flags") & CHECKPOINT == 0)
            flags = part["flags"].to_numpy()
        ends = np.flatnonzero(flags & LAST) + 1
        first = int(ends[0]) if held.height and len(ends) else 0
        if first:
            yield pl.concat([held, part[:first]])
            held = part.clear()
        behind = int(ends[-1]) if len(ends) else 0
        if first < behind:
            yield part[first:behind]
        held = pl.concat([held, part[behind:]]) if held.height else part[behind:]


def streams_of_day(
    book_events: Iterable[pl.DataFrame], trades: pl.DataFrame
) -> Iterator[tuple[BookStream, TradeStream]]:
    """A stored day as attribution takes it, in parts: the book with which it opens, and trades with their own times.

    Args:
        book_events: the table, in parts; of its columns BOOK are needed.
        trades: the table.
    """
    left = trade_stream(trades)._replace(ts=trades["event_ts"].to_numpy())
    for part in whole_messages(book_events, with_opening=True):
        books = book_stream(part)
        now = int(np.searchsorted(left.arrival, books.arrival[-1], "right"))
        yield books, left.part(slice(now))
        left = left.part(slice(now, None))
    yield NO_BOOKS, left


def tail(raw: pl.DataFrame, instrument: Instrument, date: str) -> np.ndarray:
    """The samples of the hour before a day, i64 (up to 3 600, columns); `raw` holds the first of its raw frames."""
    return _until(open_day(raw, instrument).sampler, bounds(date)[0])


def _until(sampler: Sampler, start: int) -> np.ndarray:
    return sampler.samples[sampler.samples[:, layout.TS] <= start]


def _finished(sampler: Sampler, end_reason: str | None, date: str) -> pl.DataFrame:
    """The day's rows; of what no book message of the day confirmed, the validity knows whether the next day's did."""
    start, end = bounds(date)
    if end_reason is None:
        kernel.release(sampler.state, sampler.state.meta[layout.WATERMARK], -1)
    elif end_reason != "capture_end":
        kernel.break_book(sampler.state, -1, layout.EXTERNAL_BREAK)
    rows = sampler.samples[: sampler.released]
    return samples_frame(rows[(rows[:, layout.TS] > start) & (rows[:, layout.TS] <= end)])
