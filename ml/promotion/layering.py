"""From evidence to a decision in force on the model of layering cues.

Here: training the candidate, asking every gate, the content of the record, and putting it into force.
Not here: the gates (`ml.layering.gates`), the order of commits (`ml.promotion.registry`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError
from ml.core.paths import LAYERING_MODEL, DataRoot
from ml.core.versions import LAYERING, code_version
from ml.evaluation import gates as verdicts
from ml.evaluation.findings import Canary
from ml.evaluation.gates import Gate
from ml.layering import gates
from ml.layering.adaptive import (
    EMBARGO_NS,
    FIRST_SHARE,
    N_SPLITS,
    AdaptiveModel,
    CueRows,
    fit,
    labelled,
    load,
    missing,
)
from ml.layering.features import NAMES
from ml.layering.gates import Rival
from ml.layering.tables import DATASET, PREDICTIONS
from ml.layering.walk_forward import reliability, summary
from ml.learning.candidate import Candidate
from ml.plotting import cues as plots
from ml.promotion.registry import Registry
from ml.storage.commit import Entry, manifest

SAME = ("candidate", "dataset_sha256", "predictions_sha256", "split", "plan", "code_version")


@dataclass(frozen=True)
class CueEvidence:
    """What a decision rests on: the data set, predictions of cues after all training, and the candidate."""

    dataset: pl.DataFrame
    predictions: pl.DataFrame
    candidate: Candidate


def train(root: DataRoot, dataset: pl.DataFrame, weak: bool) -> Candidate:
    """Train and store the candidate on the labelled rows of the stored data set; without an id if they are too few.

    Args:
        root: where the data set is stored and models go.
        dataset: the stored data set.
        weak: whether cues that the price alone labels are trained on too; no test ever holds them.
    """
    rows = labelled(dataset, weak)
    identity = stored(root, DATASET.name).sha256
    if missing(rows):
        return Candidate(None, identity)
    best = next(iter(fit(CueRows.of(rows)).values()))
    model = AdaptiveModel.of(best, rows, identity)
    model.save(root.model(model.id))
    return Candidate(model.id, identity)


def decide(root: DataRoot, configuration: Config, registry: Registry, evidence: CueEvidence) -> dict[str, Any]:
    """Ask every gate, put the decision on the model of cues into force, and return its record.

    Raises:
        DatasetError: the candidate was trained on another data set.
        RegistryError: the champion changed while the gates were asked.
    """
    registry = registry.of(LAYERING_MODEL)
    registry.reconcile()
    data, predictions = stored(root, DATASET.name), stored(root, PREDICTIONS.name)
    candidate = evidence.candidate
    if candidate.dataset_id != data.sha256:
        raise DatasetError(
            f"The candidate was trained on data set {candidate.dataset_id[:16]}, but {data.sha256[:16]} is stored. "
            "Materialize layering_model and layering_predictions again."
        )
    rows = labelled(evidence.dataset)
    model = load(root.model(candidate.model_id)) if candidate.model_id else None
    found = gates.canaries(rows) if model else []
    asked = [gates.labels(evidence.dataset, data.sha256)]
    asked += (
        _model_gates(registry, evidence, model, found, predictions.sha256, configuration.layering.budget)
        if model
        else gates.no_model(data.sha256)
    )
    content: dict[str, Any] = {
        "decision": verdicts.decide(asked),
        "candidate": candidate.model_id,
        "champion_before": registry.champion(),
        "approver": "gates",
        "dataset_sha256": data.sha256,
        "predictions_sha256": predictions.sha256,
        "split": {"first_share": FIRST_SHARE, "n_splits": N_SPLITS, "embargo_ns": EMBARGO_NS},
        "plan": asdict(configuration.layering),
        "code_version": code_version(LAYERING),
        "scores": summary(evidence.predictions) if model else {},
        "importance": dict(top(model.card.importance)) if model else {},
        "canaries": [asdict(canary) for canary in found],
        "gates": verdicts.as_dicts(asked),
    }
    content["evidence"] = _digest({name: content[name] for name in SAME})
    known = registry.decided(content["evidence"])
    if known is not None:
        return known
    return registry.commit(content, _log(root, registry, evidence.predictions, content, model) if model else None)


def stored(root: DataRoot, table: str) -> Entry:
    """The manifest's entry of a table without partitions."""
    return manifest(root, table)[str(root.whole(table).relative_to(root.root))]


def top(importance: Mapping[str, float], count: int = 10) -> list[tuple[str, float]]:
    """The features that count most, the largest first."""
    return sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:count]


def _model_gates(
    registry: Registry,
    evidence: CueEvidence,
    model: AdaptiveModel,
    found: list[Canary],
    source: str,
    allowed: float,
) -> list[Gate]:
    test = evidence.predictions
    champion = registry.champion()
    first = champion is None
    asked = [
        gates.ranking(test, Rival("detector", test["score"].to_numpy()), first, source),
        gates.ranking(test, Rival("legacy_rule", test["legacy_score"].to_numpy()), first, source),
    ]
    if champion is not None and champion != model.id:
        asked.append(_against_champion(registry.load(), evidence, source))
    values = evidence.dataset.select(NAMES).to_numpy().astype(np.float64)
    differing = gates.reload_differences(model, values)
    return [
        *asked,
        gates.false_alarms(test, allowed, source),
        gates.brier(test, source),
        gates.reload(differing, model.id),
        verdicts.canaries(found, _digest([asdict(canary) for canary in found])),
    ]


def _against_champion(champion: AdaptiveModel, evidence: CueEvidence, source: str) -> Gate:
    """The same test cues, those after all that the champion was trained on."""
    test = evidence.predictions.filter(pl.col("ts") > champion.card.trained_until)
    values = test.select("id").join(evidence.dataset, on="id", how="left", maintain_order="left").select(NAMES)
    p = champion.probabilities(values.to_numpy().astype(np.float64)) if test.height else np.zeros(0)
    return gates.ranking(test, Rival("champion", p), False, source)


def _log(
    root: DataRoot, registry: Registry, predictions: pl.DataFrame, content: dict[str, Any], model: AdaptiveModel
) -> str:
    """The MLflow run of the candidate."""
    values = {gate["name"]: gate["value"] for gate in content["gates"] if gate["value"] is not None}
    values |= {
        f"{kind}_{name}": value
        for kind, scores in content["scores"].items()
        for name, value in scores.items()
        if isinstance(value, float)
    }
    card = model.card
    params = {"family": card.family, "threshold": card.threshold, "rows": card.rows, "positives": card.positives}
    tags = {"model_id": model.id, "dataset_id": card.dataset_id[:16], "decision": content["decision"]}
    label = predictions["label"].to_numpy().astype(np.int64)
    p = predictions["probability"].to_numpy()
    pictures = {
        "precision_recall.png": plots.precision_recall(predictions),
        "reliability.png": plots.reliability(reliability(label, p)),
    }
    return registry.log_run(root.model(model.id), params, values, tags, pictures)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
