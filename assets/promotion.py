"""The promotion decision and its evidence, the last asset of the graph.

Gates belong to `ml.evaluation.gates`, the order in which a decision takes effect to `ml.promotion.registry`.
"""

from typing import Any

import dagster as dg
import polars as pl

from assets.metadata import asked_by, table
from assets.partitions import experiments
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LEARNING, code_version
from ml.evaluation.backtest_report import BacktestReport
from ml.evaluation.findings import Canary, ParityReport
from ml.learning.candidate import Candidate
from ml.learning.tuned import Tuned
from ml.promotion.registry import Registry
from ml.storage.parquet import Stored


@dg.asset(
    partitions_def=experiments,
    group_name="promotion",
    kinds={"mlflow", "json"},
    io_manager_key="json",
    owners=["team:research"],
    code_version=code_version(LEARNING),
)
def promotion_decision(
    context: dg.AssetExecutionContext,
    dataset_panel: Stored,
    tuned_params: Tuned | None,
    fold_predictions: pl.LazyFrame,
    candidate_model: Candidate,
    canary_report: list[Canary],
    parity_report: ParityReport,
    backtest_report: BacktestReport,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
    registry: dg.ResourceParam[Registry],
) -> dg.MaterializeResult[dict[str, Any]]:
    """Promote, refuse or insufficient, with every gate's number; an immutable, hash-chained record."""
    from ml.learning.dataset import PanelRecord
    from ml.promotion.deployment import Evidence, decide

    evidence = Evidence(
        PanelRecord.of(dataset_panel),
        tuned_params,
        fold_predictions.collect(),
        candidate_model,
        canary_report,
        parity_report,
        backtest_report,
    )
    record = decide(data_root, configuration, registry, evidence, asked_by(context))
    gates = pl.DataFrame(record["gates"]).select("name", "outcome", "value", "threshold", "required", "detail")
    return dg.MaterializeResult(
        value=record, metadata={"decision": record["decision"], "gates": table(gates), "record": record["hash"]}
    )
