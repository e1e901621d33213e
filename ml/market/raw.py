"""Which raw frames belong to a UTC day of one instrument, and the checkpoint with which the day opens.

Here: the table `raw_frames`.
Not here: what the frames say (`ml.market.day`), the files (`ml.market.chain`).

A frame belongs to the day of the watermark after it. The rows of `raw_frames` are the checkpoint with which the day
opens (arrival -1), the day's frames from arrival 0 on, and, where the chain goes on, the first frames of the next day
in one closing checkpoint: they tell whether the book was right up to midnight.
"""

from collections.abc import Iterator
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
KINDS = {SNAPSHOT: "snapshot", LOSS: "loss"}


def raw_day(chain: Chain, instrument: Instrument, date: str) -> pl.DataFrame:
    """The table `raw_frames` of a day.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    start, end = bounds(date)
    day, closing = list[Run](), list[Run]()
    lead_in = _LeadIn(instrument)
    for run, marks in _marked(chain.of(instrument.id, since=start - LEAD_IN_NS), instrument):
        today, tomorrow = np.searchsorted(marks, [start, end])
        lead_in.take(run.part(0, today))
        day.append(run.part(today, tomorrow)._replace(read=None))
        closing.append(run.part(tomorrow, len(marks))._replace(read=None))
        if _cut(closing):
            break
    frames, after = sum(run.length for run in day), sum(run.length for run in closing)
    if not frames and not (after and lead_in.taken):
        raise CaptureError(
            f"{instrument.id}: no frame of {date} in the captures, which hold {_reach(chain, instrument)}. "
            "Add captures of that day."
        )
    opening = lead_in.checkpoint(start)
    parts = [_checkpoint_row(-1, OPENING, start, opening)] if opening is not None else []
    parts += _frame_rows(day)
    if after:
        parts.append(_checkpoint_row(frames, CLOSING, end, _pack_frames(closing)))
    return pl.concat(parts)


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
        for _ in self.stream.decode(run.frames, arrivals(self.taken, run.length), self.log, run.read):
            pass  # it is set aside on its own day
        self.taken += run.length
        self.held += run.length
        if self.held >= FLUSH_FRAMES:
            self.flush()

    def flush(self) -> None:
        self.stream.sampler.run(*self.log.streams())
        self.log, self.held = EventLog(), 0

    def checkpoint(self, start: int) -> bytes | None:
        """The state at midnight: the day's first frame has moved the clock past it, and is not yet applied."""
        self.flush()
        self.stream.sampler.advance(start)
        return pack(self.stream.decoder, self.stream.sampler) if self.taken else None


def _cut(closing: list[Run]) -> bool:
    """Drop what is more than is needed of the next day; True if there is enough."""
    books = 0
    for position, run in enumerate(closing):
        (found,) = np.nonzero(run.kind == at.BOOK)
        if books + len(found) >= CLOSING_BOOK_FRAMES:
            closing[position:] = [run.part(0, int(found[CLOSING_BOOK_FRAMES - books - 1]) + 1)]
            return True
        books += len(found)
    return False


def _reach(chain: Chain, instrument: Instrument) -> str:
    """First and last event time of an instrument in a chain, for a person."""
    spans = [s for _, index in chain.files if (s := index.instruments.get(instrument.id)) and s.first_event]
    if not spans:
        return f"only {', '.join(chain.instruments())}"
    ends = (min(span.first_event for span in spans), max(span.last_event for span in spans))
    return " to ".join(datetime.fromtimestamp(ts / SECOND, UTC).isoformat(" ", "seconds") for ts in ends)


def _frame_rows(day: list[Run]) -> list[pl.DataFrame]:
    found, arrival = list[pl.DataFrame](), 0
    for run in day:
        frames = run.frames
        columns = {
            "arrival": arrivals(arrival, run.length),
            "conn": pl.Series(frames.conns, dtype=pl.String).gather(frames.conn),
            "recv_ts": frames.recv_ts,
            "kind": pl.Series(run.kind).replace_strict(KINDS, default="ws", return_dtype=pl.String),
            "payload": payloads(frames),
            "source_sha256": pl.repeat(run.source_sha256, run.length, eager=True, dtype=pl.String),
            "offset": frames.offset,
        }
        found.append(pl.DataFrame(columns, schema=TABLES["raw_frames"]))
        arrival += run.length
    return found


def _checkpoint_row(arrival: int, conn: str, ts: int, payload: bytes) -> pl.DataFrame:
    row = (arrival, conn, ts, "checkpoint", payload, "", -1)
    return pl.DataFrame([row], schema=TABLES["raw_frames"], orient="row")


def _pack_frames(runs: list[Run]) -> bytes:
    frames = [run.frames.frame(k) for run in runs for k in range(run.length)]
    return orjson.dumps([[frame.recv_ts, frame.payload.decode()] for frame in frames])
