"""Leak canaries, parity of the live path with every stored row, walk-forward scores, and the backtest.

The predictions that are judged belong to `assets.training`, the gates to `assets.promotion`.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import picture, table
from assets.partitions import experiments
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.settings import Settings
from ml.core.versions import LEARNING, code_version
from ml.evaluation.backtest_report import BacktestReport
from ml.evaluation.findings import Canary, ParityReport
from ml.learning.dataset import PanelRecord
from ml.learning.tuned import Tuned
from ml.learning.walk_forward import WalkForwardReport
from ml.promotion.registry import Registry
from ml.storage.parquet import Stored

_REPORT: dict[str, Any] = {
    "partitions_def": experiments,
    "group_name": "validation",
    "io_manager_key": "json",
    "code_version": code_version(LEARNING),
}


@dg.asset(kinds={"json"}, **_REPORT)
def canary_report(
    dataset_panel: Stored, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[list[Canary]]:
    """Leak canaries: truncation, future scramble, planted leak, null market."""
    from ml.evaluation.verdict import run_canaries

    report = run_canaries(data_root, configuration, PanelRecord.of(dataset_panel).sources)
    shown = table(pl.DataFrame([asdict(canary) for canary in report]))
    return dg.MaterializeResult(value=report, metadata={"canaries": shown})


@dg.asset(
    kinds={"json"},
    check_specs=[dg.AssetCheckSpec("parity", asset="parity_report", description="Batch = live in every row.")],
    **_REPORT,
)
def parity_report(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[ParityReport] | dg.AssetCheckResult]:
    """Every stored feature row against the row that the live path gives for the same frames, bit for bit.

    The live path is stopped repeatedly, and goes on from its checkpoint.
    """
    from ml.evaluation.verdict import run_parity
    from ml.plotting import plots

    report = run_parity(data_root, configuration, PanelRecord.of(dataset_panel).sources)
    equal = report.rows - report.mismatches
    fates = plots.fates({"compared": report.rows, "equal": equal, "different": report.mismatches})
    drawn = picture(data_root, "parity_report", context.partition_key, fates)
    yield dg.MaterializeResult(value=report, metadata=asdict(report) | {"rows by verdict": drawn})
    yield dg.AssetCheckResult(check_name="parity", passed=report.mismatches == 0, metadata=asdict(report))


@dg.asset(kinds={"json", "lightgbm"}, **_REPORT)
def walk_forward_report(
    dataset_panel: Stored,
    tuned_params: Tuned | None,
    fold_predictions: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult[WalkForwardReport]:
    """Scores per fold, expanding and sliding, and per slice of instrument, hour and volatility."""
    from ml.learning import walk_forward
    from ml.learning.dataset import rows_of

    rows = rows_of(dataset_panel, data_root)
    report = walk_forward.report(rows, tuned_params, fold_predictions.collect(), dataset_panel, settings.threads)
    shown = {name: table(pl.DataFrame(found)) for name, found in asdict(report).items() if found}
    return dg.MaterializeResult(value=report, metadata=shown)


@dg.asset(kinds={"json", "numpy"}, **_REPORT)
def backtest_report(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    tuned_params: Tuned | None,
    fold_predictions: pl.LazyFrame,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[BacktestReport]:
    """What trading on the predictions would have earned after fees, beside the rival: taker, maker, latency, fees."""
    from ml.plotting import money
    from ml.promotion.rivals import backtest

    experiment = PanelRecord.of(dataset_panel).experiment
    report = backtest(data_root, configuration, registry, experiment, tuned_params, fold_predictions.collect())
    drawn = money.of_backtest(report)
    shown = {name: picture(data_root, f"backtest_{name}", context.partition_key, png) for name, png in drawn.items()}
    tables = {name: table(frame) for name, frame in report.tables().items()}
    return dg.MaterializeResult(value=report, metadata=tables | shown)
