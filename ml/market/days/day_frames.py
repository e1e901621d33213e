"""The frames of a UTC day of one instrument, and the frames around it.

It finds the day's frames in a capture sequence, the state with which the day opens, and the first frames after it.
The table `raw_frames` belongs to `ml.market.days.raw`, decoding to `ml.market.days.day`.

A frame belongs to the day of the watermark after it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain as chained

import numpy as np

from ml.core.errors import CaptureError
from ml.core.instruments import Instrument
from ml.core.time import SECOND, bounds
from ml.market.book import layout
from ml.market.book.checkpoint import pack
from ml.market.bulk.bulk_decode import watermarks
from ml.market.bulk.shapes import BOOK, I64
from ml.market.decode.clock import Clock
from ml.market.decode.eventlog import EventLog
from ml.market.decode.stream import Stream, arrivals
from ml.market.files.capture_sequence import CaptureSequence, Run
from ml.market.files.frame_routing import LOSS, SNAPSHOT

LEAD_IN_NS = (layout.TAIL + 60) * SECOND + layout.QUIET_NS
"""An hour of samples to look back on, and what tells whether trades were captured over all of it."""
CLOSING_BOOK_FRAMES = 3
FLUSH_FRAMES = 200_000


class DayFrames:
    """The frames of a day in runs, and what lies around them.

    `opening` is the checkpoint with which the day opens, None where the chain begins in it; it is known once `runs` has
    been called. `closing` is receive time and payload of frames after the day, known after the last run: the first one,
    and those that tell whether the book was right up to midnight. It is empty where the chain ends in the day.
    """

    def __init__(self, chain: CaptureSequence, instrument: Instrument, date: str) -> None:
        self.opening: bytes | None = None
        self.closing: list[tuple[int, bytes]] = []
        self._chain = chain
        self._instrument = instrument
        self._date = date

    def runs(self) -> Iterator[Run]:
        """The day's own frames.

        Raises:
            CaptureError: the chain holds nothing of the day.
        """
        runs = self._found()
        first = next(runs, None)
        return chained([] if first is None else [first], runs)

    def _found(self) -> Iterator[Run]:
        instrument, (start, end) = self._instrument, bounds(self._date)
        lead_in = _LeadIn(instrument)
        closing = _Closing(end, self._chain.last_book(instrument.id))
        opened = found = False
        chain = self._chain.of(instrument.id, since=start - LEAD_IN_NS, until=end)
        for run, marks in _marked(chain, instrument):
            today, tomorrow = np.searchsorted(marks, [start, end]).tolist()
            lead_in.take(run.part(0, today))
            if today < run.length and not opened:
                self.opening = lead_in.state(start)
                opened = True
            if today < tomorrow:
                yield run.part(today, tomorrow)
                found = True
            if closing.take(run.part(tomorrow, run.length), marks[tomorrow:]):
                break
        self.closing = closing.frames
        if not found and not (self.closing and lead_in.taken):
            raise CaptureError(
                f"{self._instrument.id}: no frame of {self._date} in the captures, which contain "
                f"{_reach(self._chain, self._instrument)}. Add captures of that day."
            )


def _marked(chain: CaptureSequence, instrument: Instrument) -> Iterator[tuple[Run, I64]]:
    """Runs with the watermark after each frame; frames before the first time go with the frame that has it."""
    clock = Clock()
    before = list[Run]()
    for run in chain.runs(instrument.id, instrument.decimals):
        known = clock.watermark > 0
        marks = watermarks(run.moves, run.frames.recv_ts, clock)
        if not known:
            timeless = int(np.searchsorted(marks, 1))
            if timeless == run.length:
                before.append(run)
                continue
            for earlier in before:
                yield earlier, np.full(earlier.length, marks[timeless])
            marks[:timeless] = marks[timeless]
        yield run, marks


class _LeadIn:
    """The frames before a day, decoded in intervals so that memory stays small."""

    def __init__(self, instrument: Instrument) -> None:
        self.stream = Stream.of(instrument, forget=True)
        self.log = EventLog()
        self.taken = 0
        self.held = 0

    def take(self, run: Run) -> None:
        if not run.length:
            return
        for _ in self.stream.decode(run.frames, arrivals(self.taken, run.length), self.log, run.read):
            pass  # it is quarantined on its own day
        self.taken += run.length
        self.held += run.length
        if self.held >= FLUSH_FRAMES:
            self.flush()

    def flush(self) -> None:
        self.stream.sampler.run(*self.log.streams())
        self.log = EventLog()
        self.held = 0

    def state(self, start: int) -> bytes | None:
        """The state at midnight: the day's first frame has moved the clock past it, and is not yet applied."""
        if not self.taken:
            return None
        self.flush()
        self.stream.sampler.advance(start)
        return pack(self.stream.decoder, self.stream.sampler)


class _Closing:
    """The first frame after the day, and those that decide whether the book was right up to midnight.

    These are what is said of the book, until enough of its messages came, each with the frame that had moved the clock
    last before it: the clock says which times are believed.
    """

    def __init__(self, end: int, last_book: int) -> None:
        self.frames = list[tuple[int, bytes]]()
        self._end = end
        self._last_book = last_book
        self._missing = CLOSING_BOOK_FRAMES
        self._clock: list[tuple[int, bytes]] = []
        """The frame that moved the clock last, where it is not among `frames`."""

    def take(self, run: Run, marks: I64) -> bool:
        """Choose among frames after the day, with the watermark after each; True if no more are needed."""
        if not run.length:
            return False
        counted = np.cumsum((run.kind == BOOK) & (run.moves >= self._end))
        behind = int(np.searchsorted(counted, self._missing)) + 1
        deciding = np.flatnonzero(np.isin(run.kind[:behind], (BOOK, SNAPSHOT, LOSS)))
        moved = np.searchsorted(marks, marks[deciding[deciding > 0] - 1])
        chosen = np.unique(np.concatenate([deciding, moved, np.zeros(int(not self.frames), np.int64)]))
        if len(deciding):
            self.frames += self._clock
            self._clock = []
        self.frames += [_frame(run, k) for k in chosen.tolist()]
        last = int(np.searchsorted(marks, marks[-1]))
        if last not in chosen:
            self._clock = [_frame(run, last)]
        self._missing -= int(counted[-1])
        return self._missing <= 0 or int(marks[-1]) >= self._last_book


def _frame(run: Run, k: int) -> tuple[int, bytes]:
    return int(run.frames.recv_ts[k]), run.frames.payload(k)


def _reach(chain: CaptureSequence, instrument: Instrument) -> str:
    """First and last event time of an instrument in a chain, for a person."""
    spans = [s for _, index in chain.files if (s := index.instruments.get(instrument.id)) and s.first_event]
    if not spans:
        others = f"only {', '.join(chain.instruments())}"
        held = "nothing for it except frames that are neither book nor trades, such as candles of an archive"
        return held if instrument.id in chain.instruments() else others
    ends = (min(span.first_event for span in spans), max(span.last_event for span in spans))
    return " to ".join(datetime.fromtimestamp(ts / SECOND, UTC).isoformat(" ", "seconds") for ts in ends)
