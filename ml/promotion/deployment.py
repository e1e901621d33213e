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
from ml.core.errors import DatasetError, RegistryError
from ml.core.paths import DataRoot
from ml.evaluation import gates, latency, verdict
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.gates import Gate, Rival
from ml.learning import experiment as experiments
from ml.learning import metrics, walk_forward
from ml.learning.candidate import Candidate
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, PanelRecord
from ml.learning.experiment import Experiment
from ml.learning.models.trained import TrainedModel, load
from ml.learning.tuned import Tuned
from ml.plotting import plots
from ml.promotion import life
from ml.promotion.registry import BY_HAND, Registry
from ml.storage.commit import Entry, manifest
from ml.storage.parquet import Stored

SAME = (
    "candidate",
    "dataset_id",
    "split",
    "label_spec",
    "experiment",
    "feature_set",
    "code_version",
    "baseline",
    "predictions_sha256",
    "canaries",
    "parity",
)


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on: the outputs of the steps before it."""

    panel: PanelRecord
    tuned: Tuned | None
    predictions: pl.DataFrame
    candidate: Candidate
    canaries: list[Canary]
    parity: ParityReport

    @property
    def experiment(self) -> Experiment:
        """What the panel was made for."""
        return self.panel.experiment


def decide(
    root: DataRoot, listed: Config, registry: Registry, evidence: Evidence, asked: str = BY_HAND
) -> dict[str, Any]:
    """Ask every gate, put the decision on the experiment's model into force, and return its record.

    The first model that gates pass is promoted, a later one challenges the champion.

    Args:
        root: the data root.
        listed: instruments.
        registry: of any name.
        evidence: the outputs of the steps before.
        asked: who, or what, asked for the decision.

    Raises:
        DatasetError: the candidate was trained on another panel.
        RegistryError: the champion changed while the gates were asked, or was trained for another definition.
    """
    candidate = evidence.candidate
    if candidate.dataset_id != evidence.panel.dataset_id:
        raise DatasetError(
            f"The candidate was trained on dataset {candidate.dataset_id}, but the panel is of dataset "
            f"{evidence.panel.dataset_id}. Materialize the candidate again, and what comes between."
        )
    experiment = evidence.experiment
    features = experiment.feature_set
    registry = registry.of(experiment.name)
    registry.reconcile()
    champion = registry.champion()
    panel_entry = _stored(root, "dataset_panel", experiment)
    model = load(root.model(candidate.model_id)) if candidate.model_id else None
    answers = _data_gates(evidence, panel_entry.rows, panel_entry.sha256)
    judged = _model_gates(root, listed, registry, evidence, model) if model else None
    answers += judged or gates.no_candidate(panel_entry.sha256)
    found = registry.life()
    decision, why = life.after_gates(gates.decide(answers), candidate.model_id, found)
    content = {
        "decision": decision,
        "reason": why,
        "waits_for": found.challenger if why and decision == "insufficient" else None,
        "candidate": candidate.model_id,
        "champion_before": champion,
        "approver": "gates",
        "asked": asked,
        "dataset_id": evidence.panel.dataset_id,
        "split": {"first_share": FIRST_SHARE, "n_splits": N_SPLITS, "embargo_ns": walk_forward.embargo_ns(experiment)},
        "label_spec": asdict(evidence.panel.label_spec) if evidence.panel.label_spec else {},
        "experiment": experiments.as_dict(experiment),
        "feature_set": {"name": features.name, "hash": features.hash},
        "code_version": features.code_version,
        "trials": evidence.tuned.n_trials if evidence.tuned else 0,
        "baseline": evidence.tuned.baseline if evidence.tuned else None,
        "predictions_sha256": _stored(root, "fold_predictions", experiment).sha256,
        "canaries": [asdict(canary) for canary in evidence.canaries],
        "parity": asdict(evidence.parity),
        "gates": gates.as_dicts(answers),
    }
    content["evidence"] = _evidence_key(content)
    known = registry.decided(content["evidence"])
    if known is not None:
        return known
    return registry.commit(content, _log(root, registry, evidence, content) if evidence.tuned and model else None)


def _data_gates(evidence: Evidence, count: int, source: str) -> list[Gate]:
    instruments = [source.instrument for source in evidence.panel.sources]
    return [
        gates.coverage(evidence.panel.label_coverage, source),
        gates.rows(count, instruments, evidence.panel.never_complete, source, evidence.experiment.row_spacing),
        gates.canaries(evidence.canaries, _digest([asdict(canary) for canary in evidence.canaries])),
        gates.parity(evidence.parity, _digest(asdict(evidence.parity))),
    ]


def _model_gates(
    root: DataRoot, listed: Config, registry: Registry, evidence: Evidence, model: TrainedModel
) -> list[Gate]:
    experiment = evidence.experiment
    source = _stored(root, "fold_predictions", experiment).sha256
    test = evidence.predictions.filter(pl.col("part") == "test")
    champion = registry.champion()
    rival, rows = _rival(root, registry, experiment, test) if champion else (_baseline(evidence, test), test)
    instrument_id, samples = verdict.serving_samples(root, evidence.panel.sources)
    measured = latency.measure(model, samples, listed.instrument(instrument_id))
    differing = _reload_differences(root, experiment, model)
    return [
        gates.improvement(rows, rival, champion is None, experiment, source),
        gates.train_gap(evidence.predictions, source),
        gates.calibration(rows, rival, source),
        gates.latency(measured.processor_ms, measured.wall_ms, model.id),
        gates.reload(differing, model.id),
        gates.sharpe(test, source),
        gates.slices(rows, rival, experiment, source),
    ]


def _baseline(evidence: Evidence, test: pl.DataFrame) -> Rival:
    """For the first model ever: the best of three baselines, chosen on validation rows inside the first block."""
    assert evidence.tuned  # noqa: S101 - a candidate was tuned
    name = evidence.tuned.baseline
    return Rival(name, test[name].to_numpy())


def _rival(
    root: DataRoot, registry: Registry, experiment: Experiment, test: pl.DataFrame
) -> tuple[Rival, pl.DataFrame]:
    """The champion's answers on the test rows that lie after all it was trained on."""
    champion = registry.load()
    card = champion.card
    if (card.feature_set_hash, card.horizon) != (experiment.feature_set.hash, experiment.horizon):
        raise RegistryError(
            f"The champion of {experiment.name} was trained on {card.feature_set} {card.feature_set_hash} at "
            f"{card.horizon} s, the candidate on {experiment.features} {experiment.feature_set.hash} at "
            f"{experiment.horizon} s: they cannot be compared. Name the changed experiment otherwise in lobforge.toml."
        )
    rows = test.filter(pl.col("ts") >= card.trained_until)
    p = np.zeros((rows.height, 3))
    wanted = rows.select("instrument", "ts").with_row_index("at")
    panel = Stored(root.whole("dataset_panel", experiment.name))
    for part in panel.parts("instrument", "ts", *card.features):
        found = part.join(wanted, on=["instrument", "ts"])
        if found.height:
            p[found["at"].to_numpy()] = champion.probabilities(found.select(card.features).to_numpy())
    error = metrics.calibration_error(rows["direction"].to_numpy(), p) if rows.height else None
    return Rival(f"champion {registry.champion()}", champion.directions(p), error), rows


