"""A model's way to the champion and back, on a stream of rows: it serves them, judges the answers and takes the steps.

Here: the loop that a replay and the live runner share.
Not here: the states (`ml.promotion.life`), the rules (`ml.promotion.health`, `ml.promotion.comparison`), the journal
(`ml.promotion.registry`).

Each row is served before anything is decided on it, and a decision is in the journal before the next row: no row waits
for another one's label, and none is lost to a rollback. Live, a step that cannot be taken (another process decided
first, a damaged target, a store that fails) is logged, and who serves goes on.

A replay knows when a label became known and passes it with the row; a live runner passes none, and the comparison then
comes from the stored days (`assets.deployment`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ml.core.config import LifecyclePlan
from ml.core.errors import ModelRefused
from ml.core.time import HOUR
from ml.promotion import life
from ml.promotion.comparison import ANSWERS, Comparison, compare
from ml.promotion.health import Health, Monitor
from ml.promotion.life import Life, Stage, Step
from ml.promotion.registry import Registry, failures
from ml.promotion.serving import Answer, Scored, Serving
from ml.storage import decisions

LOG = logging.getLogger(__name__)
WHO = "lifecycle policy"
LATENCY_EVERY = 60
"""Rows between two looks at the processor times."""


class Label(NamedTuple):
    """The class of a row (0, 1, 2), and when it becomes known, ns UTC."""

    direction: int
    known_at: int


class Taken(NamedTuple):
    """A step that took effect: the decision, its record, and how many seconds it took, loading and trying included."""

    step: Step
    record: dict[str, Any]
    seconds: float


class Rollout:
    """The models of one name on a stream of rows in order of time.

    Args:
        registry: of the name; its journal is the state.
        plan: the policy.
        taken: it is told of each step that took effect.
        replay: decisions are made in market time, not at the time of the machine.
    """

    def __init__(
        self,
        registry: Registry,
        plan: LifecyclePlan,
        taken: Callable[[Taken], None] | None = None,
        replay: bool = False,
    ) -> None:
        self.replay = replay
        self.registry = registry.timed(lambda: self.now) if replay else registry
        self.plan = plan
        self.taken = taken
        self.now = 0
        """Market time: the newest row's, ns UTC."""
        self.serving = Serving(None)
        self.life = Life()
        self.horizon = 0
        self.versions: dict[str, str] = {}
        """Number in the registry of each model that served or scored so far."""
        self.monitor = Monitor()
        self._started = 0
        self._due = 0
        self._count = 0
        self._pair: tuple[str | None, str | None] = (None, None)
        self._rows: list[tuple[str, int, int, int, int, int]] = []
        self._seen = self._journal_size()
        self.refresh()

    def refresh(self) -> None:
        """Load what the journal says now; whatever was counted about other models is forgotten.

        Raises:
            RegistryError: the journal lost decisions, or a model has no version.
            ModelRefused: the champion is damaged or does not fit the running code; what served goes on.
        """
        self._seen = self._journal_size()
        self.registry.reconcile()
        found = life.at_time(self.registry.life(), self.plan, self.now)
        champion = self.registry.load_model(found.champion) if found.champion else None
        beside = self._beside(found.beside) if found.beside else None
        present = [one for one in (found.champion, found.beside) if one]
        self.versions |= {one: self.registry.version_of(one).version for one in present}
        self.life = found
        self.serving = Serving(champion, beside, found.stage, self.plan.salt, self.plan.split_share)
        self.horizon = champion.card.horizon if champion else 0
        self._started = found.challenged_at if found.challenger else found.since
        self._due = self._next(self._started)
        self._count = 0
        self.monitor = Monitor()
        if self._pair != (found.champion, found.beside):  # the split goes on with the rows of the shadow
            self._pair = (found.champion, found.beside)
            self._rows = []

    def score(
        self,
        instrument: str,
        ts: int,
        values: np.ndarray,
        withheld: Callable[[Sequence[int]], str | None],
        label: Label | None = None,
    ) -> Scored:
        """Serve one row, then take the step that is due, if one is.

        Args:
            instrument: whose row.
            ts: of the row, ns UTC.
            values: all features f64.
            withheld: why some columns of it are unknown, None if they are known.
            label: its class, if that is known already.
        """
        self.now = max(self.now, ts)
        if not self.replay:
            self.follow()
        scored = self.serving.score(instrument, ts, values, withheld)
        if scored.champion is None or scored.beside is None:
            return scored
        watched = self.life.stage is Stage.WATCH
        judged, other = (scored.champion, scored.beside) if watched else (scored.beside, scored.champion)
        self.monitor.add(judged, other)
        self._count += 1
        if label is not None:
            self._keep(instrument, ts, label, judged, other)
        try:
            self._judge()
        except failures():
            if self.replay:
                raise
            LOG.exception("%s: no step was taken; the models in service stay", self.registry.name)
            self.monitor = Monitor()  # the next try needs new evidence: one for each row would hold the rows up
        return scored

    def _judge(self) -> None:
        if self.monitor.suspicious(self.plan) or self._count % LATENCY_EVERY == 0:
            health = self.monitor.health()
            faults = health.faults(self.plan)
            if faults:
                self._take("undecided", faults, health, None)
        if self.now >= self._due:
            self.look()

    def follow(self) -> bool:
        """Load what another process put into force; returns whether there was anything.

        A model that is refused, or a store that fails, changes nothing. It costs one look at the journal's file, so
        that it can be called for every row.
        """
        seen = self._journal_size()
        if seen == self._seen:
            return False
        try:
            self.refresh()
        except failures():
            LOG.exception("%s: the models in service stay", self.registry.name)
            return False
        return True

    def look(self) -> None:
        """Compare both models on the rows whose labels are known, and take the step that follows."""
        self._due = self._next(self.now)
        if not self.replay:  # labels come with the stored days; here only a watch can end
            if life.at_time(self.life, self.plan, self.now) != self.life:
                self.refresh()
            return
        rows = pl.DataFrame(self._rows, ANSWERS, orient="row")
        found = compare(rows, self.plan, self.horizon, self._started, self.now)
        health = self.monitor.health()
        self._take(found.outcome, health.faults(self.plan), health, found)

    def _beside(self, model_id: str) -> Any:
        try:
            return self.registry.load_model(model_id)
        except ModelRefused:
            LOG.exception("%s: the champion serves without the model beside it", self.registry.name)
            return None

    def _journal_size(self) -> int:
        return decisions.journal_size(self.registry.root, self.registry.name)

    def _take(
        self, outcome: life.Outcome, faults: Sequence[str], health: Health, comparison: Comparison | None
    ) -> None:
        step = life.step(self.life, self.plan, self.now, outcome, faults)
        if step is None:
            if life.at_time(self.life, self.plan, self.now) != self.life:
                self.refresh()  # a watch that ended needs the previous champion no more
            return
        evidence: dict[str, Any] = {"policy": asdict(self.plan), "health": asdict(health), "market_time": self.now}
        evidence["comparison"] = comparison.as_dict() if comparison else None
        begun = perf_counter()
        record = self.registry.advance(step, self.life.champion, WHO, evidence)
        seconds = perf_counter() - begun
        log = LOG.error if step.decision == "rollback" else LOG.info
        log("%s: %s, model %s: %s", self.registry.name, step.decision, step.model_id, step.why)
        self.refresh()
        if self.taken is not None:
            self.taken(Taken(step, record, seconds))

    def _keep(self, instrument: str, ts: int, label: Label, judged: Answer, other: Answer) -> None:
        """Both answers to a row that both models answered."""
        if judged.direction is not None and other.direction is not None:
            self._rows.append((instrument, ts, label.known_at, label.direction, other.direction, judged.direction))

    def _next(self, after: int) -> int:
        """The next time at which something may be due: a look, or the end of a stage."""
        every = int(self.plan.look_hours * HOUR)
        looks = self._started + ((after - self._started) // every + 1) * every
        hours = {Stage.SHADOW: self.plan.shadow_hours, Stage.SPLIT: self.plan.split_hours}
        end = self.life.since + int(hours.get(self.life.stage, self.plan.watch_hours) * HOUR)
        return min(looks, end) if end > after else looks
