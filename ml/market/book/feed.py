"""One instrument from frames to samples, frame by frame, as the live runner and replays need it.

It joins decoder and sampler, and derives the validity intervals from both. `ml.market.decode.stream` takes many frames
at a time and logs their events, as a whole stored day needs it (`ml.market.days.day`).
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.book import layout
from ml.market.book.layout import BookStream, TradeStream
from ml.market.book.sampler import NO_BOOKS, NO_TRADES, Sampler, one_message, timed_trades_of, trades_of
from ml.market.decode.continuity import NO_ID, Step
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.decoder import Decoder

SPAN_REASONS = {
    layout.CROSSED_BREAK: "crossed",
    layout.ONE_SIDED_BREAK: "one_sided",
    layout.OVERFLOW_BREAK: "overflow",
}


Listener = Callable[[BookStream, TradeStream], None]
BOOK_BREAKS = (layout.EXTERNAL_BREAK, *SPAN_REASONS)


class Interval(NamedTuple):
    """An interval of time over which the book was right, or trades were captured, and why it ended.

    Times are ns UTC; the ids are those of updates, or of trades.

    `end_reason` is None while it runs on.
    """

    start_ts: int
    end_ts: int
    start_arrival: int
    end_arrival: int
    from_id: int | None
    to_id: int | None
    end_reason: str | None

    def ended(self, reason: str, last_id: int | None) -> "Interval":
        """The same interval, ended after the book message with an id."""
        return self._replace(end_reason=reason, from_id=None if last_id == NO_ID else last_id)


class Feed:
    """Decoder and sampler of one instrument, and what the ids showed to be missing.

    Args:
        decoder: has seen nothing, or goes on from a checkpoint.
        sampler: likewise.
    """

    def __init__(self, decoder: Decoder, sampler: Sampler) -> None:
        self.decoder = decoder
        self.sampler = sampler
        self.listener: Listener | None = None
        """Takes each event too, its trades with their own times."""
        self.breaks: dict[int, Step] = {}
        """By the arrival at which it showed."""
        self.arrival = 0
        self.first_ts = decoder.clock.watermark
        """First event time, ns UTC; 0 before it."""

    @classmethod
    def of(cls, instrument: Instrument, forget: bool = False) -> Self:
        """One that has seen nothing; `forget` as in `Sampler`."""
        return cls(Decoder(instrument), Sampler(forget=forget))

    def events(self, arrival: int, recv_ts: int, doc: dict[str, Any]) -> Iterator[BookEvent | TradeEvent | FrameError]:
        """The events of one frame; what breaks a chain of ids is kept by its arrival."""
        for event in self.decoder.offer(doc, recv_ts):
            if not isinstance(event, FrameError) and event.broken is not None:
                self.breaks[arrival] = event.broken
            yield event
        self.first_ts = self.first_ts or self.decoder.clock.watermark

    def offer(self, doc: dict[str, Any], recv_ts: int) -> list[FrameError]:
        """Apply one frame to the book; what had to be quarantined is returned."""
        refused: list[FrameError] = []
        for event in self.events(self.arrival, recv_ts, doc):
            if isinstance(event, BookEvent):
                books = layout.constant(one_message(event.message, event.flags, self.arrival))
                self.sampler.run(books=books)
                if self.listener is not None:
                    self.listener(books, NO_TRADES)
            elif isinstance(event, TradeEvent):
                self.sampler.run(trades=trades_of(event, self.arrival))
                if self.listener is not None:
                    self.listener(NO_BOOKS, timed_trades_of(event, self.arrival))
            else:
                refused.append(event)
        self.arrival += 1
        return refused

    def intervals(self) -> list[Interval]:
        """The valid intervals so far; the last one has no end reason while the book is right."""
        return intervals(self.sampler, self.breaks)

    @property
    def known(self) -> bool:
        """Whether the book holds what the venue's holds, as far as is known: neither broken nor silent for too long."""
        anchored = self.sampler.state.meta[layout.ANCHORED] == 1
        return bool(anchored) and not silent(self.sampler, self.decoder.instrument)

    def gaps(self) -> list[dict[str, Any]]:
        """What lies between the valid intervals: ids, start, end (None if the book is still unknown) and reason."""
        if self.first_ts == 0:
            return []  # no frame had a time that could be believed
        spans = self.intervals() or [Interval(self.first_ts, self.first_ts, 0, 0, None, None, "no_snapshot")]
        if spans[-1].end_reason is None and silent(self.sampler, self.decoder.instrument):
            spans[-1] = spans[-1].ended("silent", self.decoder.continuity.last_id)
        starts = [span.start_ts for span in spans[1:]] + [None]
        return [
            {
                "from_id": span.from_id,
                "to_id": span.to_id,
                "start": span.end_ts,
                "end": start,
                "reason": span.end_reason,
            }
            for span, start in zip(spans, starts, strict=True)
            if span.end_reason is not None
        ]


def silent(sampler: Sampler, instrument: Instrument) -> bool:
    """Whether other frames came for too long after the last message that confirmed the book."""
    meta = sampler.state.meta
    return bool(meta[layout.WATERMARK] - meta[layout.RELEASE_TS] > instrument.stale_ns)


def intervals(sampler: Sampler, breaks: dict[int, Step]) -> list[Interval]:
    """Valid intervals of a sampler's run, with the ids of the breaks that the decoder met."""
    found: list[Interval] = []
    for start_ts, end_ts, start_arrival, end_arrival, kind, arrival in sampler.spans.tolist():
        if kind not in BOOK_BREAKS:
            continue
        broken = breaks.get(arrival) if kind == layout.EXTERNAL_BREAK else None
        ids = (broken.from_id, broken.to_id) if broken else (-1, -1)
        from_id, to_id = (None if i < 0 else i for i in ids)
        reason = broken.reason if broken else SPAN_REASONS[kind]
        found.append(Interval(start_ts, end_ts, start_arrival, end_arrival, from_id, to_id, reason))
    meta = sampler.state.meta
    if meta[layout.ANCHORED] == 1 and meta[layout.ONE_SIDED] == 0:
        start, end, start_arrival, end_arrival = (
            int(meta[m]) for m in (layout.START_TS, layout.RELEASE_TS, layout.START_ARRIVAL, layout.RELEASE_ARRIVAL)
        )
        found.append(Interval(start, end, start_arrival, end_arrival, None, None, None))
    return found


def trade_intervals(sampler: Sampler, breaks: dict[int, Step]) -> list[Interval]:
    """The intervals of a sampler's run in which trades were captured; what broke the book from outside ends them too.

    The last one has no end reason while it goes on; it reaches to what was heard last.
    """
    found: list[Interval] = []
    for start_ts, end_ts, start_arrival, end_arrival, kind, arrival in sampler.spans.tolist():
        if kind == layout.TRADES_SILENT:
            found.append(Interval(start_ts, end_ts, start_arrival, end_arrival, None, None, "silent"))
        elif kind == layout.TRADES_BREAK:
            broken = breaks[arrival]
            counted = broken.of_trades and broken.from_id >= 0
            missing = (broken.from_id, broken.to_id) if counted else (None, None)
            found.append(Interval(start_ts, end_ts, start_arrival, end_arrival, *missing, broken.reason))
    meta = sampler.state.meta
    if meta[layout.TRADES_SINCE] > 0:
        start = int(meta[layout.TRADES_SINCE])
        start_arrival = int(meta[layout.TRADES_ARRIVAL])
        end = int(max(meta[layout.TRADE_TS], meta[layout.RELEASE_TS]))
        found.append(Interval(start, end, start_arrival, -1, None, None, None))
    return found
