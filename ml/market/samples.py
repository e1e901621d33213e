"""The samples of a stored day: `book_samples` from its events, and the tail of the day before.

Here: one function over the tables.
Not here: the sampling itself (`ml.market.kernel`).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from ml.dates import bounds
from ml.instruments import Instrument
from ml.market import kernel, layout
from ml.market.day import open_day
from ml.market.events import CHECKPOINT, LAST
from ml.market.sampler import Sampler
from ml.market.tables import book_stream, samples_frame, trade_stream


def sample_day(
    raw: pl.DataFrame,
    book_events: Iterable[pl.DataFrame],
    trades: pl.DataFrame,
    validity: pl.DataFrame,
    instrument: Instrument,
    date: str,
) -> pl.DataFrame:
    """The table `book_samples` of a day: one row a second over which the capture goes, midnight at the end included.

    Args:
        raw: the first of the day's raw frames.
        book_events: the table, in parts; of its columns BOOK are needed.
        trades: the table.
        validity: the table.
        instrument: whose day it is.
        date: of the day.
    """
    start, end = bounds(date)
    sampler, prints = open_day(raw, instrument).sampler, trade_stream(trades)
    for part in _whole_messages(book_events):
        books = book_stream(part)
        now = int(np.searchsorted(prints.arrival, books.arrival[-1], "right"))
        sampler.run(books, prints.part(slice(now)))
        prints = prints.part(slice(now, None))
    sampler.run(trades=prints)
    _finish(sampler, validity)
    rows = sampler.samples[: sampler.released]
    return samples_frame(rows[(rows[:, layout.TS] > start) & (rows[:, layout.TS] <= end)])


def _whole_messages(parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The rows after the book with which the day opens, in parts that cut no message and are not empty."""
    held = pl.DataFrame()
    for part in parts:
        flags = part["flags"].to_numpy()
        if flags.size and flags[0] & CHECKPOINT:
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


def tail(raw: pl.DataFrame, instrument: Instrument, date: str) -> np.ndarray:
    """The samples of the hour before a day, i64 (up to 3 600, columns); `raw` holds the first of its raw frames."""
    rows = open_day(raw, instrument).sampler.samples
    return rows[rows[:, layout.TS] <= bounds(date)[0]]


def _finish(sampler: Sampler, validity: pl.DataFrame) -> None:
    """What no book message of the day confirmed: the validity table knows whether the next day's did."""
    reason = validity["end_reason"][-1] if validity.height else None
    if reason is None:
        kernel.release(sampler.state, sampler.state.meta[layout.WATERMARK], -1)
    elif reason != "capture_end":
        kernel.break_book(sampler.state, -1, layout.EXTERNAL_BREAK)
