"""What a table's values must satisfy.

Here: the rule, its evaluation on a frame, and rules that several tables share.
Not here: a table's own rules (in its spec), their Dagster face (`assets.checks`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ml.core.time import SECOND


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


class Judged:
    """Rules on a table that comes in parts. Each is an expression that looks at its row and at the one before it.

    Args:
        rules: the table's.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._broken = [0] * len(rules)
        self._rows = 0

    def passing(self, parts: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The same parts, counted on the way."""
        before = pl.DataFrame()
        for part in parts:
            if part.height:
                self._count(part, before)
                before = part[-1:]
            yield part

    def verdicts(self) -> list[Verdict]:
        """The verdicts on what has been counted."""
        return [Verdict(rule, n, self._rows) for rule, n in zip(self._rules, self._broken, strict=True)]

    def _count(self, part: pl.DataFrame, before: pl.DataFrame) -> None:
        found = evaluate(pl.concat([before, part]) if before.height else part, self._rules)
        known = evaluate(before, self._rules) if before.height else []
        self._rows += part.height
        for k, verdict in enumerate(found):
            self._broken[k] += verdict.broken - (known[k].broken if known else 0)


def steps_of(length: int) -> Callable[[pl.DataFrame], int]:
    """Of a table on a grid: how many rows do not follow the row before them by this many ns."""
    return lambda frame: int((frame["ts"].diff().drop_nulls() != length).sum())


def feature_rules(families: Mapping[str, Sequence[str]]) -> tuple[Rule, ...]:
    """Of a table with a row per second, whose null reasons cover these columns by family."""
    names = [name for columns in families.values() for name in columns]
    return (
        Rule("one_row_per_second", steps_of(SECOND), True, "Feature rows follow each other by exactly one second."),
        Rule(
            "finite_or_null",
            ~pl.all_horizontal(pl.col(names).is_finite().fill_null(value=True)),
            True,
            "Every feature is a finite number or null.",
        ),
        Rule(
            "reasons_given",
            pl.any_horizontal(
                pl.any_horizontal(pl.col(columns).is_null()) & (pl.col(f"null_reason_{family}") == 0)
                for family, columns in families.items()
            ),
            True,
            "Every null has a reason.",
        ),
    )


def whole_steps_of(length: int) -> Callable[[pl.DataFrame], int]:
    """Of a table on a grid that may have holes: rows off the grid, or not after the row before them."""

    def broken(frame: pl.DataFrame) -> int:
        steps = frame["ts"].diff().drop_nulls()
        return int(((steps <= 0) | (frame["ts"][1:] % length != 0)).sum())

    return broken
