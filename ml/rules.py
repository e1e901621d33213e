"""What a table's values must satisfy.

Here: the rule and its evaluation on a frame.
Not here: the rules themselves (`ml.table_rules`), their Dagster face (`assets.checks`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Rule:
    """One statement about a frame.

    Args:
        name: snake_case name, shown in the UI.
        violations: an expression that is true in each row that breaks the rule, or a function frame -> count.
        blocking: whether what depends on the table must not run when the rule is broken.
        description: the statement, in one sentence.
        tolerated: share of rows, 0 to 1, that may break the rule.
    """

    name: str
    violations: pl.Expr | Callable[[pl.DataFrame], int]
    blocking: bool
    description: str
    tolerated: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """A rule's answer: how many rows broke it, out of how many."""

    rule: Rule
    broken: int
    rows: int

    @property
    def passed(self) -> bool:
        """Whether no more rows than tolerated broke the rule."""
        return self.broken <= self.rule.tolerated * self.rows


def evaluate(frame: pl.DataFrame, rules: Sequence[Rule]) -> list[Verdict]:
    """Count for each rule the rows that break it; one pass over the frame for all expressions."""
    expressions = {r.name: r.violations for r in rules if isinstance(r.violations, pl.Expr)}
    counts = (
        frame.select(**{name: expr.cast(pl.Boolean).sum() for name, expr in expressions.items()})
        if expressions
        else frame
    )
    return [
        Verdict(
            r, int(counts[r.name][0] or 0) if isinstance(r.violations, pl.Expr) else r.violations(frame), frame.height
        )
        for r in rules
    ]
