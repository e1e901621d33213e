"""Batch = live for spoofing pressure: stored rows against those of the live path, bit for bit.

Here: a stored day's raw frames one by one through the live path, and the comparison.
Not here: parity of the other features, which go on from checkpoints (`ml.evaluation.parity`). A runner that is started
again has lost frames, after which nothing is known of lots in batch either.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import orjson
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.evaluation.parity import Parity
from ml.features.pressure.rows import REASON, OnlinePressure
from ml.features.pressure.table import NAMES
from ml.market.book import layout
from ml.market.book.feed import Feed
from ml.market.book.kernel import break_book
from ml.market.book.sampler import NO_TRADES
from ml.market.days.day import closing_frames, open_day
from ml.market.days.tables import book_stream
from ml.market.decode.events import CHECKPOINT

Rows = dict[int, tuple[np.ndarray, int]]
"""Values f64 and null reason by time, ns UTC."""


def replay(
    raw: Iterable[pl.DataFrame],
    opening: pl.DataFrame,
    before: np.ndarray,
    stored: pl.DataFrame,
    instrument: Instrument,
    date: str,
) -> Parity:
    """Replay the stored raw frames of a day, and compare every stored row.

    Args:
        raw: the table `raw_frames`, in parts.
        opening: the first rows of `book_events`: the book with which the day opens.
        before: samples of the hour before the day (`ml.market.days.samples.tail`).
        stored: the table `spoofing_pressure`.
        instrument: whose frames they are.
        date: of the day.
    """
    parts = iter(raw)
    first = next(parts)
    opened = open_day(first, instrument)
    feed = Feed(opened.decoder, opened.sampler)
    feed.sampler.forget = True
    online = OnlinePressure(instrument, bounds(date)[0])
    online.pressure.seed(before)
    book = opening.filter(pl.col("flags") & CHECKPOINT > 0)
    if book.height:
        online.take(book_stream(book), NO_TRADES)
    feed.listener = online.take
    live: Rows = {}
    done = feed.sampler.released
    for recv_ts, payload in _frames(chain([first], parts)):
        feed.offer(orjson.loads(payload), recv_ts)
        done = _released(feed, online, done, live)
    break_book(feed.sampler.state, -1, layout.EXTERNAL_BREAK)
    _released(feed, online, done, live)
    return _compared(stored, live)


def _frames(parts: Iterable[pl.DataFrame]) -> Iterator[tuple[int, bytes]]:
    """Receive time and payload of all frames, those after the day at last."""
    part = pl.DataFrame()
    for part in parts:
        yield from part.filter(pl.col("kind") != "checkpoint").select("recv_ts", "payload").iter_rows()
    yield from closing_frames(part)


def _released(feed: Feed, online: OnlinePressure, done: int, live: Rows) -> int:
    """Note the rows of the samples released since the last call; how many were released so far."""
    sampler = feed.sampler
    for i in range(done - sampler.dropped, sampler.released):
        online.compute(sampler.samples, i)
        live[int(sampler.samples[i, layout.TS])] = online.values, online.code
    return sampler.released + sampler.dropped


def _compared(stored: pl.DataFrame, live: Rows) -> Parity:
    parity = Parity(rows=stored.height)
    values = stored.select(pl.col(NAMES).fill_null(float("nan"))).to_numpy()
    for k, (ts, code) in enumerate(stored.select("ts", REASON).iter_rows()):
        found, reason = live.get(ts, (np.full(len(NAMES), np.nan), -1))
        parity.rows_with_values += code == 0
        if reason != code or not np.array_equal(values[k], found, equal_nan=True):
            parity.mismatches += 1
            parity.first = parity.first or (
                f"{ts} spoofing_pressure: batch {values[k].tolist()} ({code}), live {found.tolist()} ({reason})"
            )
    return parity
