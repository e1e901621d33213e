"""From evidence to a decision in force.

Here: asking every gate, the content of the record, and putting it into force.
Not here: the gates' bars (`ml.evaluation.gates`), the order of commits (`ml.promotion.registry`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot
from ml.evaluation import gates, latency, verdict
from ml.evaluation.canaries.model import Canary
from ml.evaluation.gates import Gate, Rival
from ml.features.sets import BASE
from ml.learning import metrics, walk_forward
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, PanelRecord
from ml.learning.models.lightgbm import DirectionModel, load
from ml.learning.training_features import PRIMARY
from ml.plotting import plots
from ml.promotion.registry import Registry
from ml.storage.commit import manifest, read

SAME = (
    "candidate",
    "dataset_id",
    "split",
    "label_spec",
    "feature_set",
    "code_version",
    "baseline",
    "predictions_sha256",
    "canaries",
    "parity",
)


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on: the outputs of the steps before it; `trained_on` is the candidate's dataset id."""

    panel: PanelRecord
    tuned: dict[str, Any]
    predictions: pl.DataFrame
    model_id: str | None
    trained_on: str
    canaries: list[dict[str, Any]]
    parity: dict[str, Any]


def decide(root: DataRoot, listed: Config, registry: Registry, evidence: Evidence) -> dict[str, Any]:
    """Ask every gate, put the decision into force, and return its record.

    Raises:
        DatasetError: the candidate was trained on another panel.
        RegistryError: the champion changed while the gates were asked.
    """
    if evidence.trained_on != evidence.panel.dataset_id:
        raise DatasetError(
            f"The candidate was trained on dataset {evidence.trained_on}, but the panel is of dataset "
            f"{evidence.panel.dataset_id}. Materialize the candidate again, and what comes between."
        )
    registry.reconcile()
    champion = registry.champion()
    panel_entry = manifest(root, "dataset_panel")[str(root.whole("dataset_panel").relative_to(root.root))]
    model = load(root.model(evidence.model_id)) if evidence.model_id else None
    asked = _data_gates(evidence, panel_entry.rows, panel_entry.sha256)
    judged = _model_gates(root, listed, registry, evidence, model) if model else None
    asked += judged or gates.no_candidate(panel_entry.sha256)
    content = {
        "decision": gates.decide(asked),
        "candidate": evidence.model_id,
        "champion_before": champion,
        "approver": "gates",
        "dataset_id": evidence.panel.dataset_id,
        "split": {"first_share": FIRST_SHARE, "n_splits": N_SPLITS, "embargo_ns": walk_forward.EMBARGO_NS},
        "label_spec": asdict(evidence.panel.label_spec) if evidence.panel.label_spec else {},
        "feature_set": {"name": BASE.name, "hash": BASE.hash},
        "code_version": BASE.code_version,
        "trials": evidence.tuned.get("n_trials", 0),
        "baseline": evidence.tuned.get("baseline"),
        "predictions_sha256": _predictions_sha256(root),
        "canaries": evidence.canaries,
        "parity": evidence.parity,
        "gates": gates.as_dicts(asked),
    }
    content["evidence"] = _evidence_key(content)
    known = registry.decided(content["evidence"])
    if known is not None:
        return known
    return registry.commit(content, _log(root, registry, evidence, content) if model else None)


def _data_gates(evidence: Evidence, count: int, source: str) -> list[Gate]:
    instruments = [source.instrument for source in evidence.panel.sources]
    return [
        gates.coverage(evidence.panel.label_coverage, source),
        gates.rows(count, instruments, evidence.panel.never_complete, source),
        gates.canaries([Canary(**canary) for canary in evidence.canaries], _digest(evidence.canaries)),
        gates.parity(
            {name: evidence.parity[name] for name in ("rows", "rows_with_values", "mismatches")},
            _digest(evidence.parity),
        ),
    ]


