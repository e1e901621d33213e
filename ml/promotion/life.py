"""The life of a model as a state machine: shadow, split traffic, promoted or refused, watched, rolled back.

Here: the state that follows from the journal, and the next step that follows from state, evidence and time.
Not here: the evidence (`ml.promotion.health`, `ml.evaluation.ab_test`), putting a step into force
(`ml.promotion.registry`).

The journal is the only memory: a restart, a replay and a second process read the same state from it. Times are market
time, ns UTC.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, Protocol

from ml.core.config import LifecyclePlan
from ml.core.time import HOUR

Decision = Literal["challenge", "split", "promote", "refuse", "insufficient", "rollback"]
Outcome = Literal["better", "worse", "equal", "undecided"]
"""Of a comparison with the other model: proved better, proved worse or harmful, powered and neither, too few data."""
ENDS = ("refuse", "insufficient", "retire")
"""Decisions that end the challenge of the model that they name."""


class Stage(StrEnum):
    """Where the model beside the champion stands; `ALONE` is none."""

    ALONE = "alone"
    SHADOW = "shadow"
    SPLIT = "split"
    WATCH = "watch"


class Changed(Protocol):
    """What the state needs of a journal entry; `ml.promotion.registry.Change` has it."""

    @property
    def at(self) -> int:
        """When it took effect, ns UTC."""
        ...

    @property
    def decision(self) -> str:
        """What was decided."""
        ...

    @property
    def model_id(self) -> str | None:
        """On which model."""
        ...

    @property
    def champion_before(self) -> str | None:
        """The champion when it was decided."""
        ...

    @property
    def champion(self) -> str | None:
        """The champion after it."""
        ...


@dataclass(frozen=True)
class Life:
    """Who serves, who scores beside it, and since when (ns UTC) in which stage.

    `beside` is the challenger in shadow and split, and the previous champion while the new one is watched.
    `challenged_at` is when the running challenge began.
    """

    champion: str | None = None
    beside: str | None = None
    stage: Stage = Stage.ALONE
    since: int = 0
    challenged_at: int = 0

    @property
    def challenger(self) -> str | None:
        """The model that wants to take over, if one does."""
        return self.beside if self.stage in (Stage.SHADOW, Stage.SPLIT) else None


def of(changes: Iterable[Changed]) -> Life:
    """The state after a journal's entries, oldest first.

    A champion that takes over ends the running challenge: its comparison was with another champion.
    """
    life = Life()
    for change in changes:
        life = _after(life, change)
    return life


def _after(life: Life, change: Changed) -> Life:
    if change.champion != life.champion:
        watched = change.decision == "promote" and change.champion_before is not None
        stage = Stage.WATCH if watched else Stage.ALONE
        return Life(change.champion, change.champion_before if watched else None, stage, change.at)
    match change.decision:
        case "challenge":
            return Life(life.champion, change.model_id, Stage.SHADOW, change.at, change.at)
        case "split" if change.model_id == life.challenger:
            return replace(life, stage=Stage.SPLIT, since=change.at)
        case _ if change.decision in ENDS and change.model_id is not None and change.model_id == life.beside:
            return Life(life.champion, None, Stage.ALONE, change.at)
        case _:
            return life


def at_time(life: Life, plan: LifecyclePlan, now: int) -> Life:
    """The state at a time: a watch ends by itself after its hours."""
    if life.stage is Stage.WATCH and now >= life.since + plan.watch_hours * HOUR:
        return Life(life.champion, None, Stage.ALONE, life.since + int(plan.watch_hours * HOUR))
    return life


def after_gates(decision: str, candidate: str | None, life: Life) -> tuple[str, str]:
    """What gates lead to, and why: the first model they pass is promoted, a later one challenges the champion.

    Args:
        decision: of the gates: promote, refuse or insufficient.
        candidate: id of the model that they were asked about.
        life: of the name's models.
    """
    if decision != "promote" or life.champion in (None, candidate):
        return decision, ""
    if life.challenger not in (None, candidate):
        return "insufficient", f"the gates passed it, but {life.challenger} challenges the champion: decide again later"
    return "challenge", "the gates passed it: it scores every row in shadow beside the champion"


@dataclass(frozen=True)
class Step:
    """What is to be decided next, on which model, and why in a sentence."""

    decision: Decision
    model_id: str
    why: str


def step(life: Life, plan: LifecyclePlan, now: int, outcome: Outcome, faults: Sequence[str]) -> Step | None:
    """The next decision, None while there is nothing to decide.

    Args:
        life: the state.
        plan: hours and shares.
        now: market time, ns UTC.
        outcome: of the challenger compared with the champion; in a watch, of the new champion with the previous one.
        faults: what is wrong with the challenger, or in a watch with the new champion, a sentence each.
    """
    life = at_time(life, plan, now)
    if life.beside is None or life.champion is None:
        return None
    wrong = "; ".join(faults)
    hours = (now - life.since) / HOUR
    if life.stage is Stage.WATCH:
        if wrong:
            return Step("rollback", life.beside, f"the champion {life.champion} is withdrawn: {wrong}")
        if outcome == "worse":
            why = f"the champion {life.champion} loses more than allowed against the previous one"
            return Step("rollback", life.beside, why)
        return None
    if wrong:
        return Step("refuse", life.beside, wrong)
    if outcome == "worse":
        return Step("refuse", life.beside, "it loses more than allowed against the champion")
    if outcome == "equal":
        return Step("refuse", life.beside, "with enough data to see the required gain, it is not better")
    if life.stage is Stage.SHADOW:
        if hours < plan.shadow_hours:
            return None
        return Step("split", life.beside, f"{plan.shadow_hours:g} h in shadow without a fault")
    if hours < plan.split_hours:
        return None
    if outcome == "better":
        return Step("promote", life.beside, f"better than the champion after {hours:.1f} h of split traffic")
    if now - life.challenged_at >= plan.longest_hours * HOUR:
        return Step("insufficient", life.beside, f"undecided after {plan.longest_hours:g} h")
    return None
