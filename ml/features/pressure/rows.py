"""Rows of spoofing pressure: of a stored day, and the newest one of a live stream.

Here: both drivers of the same compiled rows, and which sample makes a row null.
Not here: the numbers (`ml.features.pressure.kernel`).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.features.pressure import kernel
from ml.features.pressure.table import FAMILY, NAMES, NEEDS
from ml.market.attribution import layout as lot
from ml.market.attribution import scale
from ml.market.attribution.tracker import roomier, state_of
from ml.market.book import layout
from ml.market.book.layout import I64, BookStream, TradeStream, constant
from ml.market.book.sampler import NO_BOOKS, NO_TRADES
from ml.market.days.samples import streams_of_day
from ml.tables.schemas import NullReason

REASON = f"null_reason_{FAMILY}"
Row = tuple[int, np.ndarray, int]
"""Time (ns UTC), values f64 (NaN where null), and why the events make it null (0 where they do not)."""


class Pressure:
    """Events of one instrument into rows.

    Args:
        instrument: whose events.
        start: the first row is that of the second after it, ns UTC; 0 starts with the first event.
    """

    def __init__(self, instrument: Instrument, start: int = 0) -> None:
        self.stale_ns = instrument.stale_ns
        self._lots = state_of(instrument)
        self._memory = kernel.empty_memory(start)

    def seed(self, before: np.ndarray) -> None:
        """Take samples i64 (n, columns) of the time before the first event: S is known from the start."""
        invalid = np.flatnonzero(before[:, layout.VALID] == 0)
        known = before[invalid[-1] + 1 :] if len(invalid) else before
        sizes = known[-scale.SECONDS :, [layout.BID_SIZE, layout.ASK_SIZE]]
        scale.seed(self._memory.scale, np.ascontiguousarray(sizes))

    def take(self, books: BookStream = NO_BOOKS, trades: TradeStream = NO_TRADES) -> Iterator[Row]:
        """The rows that messages and trades complete, by arrival; trades carry their own times."""
        position = np.zeros(2, np.int64)
        books = constant(books)
        trades = constant(trades)
        while (need := kernel.run(self._lots, self._memory, books, trades, position)) != lot.DONE:
            if need == kernel.NEED_TAKEN:
                yield from self._taken()
            else:
                self._lots = roomier(self._lots, need, books, position)
        yield from self._taken()

    def until(self, ts: int) -> Iterator[Row]:
        """The rows up to a time after which no event comes, ns UTC."""
        while not kernel.advance(self._lots, self._memory, ts):
            yield from self._taken()
        yield from self._taken()

    def _taken(self) -> Iterator[Row]:
        memory = self._memory
        n = int(memory.meta[kernel.N_ROWS])
        memory.meta[kernel.N_ROWS] = 0
        yield from zip(memory.ts[:n].tolist(), memory.values[:n].copy(), memory.codes[:n].tolist(), strict=True)


def build(
    book_events: Iterable[pl.DataFrame],
    trades: pl.DataFrame,
    before: np.ndarray,
    samples: np.ndarray,
    instrument: Instrument,
    date: str,
) -> pl.DataFrame:
    """The table `spoofing_pressure` of a day: a row for each of its samples.

    Args:
        book_events: the table, in parts; of its columns `ml.market.days.tables.BOOK` are needed.
        trades: the table.
        before: samples of the hour before the day (`ml.market.days.samples.tail`): S reaches back into it.
        samples: of the day, i64 (n, columns).
        instrument: whose day it is.
        date: of the day.
    """
    pressure = Pressure(instrument, bounds(date)[0])
    pressure.seed(before)
    at = {int(ts): k for k, ts in enumerate(samples[:, layout.TS])}
    values = np.full((len(samples), len(NAMES)), np.nan)
    codes = np.full(len(samples), int(NullReason.INVALID_BOOK))

    def put(rows: Iterable[Row]) -> None:
        for ts, found, code in rows:
            if ts in at:
                values[at[ts]] = found
                codes[at[ts]] = code

    for books, prints in streams_of_day(book_events, trades):
        put(pressure.take(books, prints))
    if len(samples):
        put(pressure.until(int(samples[-1, layout.TS])))
    reasons = [reason(sample, instrument.stale_ns, code) for sample, code in zip(samples, codes.tolist(), strict=True)]
    values[np.array(reasons, bool)] = np.nan
    return pl.DataFrame(
        {"ts": samples[:, layout.TS]}
        | {name: values[:, k] for k, name in enumerate(NAMES)}
        | {REASON: np.array(reasons, np.uint8)}
    ).with_columns(pl.col(NAMES).fill_nan(None))


def reason(sample: I64, stale_ns: int, code: int) -> int:
    """Why a row is null, 0 if it is not: what its sample says comes first, as with all features."""
    if sample[layout.VALID] == 0:
        is_one_sided = (sample[layout.BID_PRICE] > 0) != (sample[layout.ASK_PRICE] > 0)
        return int(NullReason.ONE_SIDED if is_one_sided else NullReason.INVALID_BOOK)
    if sample[layout.BOOK_AGE] > stale_ns:
        return int(NullReason.STALE)
    if code == 0 and sample[layout.TRADES_RUN] < NEEDS:
        return int(NullReason.NO_TRADES_CAPTURED)
    return code


class OnlinePressure:
    """Rows of one instrument as samples are released; `values` f64 (NaN where null) and `code` u8 hold the newest.

    Args:
        instrument: whose events.
        start: see `Pressure`.
    """

    def __init__(self, instrument: Instrument, start: int = 0) -> None:
        self.pressure = Pressure(instrument, start)
        self.values = np.full(len(NAMES), np.nan)
        self.code = int(NullReason.INVALID_BOOK)
        self._rows: dict[int, tuple[np.ndarray, int]] = {}

    def take(self, books: BookStream, trades: TradeStream) -> None:
        """Apply messages and trades; trades carry their own times."""
        for ts, values, code in self.pressure.take(books, trades):
            self._rows[ts] = values, code

    def compute(self, samples: np.ndarray, i: int) -> None:
        """Take the row of sample i of a sampler's buffer, which is released in order."""
        ts = int(samples[i, layout.TS])
        for old in [one for one in self._rows if one < ts]:
            del self._rows[old]
        values, code = self._rows.pop(ts, (self.values, int(NullReason.INVALID_BOOK)))
        self.code = reason(samples[i], self.pressure.stale_ns, code)
        self.values = np.full(len(NAMES), np.nan) if self.code else values

    def withheld(self) -> str | None:
        """Why the newest row is null; None if it is whole."""
        return NullReason(self.code).name.lower() if self.code else None


def null_counts(rows: pl.DataFrame) -> dict[str, int]:
    """Rows by null reason."""
    counted = rows.filter(pl.col(REASON) > 0).group_by(REASON).len().sort(REASON)
    return {NullReason(code).name.lower(): count for code, count in counted.iter_rows()}
