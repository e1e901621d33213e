"""Frames of one instrument into events, and into the kernel's state.

Here: the decoder and the sampler with the breaks that the ids showed; frames many at a time or one by one.
Not here: which frames these are (`ml.market.days.raw`), the tables that follow (`ml.market.days.day`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.book.sampler import Sampler
from ml.market.bulk import bulk_decode
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import Frames, Levels, scanned, tried_on
from ml.market.bulk.shapes import I64
from ml.market.bulk.trades import parsed
from ml.market.decode.continuity import Step
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.decoder import Decoder
from ml.market.decode.eventlog import EventLog


@dataclass
class Stream:
    """Frames into events into the kernel.

    `breaks` is what the ids showed to be missing, by arrival; `first_ts` the first event time, ns UTC, 0 before it.
    """

    decoder: Decoder
    sampler: Sampler
    breaks: dict[int, Step] = field(default_factory=dict)
    first_ts: int = field(init=False)

    def __post_init__(self) -> None:
        self.first_ts = self.decoder.clock.watermark

    @classmethod
    def of(cls, instrument: Instrument, forget: bool = False) -> "Stream":
        """One that has seen nothing; `forget` as in `Sampler`."""
        return cls(Decoder(instrument), Sampler(forget=forget))

    def decode(
        self, frames: Frames, arrival: I64, log: EventLog, read: tuple[I64, Levels] | None = None
    ) -> Iterator[tuple[int, FrameError]]:
        """Log the events of frames; the number and the error of each that must be quarantined.

        Args:
            frames: of the instrument, in arrival order.
            arrival: their numbers.
            log: takes the events.
            read: their fields and levels where shapes have read them already.
        """
        instrument = self.decoder.instrument
        if read is None:
            read = scanned(frames, tried_on([instrument.venue])[0], instrument.decimals)
        fields, prints = parsed(self.decoder, frames, read[0])
        k = 0
        count = len(frames.start)
        given = bulk_decode.Scanned(fields, read[1], arrival, frames.recv_ts, prints, np.zeros(count, np.int64))
        while k < count:
            went = k if fields[k, at.KIND] == at.DECLINED else bulk_decode.decode(self.decoder, given, k, log)
            if went == k:
                doc = orjson.loads(frames.payload(k))
                for error in self.take(int(arrival[k]), int(frames.recv_ts[k]), doc, log):
                    yield k, error
                went += 1
            k = went

    def take(self, arrival: int, recv_ts: int, doc: dict[str, Any], log: EventLog) -> list[FrameError]:
        """Log the events of one frame; what must be quarantined is returned."""
        refused: list[FrameError] = []
        for event in self.decoder.offer(doc, recv_ts):
            if isinstance(event, BookEvent):
                if event.broken is not None:
                    self.breaks[arrival] = event.broken
                log.book(arrival, recv_ts, event)
            elif isinstance(event, TradeEvent):
                if event.broken is not None:
                    self.breaks[arrival] = event.broken
                log.trades(arrival, recv_ts, event)
            else:
                refused.append(event)
        self.first_ts = self.first_ts or self.decoder.clock.watermark
        return refused


def arrivals(first: int, count: int) -> I64:
    """Arrival numbers of frames that arrived one after the other."""
    return np.arange(first, first + count)
