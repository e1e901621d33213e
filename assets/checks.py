"""Table rules and leak canaries as Dagster asset checks, computed inside the asset.

A separate check on a partitioned asset would load every partition. The rules belong to the tables, the canaries to
`ml.evaluation.canaries`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from assets.metadata import table as shown
from ml.catalog.tables import RULES
from ml.features.sets import OF_SAMPLES
from ml.tables.rules import Verdict, evaluate

if TYPE_CHECKING:
    from ml.evaluation.canaries.model import Canary


CANARIES = {
    "truncation": "At 200 random times, the candles up to that time give the same row as all candles.",
    "future_scramble": "Later data does not change earlier rows.",
    "planted_leak": "A planted leak is caught.",
}


def canary_specs(table: str, canaries: Mapping[str, str] = CANARIES) -> list[dg.AssetCheckSpec]:
    """Check specs of leak canaries, with what each says; each is blocking."""
    return [
        dg.AssetCheckSpec(f"canary_{name}", asset=table, description=text, blocking=True)
        for name, text in canaries.items()
    ]


def canary_results(table: str, canaries: "Iterable[Canary]") -> Iterator[dg.AssetCheckResult]:
    """Check results of leak canaries."""
    for canary in canaries:
        yield dg.AssetCheckResult(
            check_name=f"canary_{canary.name}",
            asset_key=table,
            passed=canary.passed,
            metadata={"found": float(canary.value), "limit": float(canary.limit), "of": canary.detail},
        )


def rule_specs(table: str) -> list[dg.AssetCheckSpec]:
    """Check specs of a table's rules."""
    return [
        dg.AssetCheckSpec(rule.name, asset=table, description=rule.description, blocking=rule.blocking)
        for rule in RULES[table]
    ]


def rule_results(table: str, frame: pl.DataFrame) -> Iterator[dg.AssetCheckResult]:
    """Check results of a table's rules on a frame."""
    return verdict_results(table, evaluate(frame, RULES[table]))


def verdict_results(table: str, verdicts: Iterable[Verdict]) -> Iterator[dg.AssetCheckResult]:
    """Check results of a table's rules."""
    for verdict in verdicts:
        yield dg.AssetCheckResult(
            check_name=verdict.rule.name,
            asset_key=table,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.ERROR if verdict.rule.blocking else dg.AssetCheckSeverity.WARN,
            metadata={"rows in violation": verdict.broken, "rows": verdict.rows},
        )


def leak_specs(table: str) -> list[dg.AssetCheckSpec]:
    """Check specs of the leak canaries, one per feature set."""
    said = "No value of {} depends on the future or on data before its declared look-back; a planted leak is caught."
    return [
        dg.AssetCheckSpec(f"no_leak_{name}", asset=table, description=said.format(name), blocking=True)
        for name in OF_SAMPLES
    ]


def leak_results(table: str, found: "dict[str, list[Canary]]") -> Iterator[dg.AssetCheckResult]:
    """Check results of the canaries of each feature set."""
    for name, canaries in found.items():
        yield dg.AssetCheckResult(
            check_name=f"no_leak_{name}",
            asset_key=table,
            passed=all(canary.passed for canary in canaries),
            metadata={"canaries": shown(pl.DataFrame([vars(canary) for canary in canaries]))},
        )
