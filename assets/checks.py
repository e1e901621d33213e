"""Rules of a table as Dagster asset checks, made inside the asset that makes the table.

Here: the two lines between a rule and a check.
Not here: the rules (`ml.table_rules`). A separate check on a partitioned asset would load every partition.
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from ml.rules import evaluate
from ml.table_rules import RULES


def rule_specs(table: str) -> list[dg.AssetCheckSpec]:
    """Check specs of a table's rules."""
    return [
        dg.AssetCheckSpec(rule.name, asset=table, description=rule.description, blocking=rule.blocking)
        for rule in RULES[table]
    ]


def rule_results(table: str, frame: pl.DataFrame) -> Iterator[dg.AssetCheckResult]:
    """Check results of a table's rules on a frame."""
    for verdict in evaluate(frame, RULES[table]):
        yield dg.AssetCheckResult(
            check_name=verdict.rule.name,
            asset_key=table,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.ERROR if verdict.rule.blocking else dg.AssetCheckSeverity.WARN,
            metadata={"rows that break it": verdict.broken, "rows": verdict.rows},
        )
