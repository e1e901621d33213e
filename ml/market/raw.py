"""Which raw frames belong to a UTC day of one instrument, and the checkpoint with which the day opens.

Here: the table `raw_frames`.
Not here: what the frames say (`ml.market.day`), the files (`ml.market.chain`).

A frame belongs to the day of the watermark after it. The rows of `raw_frames` are the checkpoint with which the day
opens (arrival -1), the day's frames from arrival 0 on, and, where the chain goes on, the first frames of the next day
in one closing checkpoint: they tell whether the book was right up to midnight.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import orjson
import polars as pl

from ml.dates import bounds
from ml.errors import CaptureError
from ml.instruments import Instrument
from ml.market import layout
from ml.market import shapes as at
from ml.market.attribution import LOSS, SNAPSHOT
from ml.market.chain import Chain, Run
from ml.market.checkpoint import pack
from ml.market.clock import Clock
from ml.market.day import CLOSING, OPENING
from ml.market.eventlog import EventLog
from ml.market.frames import payloads
from ml.market.sampler import SECOND
from ml.market.shapes import I64
from ml.market.stream import Stream, arrivals
from ml.market.stretch import watermarks
from ml.schemas import TABLES

LEAD_IN_NS = (layout.TAIL + 60) * SECOND
CLOSING_BOOK_FRAMES = 3
FLUSH_FRAMES = 200_000
KINDS = tuple({SNAPSHOT: "snapshot", LOSS: "loss"}.get(kind, "ws") for kind in range(LOSS + 1))


def raw_day(chain: Chain, instrument: Instrument, date: str) -> Iterator[pl.DataFrame]:
    """The table `raw_frames` of a day, in parts.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    start, end = bounds(date)
    lead_in, closing = _LeadIn(instrument), _Closing()
    arrival, opened = 0, False
    for run, marks in _marked(chain.of(instrument.id, since=start - LEAD_IN_NS), instrument):
        today, tomorrow = np.searchsorted(marks, [start, end]).tolist()
        lead_in.take(run.part(0, today))
        if today < run.length and not opened:
            yield from lead_in.rows(start)
            opened = True
        if today < tomorrow:
            yield _frame_rows(run.part(today, tomorrow), arrival)
            arrival += tomorrow - today
        if closing.take(run.part(tomorrow, run.length)):
            break
    if not arrival and not (closing.runs and lead_in.taken):
        raise CaptureError(
            f"{instrument.id}: no frame of {date} in the captures, which hold {_reach(chain, instrument)}. "
            "Add captures of that day."
        )
    if closing.runs:
        yield _checkpoint_row(arrival, CLOSING, end, _pack_frames(closing.runs))


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

    def rows(self, start: int) -> list[pl.DataFrame]:
        """The state at midnight: the day's first frame has moved the clock past it, and is not yet applied."""
        if not self.taken:
            return []
        self.flush()
        self.stream.sampler.advance(start)
        return [_checkpoint_row(-1, OPENING, start, pack(self.stream.decoder, self.stream.sampler))]


class _Closing:
    """The first frames of the next day, no more of them than are needed."""

    def __init__(self) -> None:
        self.runs, self.books = list[Run](), 0

    def take(self, run: Run) -> bool:
        """Add frames; True if there are enough."""
        (found,) = np.nonzero(run.kind == at.BOOK)
        missing = CLOSING_BOOK_FRAMES - self.books
        enough = len(found) >= missing
        if run.length:
            self.runs.append((run.part(0, int(found[missing - 1]) + 1) if enough else run)._replace(read=None))
        self.books += len(found)
        return enough


def _reach(chain: Chain, instrument: Instrument) -> str:
    """First and last event time of an instrument in a chain, for a person."""
    spans = [s for _, index in chain.files if (s := index.instruments.get(instrument.id)) and s.first_event]
    if not spans:
        return f"only {', '.join(chain.instruments())}"
    ends = (min(span.first_event for span in spans), max(span.last_event for span in spans))
    return " to ".join(datetime.fromtimestamp(ts / SECOND, UTC).isoformat(" ", "seconds") for ts in ends)


def _frame_rows(run: Run, arrival: int) -> pl.DataFrame:
    frames = run.frames
    columns = {
        "arrival": arrivals(arrival, run.length),
        "conn": _text(frames.conns, frames.conn),
        "recv_ts": frames.recv_ts,
        "kind": _text(KINDS, run.kind),
        "payload": payloads(frames),
        "source_sha256": _text((run.source_sha256,), np.zeros(run.length, np.int64)),
        "offset": frames.offset,
    }
    return pl.DataFrame(columns, schema=TABLES["raw_frames"])


def _text(words: Sequence[str], numbers: I64) -> pl.Series:
    """Numbered words as a column."""
    return pl.Series(words, dtype=pl.String).gather(numbers)


def _checkpoint_row(arrival: int, conn: str, ts: int, payload: bytes) -> pl.DataFrame:
    row = (arrival, conn, ts, "checkpoint", payload, "", -1)
    return pl.DataFrame([row], schema=TABLES["raw_frames"], orient="row")


def _pack_frames(runs: list[Run]) -> bytes:
    frames = [run.frames.frame(k) for run in runs for k in range(run.length)]
    return orjson.dumps([[frame.recv_ts, frame.payload.decode()] for frame in frames])
