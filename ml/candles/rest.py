"""Candles that a venue serves over REST: what is missing of a day, asking for it, and storing what was answered.

Here: the plan of what to ask, one day of one instrument brought up to date.
Not here: how a venue is asked (`ml.candles.history`), what its rows say (`ml.candles.klines`), candles from trades
(`ml.candles.from_trades`).

Work starts from missing intervals, never from the newest row: a hole of last week is filled like the last hour. For
every candle that was asked for the answer is stored: the candle, or why there is none.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ml.candles.from_trades import TIMEFRAMES
from ml.candles.klines import LAYOUTS, Row, candle, stamp
from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.time import MS, bounds
from ml.storage import commit
from ml.tables.schemas import SCHEMAS
from ml.tables.spec import conform

TABLE = "rest_candles"
NOT_PUBLISHED = "not_published"
SETTLED = 5 * 10**9
"""A candle is asked for so long after its close, ns: until then a venue may still change it."""
GRACE = 3_600 * 10**9
"""A candle that a venue does not have is recorded as not published only so long after its close, ns."""
PAGE = 300
"""Most candles asked for at once: what the venue with the shortest pages gives."""
_SCHEMA = SCHEMAS[TABLE]

Ask = Callable[[str, int, int], Awaitable[list[Row]]]
"""Takes timeframe, first and last opening time (ms UTC); gives rows as the venue sent them, the opening time first."""


@dataclass
class Update:
    """What a day got: candles fetched now, stored before, not yet published, never published, quarantined and why."""

    fetched: int = 0
    stored: int = 0
    pending: int = 0
    not_published: int = 0
    quarantined: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


async def update(
    root: DataRoot, ask: Ask, instrument: Instrument, date: str, timeframe: str, now: int, again: bool = False
) -> Update:
    """Ask for what is missing of a UTC date (YYYY-MM-DD) and store it.

    Args:
        root: where `rest_candles` lies.
        ask: how the venue is asked.
        instrument: decimals and venue.
        date: what is to be brought up to date.
        timeframe: one of `ml.candles.from_trades.TIMEFRAMES`.
        now: ns UTC.
        again: ask once more for what was not published or was quarantined.

    Raises:
        CaptureError: the venue did not answer, or with a candle off the grid; nothing was stored.
    """
    before = read_day(root, date, instrument, timeframe)
    kept = before.filter(pl.col("reason").is_null()) if again else before
    runs = missing(grid(date, timeframe, now - SETTLED), kept["ts"].to_list(), TIMEFRAMES[timeframe])
    done = Update(stored=kept.height)
    if runs:
        answers = await fetch(ask, timeframe, runs)
        asked = [ts for first, last in runs for ts in range(first, last + 1, TIMEFRAMES[timeframe])]
        rows = [_answer(ts, answers.get(ts, []), instrument, now, done) for ts in asked]
        _merge(root, date, instrument, [row | {"timeframe": timeframe} for row in rows if row is not None])
    return done


def read_day(root: DataRoot, date: str, instrument: Instrument, timeframe: str) -> pl.DataFrame:
    """What is stored of a UTC date, in the columns of the table `candles` and `timeframe`; no rows if nothing is."""
    return _stored(root, date, instrument).filter(pl.col("timeframe") == timeframe)


def grid(date: str, timeframe: str, until: int) -> range:
    """Stamps (close, ns) of a UTC date's candles that closed by `until`."""
    (start, end), step = bounds(date), TIMEFRAMES[timeframe]
    return range(start + step, min(end, until) + 1, step)


def missing(wanted: Iterable[int], stored: Iterable[int], step: int) -> list[tuple[int, int]]:
    """Runs (first, last) of neighbouring stamps that are wanted and not stored, in order of time."""
    runs: list[tuple[int, int]] = []
    for ts in sorted(set(wanted) - set(stored)):
        if runs and runs[-1][1] + step == ts:
            runs[-1] = (runs[-1][0], ts)
        else:
            runs.append((ts, ts))
    return runs


async def fetch(ask: Ask, timeframe: str, runs: Sequence[tuple[int, int]]) -> dict[int, list[Row]]:
    """The venue's different rows by stamp, for all candles of the runs that it has.

    However short a venue's pages are, and from whichever end it fills them: what lies before or after the rows of an
    answer is asked for again, until an answer is empty.

    Raises:
        CaptureError: a candle is not on the grid of its timeframe, or the venue did not answer.
    """
    step = TIMEFRAMES[timeframe]
    found = dict[int, list[Row]]()
    left = list(runs)
    while left:
        first, last = left.pop()
        if last - first >= PAGE * step:
            left.append((first + PAGE * step, last))
            last = first + (PAGE - 1) * step
        rows = await ask(timeframe, (first - step) // MS, (last - step) // MS)
        stamps: set[int] = set()
        for row in rows:
            ts = stamp(row, timeframe)
            if first <= ts <= last:
                stamps.add(ts)
                if row not in found.setdefault(ts, []):
                    found[ts].append(row)
        if stamps:
            ends = ((first, min(stamps) - step), (max(stamps) + step, last))
            left += [end for end in ends if end[0] <= end[1]]
    return found


def _answer(ts: int, rows: list[Row], instrument: Instrument, now: int, done: Update) -> dict[str, Any] | None:
    """What is to be stored of one candle that was asked for, None as long as the venue may yet publish it."""
    settled = LAYOUTS[instrument.venue].settled
    unsettled = settled is not None and any(len(row) > settled and str(row[settled]) == "0" for row in rows)
    if not rows or unsettled:
        if ts > now - GRACE:
            done.pending += 1
            return None
        done.not_published += 1
        return {"ts": ts, "reason": NOT_PUBLISHED}
    try:
        if len(rows) > 1:
            raise FrameError("unequal_repeat", f"{len(rows)} different candles")
        values = candle(rows[0], instrument)
    except FrameError as error:
        done.quarantined.append({"ts": ts, "reason": error.reason, "detail": error.detail})
        return {"ts": ts, "reason": error.reason}
    done.fetched += 1
    return {"ts": ts, "reason": None} | values


def _stored(root: DataRoot, date: str, instrument: Instrument) -> pl.DataFrame:
    path = root.partition(TABLE, date, instrument.id)
    return commit.read(path).collect() if path.exists() else pl.DataFrame(schema=_SCHEMA)


def _merge(root: DataRoot, date: str, instrument: Instrument, rows: list[dict[str, Any]]) -> None:
    """Store rows of a day beside or in place of what stands there; one writer at a time from reading to publishing."""
    if not rows:
        return
    with commit.writer(root, f"{TABLE}.merge"):
        both = pl.concat([_stored(root, date, instrument), pl.DataFrame(rows, schema=_SCHEMA)])
        frame = both.unique(["timeframe", "ts"], keep="last").sort("timeframe", "ts")
        path = root.partition(TABLE, date, instrument.id)
        commit.publish(root, TABLE, path, conform(frame, _SCHEMA, TABLE), code_version="")
