"""Whether a model that serves, or wants to, answers as it should: errors, abstentions, and its processor time.

Here: the counts over the newest rows, and the faults that follow from them.
Not here: what the model loses (`ml.evaluation.ab_test`), what a fault leads to (`ml.promotion.life`).

Time is that of the processor, and only compared with the other model's on the same rows in the same process: another
machine, or other load on it, changes both. A single slow hour of the machine is not a fault, so the ratio must be above
the limit in both halves of the window.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ml.core.config import LifecyclePlan
from ml.promotion.serving import MODEL_ERROR, Answer

WINDOW = 1_200
"""Rows that are judged: the newest."""
LEAST = 300
"""A share is taken of at least so many rows: one failure among the first ten is no rate."""
QUICK_NS = 1_000_000
"""A p99 below that is no fault, whatever the ratio: caches and interrupts double times so short."""


@dataclass(frozen=True)
class Health:
    """Counts over the newest rows of which one of two models knew the input; times are p99 in ns.

    The times are None while the window is not full. `ratio` is the smaller of those of both halves of the window.
    """

    rows: int
    errors: int
    abstained: int
    processor_ns: float | None
    other_ns: float | None
    ratio: float | None

    def faults(self, plan: LifecyclePlan) -> list[str]:
        """What is wrong, a sentence each with its number and its limit."""
        found: list[str] = []
        counted = max(self.rows, LEAST)
        if self.errors > plan.max_error_rate * counted:
            share = f"{100 * self.errors / counted:.1f} %"
            found.append(f"it failed on {self.errors} of {self.rows} rows, {share} (limit {plan.max_error_rate:.0%})")
        if self.abstained > plan.max_abstention * counted:
            share = f"{100 * self.abstained / counted:.1f} %"
            limit = f"limit {plan.max_abstention:.0%}"
            found.append(f"it gave no answer on {self.abstained} of {self.rows} rows, {share} ({limit})")
        is_quick = self.processor_ns is None or self.processor_ns < QUICK_NS
        if not is_quick and self.ratio is not None and self.ratio > plan.max_latency_ratio:
            found.append(
                f"p99 of its processor time is {self.ratio:.1f} times that of the other model on the same rows "
                f"(limit {plan.max_latency_ratio:g})"
            )
        return found


class _Row(NamedTuple):
    failed: bool
    abstained: bool
    processor_ns: int
    other_ns: int


class Monitor:
    """The newest rows of a model that is judged, beside another one."""

    def __init__(self, window: int = WINDOW) -> None:
        self._rows: deque[_Row] = deque(maxlen=window)
        self._failed = 0
        self._abstained = 0

    def add(self, judged: Answer, other: Answer) -> None:
        """Count one row; where neither model knew its input, nothing is to be learned from it."""
        if judged.processor_ns is None and other.processor_ns is None:
            return
        failed = judged.reason == MODEL_ERROR
        row = _Row(failed, judged.direction is None and not failed, judged.processor_ns or 0, other.processor_ns or 0)
        if len(self._rows) == self._rows.maxlen:
            gone = self._rows[0]
            self._failed -= gone.failed
            self._abstained -= gone.abstained
        self._rows.append(row)
        self._failed += row.failed
        self._abstained += row.abstained

    def suspicious(self, plan: LifecyclePlan) -> bool:
        """Whether the counts alone, which cost nothing to look at, show a fault."""
        return Health(len(self._rows), self._failed, self._abstained, None, None, None).faults(plan) != []

    def health(self) -> Health:
        """Counts and times of the window."""
        rows, whole = len(self._rows), len(self._rows) == self._rows.maxlen
        if not whole:
            return Health(rows, self._failed, self._abstained, None, None, None)
        times = np.array([(row.processor_ns, row.other_ns) for row in self._rows if row.processor_ns and row.other_ns])
        if len(times) < max(rows // 2, 2):
            return Health(rows, self._failed, self._abstained, None, None, None)
        own, other = (float(q) for q in np.quantile(times, 0.99, axis=0))
        halves = [np.quantile(half, 0.99, axis=0) for half in np.array_split(times, 2)]
        ratio = min(float(mine / theirs) for mine, theirs in halves)
        return Health(rows, self._failed, self._abstained, own, other, ratio)
