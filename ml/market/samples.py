"""The samples of a stored day: `book_samples` from its events, and the tail of the day before.

Here: one function over the tables.
Not here: the sampling itself (`ml.market.kernel`).
"""

import numpy as np
import polars as pl

from ml.dates import bounds
from ml.instruments import Instrument
from ml.market import kernel, layout
from ml.market.day import open_day
from ml.market.events import CHECKPOINT
from ml.market.sampler import Sampler
from ml.market.tables import book_stream, samples_frame, trade_stream


def sample_day(
    raw: pl.DataFrame,
    book_events: pl.DataFrame,
    trades: pl.DataFrame,
    validity: pl.DataFrame,
    instrument: Instrument,
    date: str,
) -> pl.DataFrame:
    """The table `book_samples` of a day: one row a second over which the capture goes, midnight at the end included."""
    start, end = bounds(date)
    sampler = open_day(raw, instrument).sampler
    sampler.run(book_stream(book_events.filter(pl.col("flags") & CHECKPOINT == 0)), trade_stream(trades))
    _finish(sampler, validity)
    rows = sampler.samples[: sampler.released]
    return samples_frame(rows[(rows[:, layout.TS] > start) & (rows[:, layout.TS] <= end)])


def tail(raw: pl.DataFrame, instrument: Instrument, date: str) -> np.ndarray:
    """The samples of the hour before a day, i64 (up to 3 600, columns), as its windows may look back on them."""
    rows = open_day(raw, instrument).sampler.samples
    return rows[rows[:, layout.TS] <= bounds(date)[0]]


def _finish(sampler: Sampler, validity: pl.DataFrame) -> None:
    """What no book message of the day confirmed: the validity table knows whether the next day's did."""
    reason = validity["end_reason"][-1] if validity.height else None
    if reason is None:
        kernel.release(sampler.state, sampler.state.meta[layout.WATERMARK], -1)
    elif reason != "capture_end":
        kernel.break_book(sampler.state, -1, layout.EXTERNAL_BREAK)
