"""Leak canaries, and parity of the live path with every stored row.

Walk-forward scores belong to `assets.training`.
"""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg
import polars as pl

from assets.metadata import picture, table
from assets.partitions import experiments
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LEARNING, code_version
from ml.evaluation.findings import Canary, ParityReport
from ml.learning.dataset import PanelRecord
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=experiments,
    group_name="validation",
    kinds={"json"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def canary_report(
    dataset_panel: Stored, data_root: dg.ResourceParam[DataRoot], listed: dg.ResourceParam[Config]
) -> dg.MaterializeResult[list[Canary]]:
    """Leak canaries: truncation, future scramble, planted leak, null market."""
    from ml.evaluation.verdict import run_canaries

    report = run_canaries(data_root, listed, PanelRecord.of(dataset_panel).sources)
    shown = table(pl.DataFrame([asdict(canary) for canary in report]))
    return dg.MaterializeResult(value=report, metadata={"canaries": shown})


@dg.asset(
    partitions_def=experiments,
    group_name="validation",
    kinds={"json"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
    check_specs=[dg.AssetCheckSpec("parity", asset="parity_report", description="Batch = live in every row.")],
)
def parity_report(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    data_root: dg.ResourceParam[DataRoot],
    listed: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[ParityReport] | dg.AssetCheckResult]:
    """Every stored feature row against the row that the live path gives for the same frames, bit for bit.

    The live path is stopped repeatedly, and goes on from its checkpoint.
    """
    from ml.evaluation.verdict import run_parity
    from ml.plotting import plots

    report = run_parity(data_root, listed, PanelRecord.of(dataset_panel).sources)
    equal = report.rows - report.mismatches
    fates = plots.fates({"compared": report.rows, "equal": equal, "different": report.mismatches})
    drawn = picture(data_root, "parity_report", context.partition_key, fates)
    yield dg.MaterializeResult(value=report, metadata=asdict(report) | {"rows by verdict": drawn})
    yield dg.AssetCheckResult(check_name="parity", passed=report.mismatches == 0, metadata=asdict(report))
