"""Drives attribution over many events at once or over single messages, with the same state.

It takes the kernel's streams and collects lot events. The compiled functions are in `ml.market.attribution.attribute`.
"""

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.market.attribution import attribute
from ml.market.attribution import layout as at
from ml.market.attribution.layout import State
from ml.market.book import layout
from ml.market.book.layout import I64, BookStream, TradeStream
from ml.market.book.sampler import NO_BOOKS, NO_TRADES

LIMITED = ("bybit", "okx")
"""Venues whose book streams show the best levels only."""


def state_of(instrument: Instrument) -> State:
    """A state that has seen nothing of an instrument."""
    return at.empty_state(instrument.stale_ns, instrument.id.startswith(LIMITED))


class LotTracker:
    """The lot ledger of one instrument, fed with book messages and trades."""

    def __init__(self, instrument: Instrument, state: State | None = None) -> None:
        self.state = state or state_of(instrument)

    def run(self, books: BookStream = NO_BOOKS, trades: TradeStream = NO_TRADES) -> I64:
        """Apply messages and trades by arrival; the lot events, i64 (n, EVENT_COLUMNS).

        Trades need their own times, see `EventLog.timed_trades`.
        """
        position = np.zeros(2, np.int64)
        books = layout.constant(books)
        trades = layout.constant(trades)
        found = list[I64]()
        while (need := attribute.run(self.state, books, trades, position)) != at.DONE:
            found.append(self._events())
            self.state = roomier(self.state, need, books, position)
        found.append(self._events())
        return np.concatenate(found)

    def _events(self) -> I64:
        n = int(self.state.meta[at.N_EVENTS])
        self.state.meta[at.N_EVENTS] = 0
        return self.state.events[:n].copy()


def roomier(state: State, need: int, books: BookStream, position: I64) -> State:
    """The same state with room for the next message; its events must have been taken."""
    i = int(position[0])
    rows = int(books.end[i] - (books.end[i - 1] if i > 0 else 0)) if i < len(books.ts) else 0
    if need == at.NEED_ROWS:
        room = 2 * rows
        return state._replace(rows=np.zeros((2, room), np.int64), pending=np.zeros((room, 3), np.int64))
    most = (rows + 1) * (at.LOTS_PER_LEVEL + 2) + at.TAPE + int(state.meta[at.ALIVE])
    if most <= len(state.events):
        return state
    return state.with_events(np.zeros((2 * most, len(at.EVENT_COLUMNS)), np.int64))


def event_frame(events: I64) -> pl.DataFrame:
    """Lot events as a table; prices and sizes in units of the instrument, times ns UTC."""
    return pl.DataFrame(events, schema=dict.fromkeys(at.EVENT_COLUMNS, pl.Int64), orient="row")
