"""The running challenge, or a watched promotion, on stored days: scored, compared, and the step that follows.

Here: what the assets `shadow_scores`, `ab_report` and `deployment` do.
Not here: the rules (`ml.promotion.life`), the same on a stream of rows (`ml.promotion.rollout`).
"""

from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from ml.core.config import LifecyclePlan
from ml.core.paths import DataRoot
from ml.learning.experiment import Experiment
from ml.learning.tables import SHADOW_SCORES
from ml.promotion import comparison, life, shadow
from ml.promotion.life import Stage
from ml.promotion.registry import Registry, changes

WHO = "lifecycle policy"


@dataclass(frozen=True)
class Report:
    """What stored days say of the model beside the champion.

    `waiting` says why they say nothing, else it is empty; `now` is the market time that they reach (ns UTC), None
    without rows. In a watch the challenger of the comparison is the new champion.
    """

    champion: str | None
    beside: str | None
    stage: str
    now: int | None
    rows: int
    outcome: life.Outcome
    waiting: str
    comparison: dict[str, Any]


def is_running(root: DataRoot, name: str, plan: LifecyclePlan, now: int) -> bool:
    """Whether a model is beside the champion of a name at a time (ns UTC), as challenger or as previous champion."""
    return life.at_time(life.of(changes(root, name)), plan, now).beside is not None


def score(root: DataRoot, experiment: Experiment, registry: Registry) -> pl.DataFrame:
    """The table `shadow_scores` of an experiment: no row where nobody is beside the champion."""
    registry.reconcile()
    found = registry.life()
    if found.champion is None or found.beside is None:
        return pl.DataFrame(schema=SHADOW_SCORES.schema)
    return shadow.scores(root, experiment, *(registry.load_model(one) for one in _sides(found)))


def report(rows: pl.DataFrame, experiment: Experiment, registry: Registry, plan: LifecyclePlan) -> Report:
    """All looks at the running challenge, or watch, on its rows of `shadow_scores`."""
    found = registry.life()
    now = int(rows["label_end"].max()) if rows.height else None  # type: ignore[arg-type]
    begun = found.challenged_at if found.challenger else found.since
    why = "nobody is beside the champion" if found.beside is None else shadow.waiting(rows, begun)
    if why is not None or now is None:
        return Report(found.champion, found.beside, str(found.stage), now, rows.height, "undecided", why or "", {})
    looked = comparison.compare(shadow.answered(rows), plan, experiment.horizon, begun, now)
    return Report(
        found.champion, found.beside, str(found.stage), now, rows.height, looked.outcome, "", looked.as_dict()
    )


def deploy(found: Report, registry: Registry, plan: LifecyclePlan, asked: str) -> dict[str, Any] | None:
    """Take the step that a report leads to; returns its record, None if nothing is to be decided.

    Raises:
        RegistryError: another decision came first.
        ModelRefused: the model that would serve is damaged, gives no probabilities, or is of other features.
    """
    registry.reconcile()
    now = registry.life()
    if found.now is None or found.waiting or (now.champion, now.beside) != (found.champion, found.beside):
        return None
    step = life.step(now, plan, found.now, found.outcome, [])
    if step is None:
        return None
    evidence = {"policy": asdict(plan), "comparison": found.comparison, "market_time": found.now, "asked": asked}
    return registry.advance(step, now.champion, WHO, evidence)


def _sides(found: life.Life) -> tuple[str, str]:
    """The one to beat, and the other: in a watch the new champion must not be worse than the previous one."""
    assert found.champion is not None and found.beside is not None  # noqa: S101, PT018 - asked by the caller
    return (found.beside, found.champion) if found.stage is Stage.WATCH else (found.champion, found.beside)
