"""Which frames belong to a UTC day of one instrument, and what lies around them.

Here: finding the day's frames in a chain of captures, the state with which it opens, the first frames after it.
Not here: the table `raw_frames` (`ml.market.raw`), what the frames say (`ml.market.day`).

A frame belongs to the day of the watermark after it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain as chained

import numpy as np

from ml.dates import bounds
from ml.errors import CaptureError
from ml.instruments import Instrument
from ml.market import layout
from ml.market.attribution import LOSS, SNAPSHOT
from ml.market.chain import Chain, Run
from ml.market.checkpoint import pack
from ml.market.clock import Clock
from ml.market.eventlog import EventLog
from ml.market.sampler import SECOND
from ml.market.shapes import BOOK, I64
from ml.market.stream import Stream, arrivals
from ml.market.stretch import watermarks

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

    def __init__(self, chain: Chain, instrument: Instrument, date: str) -> None:
        self.opening: bytes | None = None
        self.closing: list[tuple[int, bytes]] = []
        self._chain, self._instrument, self._date = chain, instrument, date

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
        lead_in, closing = _LeadIn(instrument), _Closing(end, self._chain.last_book(instrument.id))
        opened = found = False
        chain = self._chain.of(instrument.id, since=start - LEAD_IN_NS, until=end)
        for run, marks in _marked(chain, instrument):
            today, tomorrow = np.searchsorted(marks, [start, end]).tolist()
            lead_in.take(run.part(0, today))
            if today < run.length and not opened:
                self.opening, opened = lead_in.state(start), True
            if today < tomorrow:
                yield run.part(today, tomorrow)
                found = True
            if closing.take(run.part(tomorrow, run.length), marks[tomorrow:]):
                break
        self.closing = closing.frames
        if not found and not (self.closing and lead_in.taken):
            raise CaptureError(
                f"{self._instrument.id}: no frame of {self._date} in the captures, which hold "
                f"{_reach(self._chain, self._instrument)}. Add captures of that day."
            )


def _marked(chain: Chain, instrument: Instrument) -> Iterator[tuple[Run, I64]]:
    """Runs with the watermark after each frame; frames before the first time go with the frame that has it."""
    clock, before = Clock(), list[Run]()
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
    """The frames before a day, decoded in stretches so that memory stays small."""

    def __init__(self, instrument: Instrument) -> None:
        self.stream = Stream.of(instrument, forget=True)
        self.log, self.taken, self.held = EventLog(), 0, 0

    def take(self, run: Run) -> None:
        if not run.length:
            return
        for _ in self.stream.decode(run.frames, arrivals(self.taken, run.length), self.log, run.read):
            pass  # it is set aside on its own day
        self.taken += run.length
        self.held += run.length
        if self.held >= FLUSH_FRAMES:
            self.flush()

    def flush(self) -> None:
        self.stream.sampler.run(*self.log.streams())
        self.log, self.held = EventLog(), 0

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
        self._end, self._last_book = end, last_book
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


def _reach(chain: Chain, instrument: Instrument) -> str:
    """First and last event time of an instrument in a chain, for a person."""
    spans = [s for _, index in chain.files if (s := index.instruments.get(instrument.id)) and s.first_event]
    if not spans:
        others = f"only {', '.join(chain.instruments())}"
        held = "nothing of it but what is neither book nor trades, such as the candles of an archive"
        return held if instrument.id in chain.instruments() else others
    ends = (min(span.first_event for span in spans), max(span.last_event for span in spans))
    return " to ".join(datetime.fromtimestamp(ts / SECOND, UTC).isoformat(" ", "seconds") for ts in ends)
