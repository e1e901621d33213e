"""Signals: what the promoted models say of every instrument, at each experiment's own step.

Here: which rows are due, the signals of these, and the steps for which there is none.
Not here: features (`lobforge capture --mode FULL` puts the newest row of each instrument in the online store), the
answer to a row (`live.predictions`), where signals go (`live.sinks`).

An experiment's step is its row spacing: a second, a minute. At each step every instrument has exactly one signal: the
answer to the row of that very second, or one that is withheld with the reason. A step is never caught up: what passed
while nothing ran is on record as missed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import time_ns
from typing import Protocol

import msgspec

from live.predictions import STALE, Predictor
from ml.core.errors import LobforgeError
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.feature_store.latest import Row, newest, published

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.01
NOT_RUNNING = "not_running"
"""Reason of steps that passed while no signals were made."""


class Signal(msgspec.Struct, frozen=True):
    """What an experiment's model says of an instrument at a time, or why it says nothing (`withheld`).

    `id` names experiment, instrument and time: the same signal is never two. Times are ns UTC: `ts` is the end of the
    second that the features describe, `issued_at` when the signal was made. `probabilities` are of down, neutral, up,
    at `valid_until`. `size` is a hint from 0 to 1: how much likelier the direction is than its opposite.
    """

    id: str
    experiment: str
    instrument: str
    ts: int
    issued_at: int
    valid_until: int | None
    data_age_ms: float
    direction: str | None
    probabilities: tuple[float, float, float] | None
    size: float | None
    withheld: str | None
    model: str | None
    version: str | None
    role: str | None
    feature_set: str | None


@dataclass(frozen=True)
class Missed:
    """Steps without a signal: from the first to the last, ns UTC, both included."""

    experiment: str
    instrument: str
    first_ts: int
    last_ts: int
    reason: str


class Sink(Protocol):
    """Where signals go. Neither call may block or raise."""

    def put(self, signal: Signal) -> None:
        """Take a signal."""
        ...

    def miss(self, missed: Missed) -> None:
        """Take note of steps without one."""
        ...


class Signals:
    """The signals of all instruments of a data root.

    Args:
        root: whose online store is read.
        predictor: who answers a row.
        steps: seconds between signals, by experiment.
        sinks: where they go.
        before: the newest signal that is on record, ns UTC by experiment and instrument.
        max_age: seconds after a step at which its row counts as missing.
        clock: ns UTC.
    """

    def __init__(
        self,
        root: DataRoot,
        predictor: Predictor,
        steps: Mapping[str, int],
        sinks: list[Sink],
        before: Mapping[tuple[str, str], int],
        max_age: float = 5.0,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        self.root = root
        self.predictor = predictor
        self.steps = {name: step * SECOND for name, step in steps.items()}
        self.sinks = sinks
        self.max_age = int(max_age * SECOND)
        self.clock = clock
        self.newest: dict[tuple[str, str], Signal] = {}
        self._last = dict(before)
        self._seen: dict[str, tuple[int, int]] = {}

    async def run(self) -> None:
        """Make signals until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Make the signals that are due now; an instrument whose row cannot be read delays no other."""
        for instrument in published(self.root):
            try:
                row = self._changed(instrument)
            except (LobforgeError, OSError):
                LOG.exception("%s: its newest row cannot be read", instrument)
                row = None
            for experiment, step in self.steps.items():
                if row is not None and row.ts % step == 0:
                    self._take(experiment, instrument, row)
                self._note_absent(experiment, instrument, step)

    def _changed(self, instrument: str) -> Row | None:
        """The newest row of an instrument, if it is another one than last time."""
        try:
            found = self.root.newest(instrument).stat()
        except FileNotFoundError:
            return None
        seen = (found.st_mtime_ns, found.st_ino)
        if self._seen.get(instrument) == seen:
            return None
        self._seen[instrument] = seen
        return newest(self.root, instrument)

    def _take(self, experiment: str, instrument: str, row: Row) -> None:
        """The signal of a row, if it is later than the last one and not too old."""
        last = self._last.get((experiment, instrument))
        if (last is not None and row.ts <= last) or self.clock() - row.ts > self.max_age:
            return
        self._note_missed(experiment, instrument, row.ts - self.steps[experiment])
        answer = self.predictor.of_row(experiment, row)
        now = self.clock()
        probabilities = None if answer.probabilities is None else tuple(answer.probabilities)
        self._emit(
            Signal(
                _id(experiment, instrument, row.ts),
                experiment,
                instrument,
                row.ts,
                now,
                answer.valid_until,
                _age(row.ts, now),
                answer.direction,
                probabilities,  # type: ignore[arg-type]
                _size(answer.direction, answer.probabilities),
                answer.withheld,
                answer.model,
                answer.version,
                answer.role,
                answer.feature_set,
            )
        )

    def _note_absent(self, experiment: str, instrument: str, step: int) -> None:
        """Withhold the signal of the newest step whose row did not come in time."""
        now = self.clock()
        due = (now - self.max_age) // step * step
        last = self._last.get((experiment, instrument))
        if last is None:  # from here on every step has its signal
            self._last[experiment, instrument] = due
        elif due > last:
            self._note_missed(experiment, instrument, due - step)
            nothing = (None, _age(due, now), None, None, None, STALE, None, None, None, None)
            self._emit(Signal(_id(experiment, instrument, due), experiment, instrument, due, now, *nothing))

    def _note_missed(self, experiment: str, instrument: str, until: int) -> None:
        """Put the steps between the last signal and a later one on record."""
        last = self._last.get((experiment, instrument))
        if last is not None and until > last:
            missed = Missed(experiment, instrument, last + self.steps[experiment], until, NOT_RUNNING)
            for sink in self.sinks:
                sink.miss(missed)

    def _emit(self, signal: Signal) -> None:
        self._last[signal.experiment, signal.instrument] = signal.ts
        self.newest[signal.experiment, signal.instrument] = signal
        for sink in self.sinks:
            sink.put(signal)


def hummingbot(signal: Signal) -> dict[str, object] | None:
    """The message ML_SIGNALS of Hummingbot: topic and body; None of a signal that is withheld.

    `target_pct` is 0: the models here say which way, not how far.
    """
    if signal.probabilities is None:
        return None
    pair = signal.instrument.partition(".")[2].lower().replace("-", "_")
    body = {"probabilities": list(signal.probabilities), "target_pct": 0.0, "timestamp": signal.ts / 1e9}
    return {"topic": f"hbot/predictions/{pair}/ML_SIGNALS", "body": body, "id": signal.id}


def _id(experiment: str, instrument: str, ts: int) -> str:
    return f"{experiment}/{instrument}/{ts}"


def _age(ts: int, now: int) -> float:
    return (now - ts) // 1_000 / 1_000


def _size(direction: str | None, probabilities: list[float] | None) -> float | None:
    if direction is None or probabilities is None:
        return None
    return 0.0 if direction == "neutral" else min(abs(probabilities[2] - probabilities[0]), 1.0)