def _reload_differences(root: DataRoot, experiment: Experiment, model: TrainedModel) -> int:
    """Panel rows on which the candidate, written and read back once more, predicts otherwise."""
    panel = Stored(root.whole("dataset_panel", experiment.name))
    last = [panel.group(number, *model.card.features) for number in range(max(panel.groups - 2, 0), panel.groups)]
    rows = pl.concat(last).tail(1_000).to_numpy()
    copy = root.staging / f"reload-{model.id}"
    model.save(copy)
    again = load(copy)
    for path in copy.iterdir():
        path.unlink()
    copy.rmdir()
    return int((model.probabilities(rows) != again.probabilities(rows)).any(axis=1).sum())


def _stored(root: DataRoot, table: str, experiment: Experiment) -> Entry:
    return manifest(root, table)[str(root.whole(table, experiment.name).relative_to(root.root))]


def _log(root: DataRoot, registry: Registry, evidence: Evidence, content: dict[str, Any]) -> str:
    """The MLflow run of the candidate."""
    model_id = content["candidate"]
    scores = walk_forward.fold_scores(evidence.predictions)
    test = evidence.predictions.filter(pl.col("part") == "test")
    bins = metrics.reliability(test["direction"].to_numpy(), walk_forward.probabilities(test))
    values = {gate["name"]: gate["value"] for gate in content["gates"] if gate["value"] is not None}
    values |= {f"mean_{name}": float(scores[name].mean()) for name in scores.columns if name not in ("fold", "rows")}  # type: ignore[arg-type]
    assert evidence.tuned  # noqa: S101 - a candidate was tuned
    params = evidence.tuned.options | {"model": evidence.tuned.model, "trials": evidence.tuned.n_trials}
    tags = {
        "model_id": model_id,
        "dataset_id": content["dataset_id"],
        "experiment": evidence.experiment.name,
        "feature_set_hash": evidence.experiment.feature_set.hash,
        "decision": content["decision"],
    }
    pictures = {"folds.png": plots.folds(scores), "reliability.png": plots.reliability(bins)}
    return registry.log_run(root.model(model_id), params, values, tags, pictures)


def _evidence_key(content: dict[str, Any]) -> str:
    """What makes two decisions the same: everything but measured times and the gates' answers that follow."""
    return _digest({name: content[name] for name in SAME})


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
