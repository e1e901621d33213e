"""Two models on the same rows, looked at while their labels come in.

Here: the schedule of looks, and what they say together about a challenge or a watched promotion.
Not here: one look and its bounds (`ml.evaluation.ab_test`), what follows (`ml.promotion.life`).

All looks are recomputed from the rows each time: nothing about the test is remembered, so a restart cannot look twice.

A gain is one of macro-accuracy, as at the gates: a wrong row costs one over the share of its class, so that the mean
loss is one minus the macro-accuracy of the rows compared.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.core.config import LifecyclePlan
from ml.core.time import HOUR
from ml.evaluation.ab_test import Design, Look, look
from ml.promotion.life import Outcome

ANSWERS = {
    "instrument": pl.String(),
    "ts": pl.Int64(),
    "label_end": pl.Int64(),
    "direction": pl.Int8(),
    "champion": pl.Int8(),
    "challenger": pl.Int8(),
}
"""Rows that both models answered: times in ns UTC, the true class, and the class that each of them predicted."""
CLASSES = 3


@dataclass(frozen=True)
class Comparison:
    """What all looks so far say: the outcome, and the looks with their times (ns UTC), oldest first."""

    outcome: Outcome
    looks: tuple[tuple[int, Look], ...]
    design: Design

    @property
    def last(self) -> Look | None:
        """The newest look, None before the first."""
        return self.looks[-1][1] if self.looks else None

    def as_dict(self) -> dict[str, Any]:
        """For a decision record: the design, the outcome and every look."""
        looks = [{"at": at} | asdict(one) for at, one in self.looks]
        return {"outcome": self.outcome, "design": asdict(self.design), "looks": looks}


def design(plan: LifecyclePlan, horizon: int) -> Design:
    """The test of a policy for models of a horizon in seconds."""
    return Design(horizon=horizon, alpha=plan.alpha)


def compare(rows: pl.DataFrame, plan: LifecyclePlan, horizon: int, start: int, now: int) -> Comparison:
    """All looks at the policy's times from `start` on, up to `now` (ns UTC).

    Args:
        rows: see `ANSWERS`, in order of time.
        plan: the policy.
        horizon: of the models, seconds.
        start: when the challenge, or the watch, began.
        now: market time. A row counts once its label is known.
    """
    test = design(plan, horizon)
    rows = rows.filter(pl.col("ts") >= start)
    every = int(plan.look_hours * HOUR)
    looks: list[tuple[int, Look]] = []
    fractions: list[float] = []
    better = False
    for at in range(start + every, now + 1, every):
        found = look(losses(rows.filter(pl.col("label_end") <= at)), test, fractions)
        looks.append((at, found))
        if found.lower is not None:
            fractions.append(found.fraction)
            better = better or found.lower > 0
        if found.fraction >= 1:
            break
    return Comparison(_outcome(looks, better, plan), tuple(looks), test)


def _outcome(looks: list[tuple[int, Look]], better: bool, plan: LifecyclePlan) -> Outcome:
    """Better once a bound was above 0; worse if the newest bounds prove a loss, or all data leave too large one."""
    bounded = [one for _, one in looks if one.lower is not None and one.upper is not None]
    if not bounded:
        return "undecided"
    last = bounded[-1]
    lower, upper = last.lower, last.upper
    assert lower is not None and upper is not None  # noqa: S101, PT018 - filtered above
    if upper < 0 or (last.fraction >= 1 and lower < -plan.max_loss):
        return "worse"
    if better:
        return "better"
    return "equal" if last.outcome == "refuse" else "undecided"


def losses(rows: pl.DataFrame) -> pl.DataFrame:
    """What `ml.evaluation.ab_test.look` compares: the losses of both models row by row, of rows as `ANSWERS`."""
    direction = rows["direction"].to_numpy()
    counts = np.bincount(direction, minlength=CLASSES)
    costs = np.divide(len(direction), counts * np.count_nonzero(counts), out=np.zeros(CLASSES), where=counts > 0)
    lost = {
        f"{name}_loss": np.where(rows[name].to_numpy() != direction, costs[direction], 0.0)
        for name in ("champion", "challenger")
    }
    return rows.select("instrument", "ts").with_columns(**{name: pl.Series(values) for name, values in lost.items()})
