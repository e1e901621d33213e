"""Clusters of one instrument from its events: the compiled finder with its memory.

Here: feeding it, and the clusters as arrays and as a table.
Not here: scores and cues (`ml.layering.detector`).
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.layering import clusters, layout
from ml.layering.features import NAMES
from ml.layering.layout import F64, Clusters
from ml.market.attribution import layout as lot
from ml.market.attribution import scale
from ml.market.attribution.layout import State
from ml.market.attribution.tracker import roomier, state_of
from ml.market.book.layout import I64, BookStream, TradeStream, constant
from ml.market.book.sampler import NO_BOOKS, NO_TRADES
from ml.market.decode.eventlog import EventLog

HOUR_NS = 3600 * 10**9


class Found(NamedTuple):
    """Clusters in the order in which they were judged, see `layout.Clusters`."""

    header: I64
    layers: I64
    values: F64
    band: F64

    def __len__(self) -> int:
        return len(self.header)

    def rows(self, keep: I64 | slice) -> "Found":
        """Some of them."""
        return Found(self.header[keep], self.layers[keep], self.values[keep], self.band[keep])

    def frame(self) -> pl.DataFrame:
        """As a table: time of judgement, side, start, pulls, volume, S and the features."""
        head = self.header
        columns = {
            "ts": head[:, layout.C_TS],
            "side": head[:, layout.C_SIDE],
            "start": head[:, layout.C_START],
            "first_pull": head[:, layout.C_FIRST_PULL],
            "last_pull": head[:, layout.C_LAST_PULL],
            "volume": head[:, layout.C_VOLUME],
            "scale": head[:, layout.C_SCALE],
        }
        return pl.DataFrame(columns | {name: self.values[:, k] for k, name in enumerate(NAMES)})


class Standing(NamedTuple):
    """A cluster that still stood when it was judged, see `ml.layering.early`.

    Time (ns UTC), side (1 bid, -1 ask), birth of its first lot (ns UTC), prices, volume and S (units of the
    instrument).
    """

    ts: int
    side: int
    start: int
    layers: int
    volume: int
    scale: int


def joined(parts: list[Found]) -> Found:
    """Clusters one part after the other."""
    return Found(
        np.concatenate([part.header for part in parts]),
        np.concatenate([part.layers for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.band for part in parts]),
    )


class Flow(NamedTuple):
    """A stretch of market: events of one instrument."""

    instrument: Instrument
    books: BookStream
    trades: TradeStream

    def cut(self, ts: int) -> tuple["Flow", "Flow"]:
        """The part before the first message at or after a time (ns UTC), and the rest."""
        books = self.books
        k = int(np.searchsorted(np.maximum.accumulate(books.ts), ts))
        rows = int(books.end[k - 1]) if k else 0
        arrival = books.arrival[k] if k < len(books.ts) else np.iinfo(np.int64).max
        count = int(np.searchsorted(self.trades.arrival, arrival))
        parts = list[Flow]()
        for messages, levels, trades in (
            (slice(0, k), slice(0, rows), slice(0, count)),
            (slice(k, None), slice(rows, None), slice(count, None)),
        ):
            part = BookStream(
                books.ts[messages],
                books.arrival[messages],
                books.flags[messages],
                books.end[messages] - levels.start,
                books.side[levels],
                books.price[levels],
                books.size[levels],
            )
            parts.append(Flow(self.instrument, part, self.trades.part(trades)))
        return parts[0], parts[1]


class Finder:
    """The cluster finder of one instrument.

    Args:
        instrument: whose events it takes.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.lots: State = state_of(instrument)
        self.memory: Clusters = layout.empty_clusters()
        self._standing: list[I64] = []

    @property
    def hours(self) -> float:
        """How long clusters could be found so far: S was known."""
        return float(self.memory.meta[layout.WATCHED]) / HOUR_NS

    def run(self, books: BookStream = NO_BOOKS, trades: TradeStream = NO_TRADES) -> Found:
        """Apply messages and trades by arrival; trades carry their own times, see `EventLog.timed_trades`."""
        position = np.zeros(2, np.int64)
        books = constant(books)
        trades = constant(trades)
        parts = list[Found]()
        while (need := clusters.run(self.lots, self.memory, books, trades, position)) != lot.DONE:
            if need == clusters.NEED_FOUND:
                parts.append(self._taken())
            else:
                self.lots = roomier(self.lots, need, books, position)
        if self.memory.meta[layout.N_FOUND] or self.memory.meta[layout.N_WARNED] or not parts:
            parts.append(self._taken())
        return parts[0] if len(parts) == 1 else joined(parts)

    def seed(self, sizes: I64) -> None:
        """Take best sizes i64 (seconds, 2) of the time before the first event: S is known from the start."""
        scale.seed(self.memory.scale, np.ascontiguousarray(sizes[-scale.SECONDS :]))

    def unjudged(self) -> str | None:
        """Why no cue of an instrument can be given at all; None if cues can be."""
        meta = self.lots.meta
        if meta[lot.DIFFS] == 0:
            if meta[lot.SNAPSHOTS] > 1:
                return "the captures hold snapshots of the book alone: what happened between them is not known"
            return "the captures hold no book that can be followed: a snapshot and the changes after it are needed"
        if meta[lot.TRADES] == 0:
            return (
                "the captures hold no trades: a cancellation cannot be told from a trade. Record the trade stream too"
            )
        if meta[lot.DEEPEST] < layout.FEWEST_LEVELS:
            return f"the book has {meta[lot.DEEPEST]} level per side: layers behind the best price are not shown"
        if self.hours == 0:
            return f"the book was known for less than the {scale.NEEDS} s that the size scale needs"
        return None

    def take(self, log: EventLog) -> Found:
        """Apply what was logged."""
        return self.run(log.streams()[0], log.timed_trades())

    def standing(self) -> list[Standing]:
        """The clusters that stood, of all events since the last call, in order."""
        found = [Standing(*row) for rows in self._standing for row in rows.tolist()]
        self._standing = []
        return found

    def _taken(self) -> Found:
        memory = self.memory
        warned = int(memory.meta[layout.N_WARNED])
        if warned:
            self._standing.append(memory.warned[:warned].copy())
        n = int(memory.meta[layout.N_FOUND])
        memory.meta[layout.N_FOUND] = 0
        memory.meta[layout.N_WARNED] = 0
        return Found(
            memory.found[:n].copy(), memory.layers[:n].copy(), memory.values[:n].copy(), memory.band[:n].copy()
        )
