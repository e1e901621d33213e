"""The table `raw_frames`: a day's frames as received, and the checkpoint with which the day opens.

Here: the rows of the table.
Not here: which frames belong to the day (`ml.market.days.day_frames`), what they say (`ml.market.days.day`).

The rows are the checkpoint with which the day opens (arrival -1), the day's frames from arrival 0 on, and, where the
chain goes on, the first frames of the next day in one closing checkpoint: they tell whether the book was right up to
midnight.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import orjson
import polars as pl

from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.market.bulk.frames import payloads
from ml.market.bulk.shapes import I64
from ml.market.days.day import CLOSING, OPENING
from ml.market.days.day_frames import DayFrames
from ml.market.decode.stream import arrivals
from ml.market.files.capture_sequence import CaptureSequence, Run
from ml.market.files.frame_routing import LOSS, SNAPSHOT
from ml.tables.schemas import SCHEMAS

KINDS = tuple({SNAPSHOT: "snapshot", LOSS: "loss"}.get(kind, "ws") for kind in range(LOSS + 1))


def raw_day(chain: CaptureSequence, instrument: Instrument, date: str) -> Iterator[pl.DataFrame]:
    """The table `raw_frames` of a day, in parts.

    Raises:
        CaptureError: the chain holds nothing of the day.
    """
    day, (start, end) = DayFrames(chain, instrument, date), bounds(date)
    runs = day.runs()
    arrival = 0
    if day.opening is not None:
        yield _checkpoint_row(-1, OPENING, start, day.opening)
    for run in runs:
        yield _frame_rows(run, arrival)
        arrival += run.length
    if day.closing:
        frames = [[recv_ts, payload.decode()] for recv_ts, payload in day.closing]
        yield _checkpoint_row(arrival, CLOSING, end, orjson.dumps(frames))


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
    return pl.DataFrame(columns, schema=SCHEMAS["raw_frames"])


def _text(words: Sequence[str], numbers: I64) -> pl.Series:
    """Numbered words as a column."""
    return pl.Series(words, dtype=pl.String).gather(numbers)


def _checkpoint_row(arrival: int, conn: str, ts: int, payload: bytes) -> pl.DataFrame:
    row = (arrival, conn, ts, "checkpoint", payload, "", -1)
    return pl.DataFrame([row], schema=SCHEMAS["raw_frames"], orient="row")
