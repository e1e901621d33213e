"""Frames of one instrument into events, and into the kernel's state.

Here: the decoder and the sampler with the breaks that the ids showed; frames many at a time or one by one.
Not here: which frames these are (`ml.market.days.raw`), the tables that follow (`ml.market.days.day`).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from ml.core.errors import FrameError
from ml.market.book.feed import Feed
from ml.market.bulk import bulk_decode
from ml.market.bulk import shapes as at
from ml.market.bulk.frames import Frames, Levels, scanned, tried_on
from ml.market.bulk.shapes import I64
from ml.market.bulk.trades import parsed
from ml.market.decode.decoded import BookEvent, TradeEvent
from ml.market.decode.eventlog import EventLog


class Stream(Feed):
    """Frames into a log of events; the sampler is fed from the log."""

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
        fields, trades = parsed(self.decoder, frames, read[0])
        k = 0
        count = len(frames.start)
        given = bulk_decode.Scanned(fields, read[1], arrival, frames.recv_ts, trades, np.zeros(count, np.int64))
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
        for event in self.events(arrival, recv_ts, doc):
            if isinstance(event, BookEvent):
                log.book(arrival, recv_ts, event)
            elif isinstance(event, TradeEvent):
                log.trades(arrival, recv_ts, event)
            else:
                refused.append(event)
        return refused


def arrivals(first: int, count: int) -> I64:
    """Arrival numbers of frames that arrived one after the other."""
    return np.arange(first, first + count)