def _model_gates(
    root: DataRoot, listed: Config, registry: Registry, evidence: Evidence, model: DirectionModel
) -> list[Gate]:
    source = _predictions_sha256(root)
    test = evidence.predictions.filter(pl.col("part") == "test")
    champion = registry.champion()
    rival, rows = _rival(root, registry, test) if champion else (_baseline(evidence, test), test)
    instrument_id, samples = verdict.serving_samples(root, evidence.panel.sources)
    measured = latency.measure(model, samples, listed.instrument(instrument_id))
    differing = _reload_differences(root, model)
    return [
        gates.improvement(rows, rival, champion is None, PRIMARY, source),
        gates.train_gap(evidence.predictions, source),
        gates.calibration(rows, rival, source),
        gates.latency(measured.processor_ms, measured.wall_ms, model.id),
        gates.reload(differing, model.id),
        gates.sharpe(test, source),
        gates.slices(rows, rival, PRIMARY, source),
    ]


def _baseline(evidence: Evidence, test: pl.DataFrame) -> Rival:
    """For the first model ever: the best of three baselines, chosen on validation rows inside the first block."""
    name = evidence.tuned["baseline"]
    return Rival(name, test[name].to_numpy())


def _rival(root: DataRoot, registry: Registry, test: pl.DataFrame) -> tuple[Rival, pl.DataFrame]:
    """The champion's answers on the test rows that lie after all it was trained on."""
    champion = registry.load()
    rows = test.filter(pl.col("ts") >= champion.card.trained_until)
    features = (
        read(root.whole("dataset_panel"))
        .collect()
        .join(rows.select("instrument", "ts"), on=["instrument", "ts"], how="right", maintain_order="right")
    )
    p = champion.probabilities(features.select(champion.card.features).to_numpy()) if rows.height else np.zeros((0, 3))
    error = metrics.calibration_error(rows["direction"].to_numpy(), p) if rows.height else None
    return Rival(f"champion {registry.champion()}", champion.directions(p), error), rows


def _reload_differences(root: DataRoot, model: DirectionModel) -> int:
    """Panel rows on which the candidate, written and read back once more, predicts otherwise."""
    rows = read(root.whole("dataset_panel")).collect().tail(1_000).select(model.card.features).to_numpy()
    copy = root.staging / f"reload-{model.id}"
    model.save(copy)
    again = load(copy)
    for path in copy.iterdir():
        path.unlink()
    copy.rmdir()
    return int((model.probabilities(rows) != again.probabilities(rows)).any(axis=1).sum())


def _predictions_sha256(root: DataRoot) -> str:
    return manifest(root, "fold_predictions")[str(root.whole("fold_predictions").relative_to(root.root))].sha256


def _log(root: DataRoot, registry: Registry, evidence: Evidence, content: dict[str, Any]) -> str:
    """The MLflow run of the candidate."""
    model_id = content["candidate"]
    scores = walk_forward.fold_scores(evidence.predictions)
    test = evidence.predictions.filter(pl.col("part") == "test")
    bins = metrics.reliability(test["direction"].to_numpy(), walk_forward.probabilities(test))
    values = {gate["name"]: gate["value"] for gate in content["gates"] if gate["value"] is not None}
    values |= {f"mean_{name}": float(scores[name].mean()) for name in scores.columns if name not in ("fold", "rows")}  # type: ignore[arg-type]
    params = evidence.tuned["params"] | {"rounds": evidence.tuned["rounds"], "trials": evidence.tuned["n_trials"]}
    tags = {
        "model_id": model_id,
        "dataset_id": content["dataset_id"],
        "feature_set_hash": BASE.hash,
        "decision": content["decision"],
    }
    pictures = {"folds.png": plots.folds(scores), "reliability.png": plots.reliability(bins)}
    return registry.log_run(root.model(model_id), params, values, tags, pictures)


def _evidence_key(content: dict[str, Any]) -> str:
    """What makes two decisions the same: everything but measured times and the gates' answers that follow."""
    return _digest({name: content[name] for name in SAME})


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
