"""Drives the kernel over a whole day at once or over single messages, with the same state.

It allocates sample buffers, passes arrays to the kernel and collects released samples. The kernel is
`ml.market.book.kernel`, the stored tables `ml.market.days.tables`.
"""

import numpy as np

from ml.core.time import SECOND
from ml.market.book import kernel, layout
from ml.market.book.layout import BookStream, State, TradeStream
from ml.market.decode.decoded import TradeEvent
from ml.market.decode.events import BookMessage

_NONE = np.zeros(0, np.int64)
_NO_SIDE = np.zeros(0, np.int8)
NO_BOOKS = layout.constant(BookStream(_NONE, _NONE, _NONE, _NONE, _NO_SIDE, _NONE, _NONE))
NO_TRADES = layout.constant(TradeStream(_NONE, _NONE, np.zeros(0, np.uint8), _NO_SIDE, _NONE, _NONE))


class Sampler:
    """A kernel state with room to grow.

    Args:
        state: where to go on from; None starts empty.
        period_ns: sample period, when starting empty.
        room: samples to hold before the oldest are dropped (`forget=True`) or the buffer doubles.
        forget: keep only the look-back tail and what is not yet read; for a live stream without end.
    """

    def __init__(
        self, state: State | None = None, period_ns: int = SECOND, room: int = 4 * layout.TAIL, forget: bool = False
    ) -> None:
        self.state = state if state is not None else layout.empty_state(period_ns, room)
        self.forget = forget
        self.dropped = 0
        """Samples that were dropped from the front of the buffer."""

    @property
    def samples(self) -> np.ndarray:
        """All samples in the buffer, i64 (n, columns), the released ones first."""
        return self.state.samples[: self.state.meta[layout.CLOSED]]

    @property
    def released(self) -> int:
        """How many of `samples` are final."""
        return int(self.state.meta[layout.RELEASED])

    @property
    def spans(self) -> np.ndarray:
        """Ended intervals of the book and of trades, i64 (n, 6), see `layout.State`."""
        return self.state.spans[: self.state.meta[layout.SPANS]]

    def run(self, books: BookStream = NO_BOOKS, trades: TradeStream = NO_TRADES) -> None:
        """Apply messages and trades by arrival."""
        position = np.zeros(2, np.int64)
        books = layout.constant(books)
        trades = layout.constant(trades)
        while (need := kernel.run(self.state, books, trades, position)) != layout.DONE:
            self._make_room(need)

    def advance(self, ts: int) -> None:
        """Let time pass up to `ts` (ns) without an event, for example to the end of a day."""
        while kernel.rows_until(self.state, ts) > len(self.state.samples) - self.state.meta[layout.CLOSED]:
            self._make_room(layout.NEED_SAMPLES)
        if self.state.meta[layout.SPANS] + kernel.MOST_SPANS > len(self.state.spans):
            self._make_room(layout.NEED_SPANS)
        kernel.advance(self.state, ts)

    def _make_room(self, need: int) -> None:
        state = self.state
        meta = self.state.meta
        if need == layout.NEED_SPANS:
            self.state = state._replace(spans=_doubled(state.spans))
            return
        if need == layout.NEED_ROWS:
            self.state = state._replace(rows=_doubled(state.rows))
            return
        drop = max(int(meta[layout.RELEASED]) - layout.TAIL, 0) if self.forget else 0
        if drop > len(state.samples) // 4:
            closed = int(meta[layout.CLOSED])
            state.samples[: closed - drop] = state.samples[drop:closed].copy()
            meta[layout.CLOSED] -= drop
            meta[layout.RELEASED] -= drop
            self.dropped += drop
        else:
            self.state = state._replace(samples=_doubled(state.samples))


def one_message(message: BookMessage, flags: int, arrival: int) -> BookStream:
    """A stream of one book message."""
    one = np.array([message.event_ts, arrival, flags, len(message.side)])
    side, price, size = (np.array(values, np.int64) for values in (message.side, message.price, message.size))
    return BookStream(one[:1], one[1:2], one[2:3], one[3:4], side.astype(np.int8), price, size)


def trades_of(event: TradeEvent, arrival: int) -> TradeStream:
    """A stream of one frame's trades."""
    n = len(event.trades)
    side, price, size = (
        np.array([getattr(trade, name) for trade in event.trades], np.int64) for name in ("side", "price", "size")
    )
    ts = np.full(n, event.event_ts)
    flags = np.array([*event.trade_flags()], np.uint8)
    return TradeStream(ts, np.full(n, arrival), flags, side.astype(np.int8), price, size)


def timed_trades_of(event: TradeEvent, arrival: int) -> TradeStream:
    """The same with the time of each trade instead of the frame's: attribution needs them."""
    return trades_of(event, arrival)._replace(ts=np.array([trade.event_ts for trade in event.trades], np.int64))


def _doubled(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, np.zeros_like(array)])
