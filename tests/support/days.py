"""A day's tables held as a whole: what the product makes part after part, for tests that look at all of it."""

from typing import NamedTuple

import polars as pl

from ml.market.days import day, raw, samples


class Decoded(NamedTuple):
    """The tables that follow from a day's raw frames, and what was counted."""

    book_events: pl.DataFrame
    trades: pl.DataFrame
    validity: pl.DataFrame
    trade_validity: pl.DataFrame
    quarantine: pl.DataFrame
    tally: dict[str, int]


def raw_day(chain, instrument, date):
    """The table `raw_frames`."""
    return pl.concat(raw.raw_day(chain, instrument, date))


def decode_day(frames, instrument, date, rows=1 << 15):
    """The tables of raw frames that come in parts of so many rows."""
    decoding = day.Decoding(frames.iter_slices(rows), instrument, date)
    books = pl.concat(decoding.book_events())
    return Decoded(
        books, decoding.trades, decoding.validity, decoding.trade_validity, decoding.quarantine, decoding.tally
    )


def sample_day(frames, book_events, trades, validity, instrument, date, rows=1 << 18):
    """The table `book_samples` of events that come in parts of so many rows."""
    return samples.sample_day(frames, book_events.iter_slices(rows), trades, validity, instrument, date)
