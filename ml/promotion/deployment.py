"""From evidence to a decision in force.

Here: asking every gate, the content of the record, and putting it into force.
Not here: the gates' bars (`ml.evaluation.gates`), the order of commits (`ml.promotion.registry`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from time import time_ns
from typing import Any

import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot
from ml.evaluation import gates, holdout, latency, returns, verdict
from ml.evaluation.backtest_report import BacktestReport
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.gates import Gate
from ml.learning import experiment as experiments
from ml.learning import lineage, metrics, walk_forward
from ml.learning.candidate import Candidate
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, SEALED_SHARE, PanelRecord
from ml.learning.experiment import Experiment
from ml.learning.models.trained import TrainedModel, load
from ml.learning.tuned import Tuned
from ml.plotting import money as pictures
from ml.plotting import plots
from ml.promotion import life
from ml.promotion.registry import BY_HAND, Registry
from ml.promotion.rivals import rival_of
from ml.storage.commit import Entry, manifest, sha256_file
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
    backtest: BacktestReport

    @property
    def experiment(self) -> Experiment:
        """What the panel was made for."""
        return self.panel.experiment


def decide(
    root: DataRoot, configuration: Config, registry: Registry, evidence: Evidence, asked: str = BY_HAND
) -> dict[str, Any]:
    """Ask every gate, put the decision on the experiment's model into force, and return its record.

    The first model that gates pass is promoted, a later one challenges the champion.

    Args:
        root: the data root.
        configuration: instruments.
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
    panel_entry, predictions = (_stored(root, table, experiment) for table in ("dataset_panel", "fold_predictions"))
    model = load(root.model(candidate.model_id)) if candidate.model_id else None
    answers = _data_gates(root, evidence, panel_entry)
    judged = _model_gates(root, configuration, registry, evidence, model, predictions) if model else None
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
        "split": {
            "first_share": FIRST_SHARE,
            "n_splits": N_SPLITS,
            "sealed_share": SEALED_SHARE,
            "embargo_ns": walk_forward.embargo_ns(experiment),
        },
        "label_spec": asdict(evidence.panel.label_spec) if evidence.panel.label_spec else {},
        "experiment": experiments.as_dict(experiment),
        "feature_set": {"name": features.name, "hash": features.hash},
        "code_version": features.code_version,
        "trials": evidence.tuned.n_trials if evidence.tuned else 0,
        "overfitting": returns.search_overfitting(evidence.tuned.trials) if evidence.tuned else None,
        "lineage_trials": lineage.trials(root, evidence.panel, evidence.tuned) if evidence.tuned else 0,
        "baseline": evidence.tuned.baseline if evidence.tuned else None,
        "predictions_sha256": predictions.sha256,
        "backtest_sha256": _digest(asdict(evidence.backtest)),
        "canaries": [asdict(canary) for canary in evidence.canaries],
        "parity": asdict(evidence.parity),
        "gates": gates.as_dicts(answers),
    }
    content["evidence"] = _evidence_key(content)
    known = registry.decided(content["evidence"])
    if known is not None:
        return known
    return registry.commit(content, _log(root, registry, evidence, content) if evidence.tuned and model else None)


def _data_gates(root: DataRoot, evidence: Evidence, panel: Entry) -> list[Gate]:
    instruments = [source.instrument for source in evidence.panel.sources]
    spacing = evidence.experiment.row_spacing
    of_panel = [
        gates.coverage(evidence.panel.label_coverage, panel.sha256),
        gates.rows(panel.rows, instruments, evidence.panel.never_complete, panel.sha256, spacing),
    ]
    fault = _fault(root, panel)
    return [
        *(gates.without_input(of_panel, fault) if fault else of_panel),
        gates.canaries(evidence.canaries, _digest([asdict(canary) for canary in evidence.canaries])),
        gates.parity(evidence.parity, _digest(asdict(evidence.parity))),
    ]


def _model_gates(
    root: DataRoot,
    configuration: Config,
    registry: Registry,
    evidence: Evidence,
    model: TrainedModel,
    predictions: Entry,
) -> list[Gate]:
    instrument_id, samples = verdict.serving_samples(root, evidence.panel.sources)
    measured = latency.measure(model, samples, configuration.instrument(instrument_id))
    differing = _reload_differences(root, evidence.experiment, model)
    judged = _gates_on_predictions(root, registry, evidence, model, predictions)
    fault = _fault(root, predictions)
    return [
        *(gates.without_input(judged, fault) if fault else judged),
        gates.latency(measured.processor_ms, measured.wall_ms, model.id),
        gates.reload(differing, model.id),
    ]


def _gates_on_predictions(
    root: DataRoot, registry: Registry, evidence: Evidence, model: TrainedModel, predictions: Entry
) -> list[Gate]:
    experiment, source = evidence.experiment, predictions.sha256
    tuned = evidence.tuned
    assert tuned  # noqa: S101 - a candidate was tuned
    test, sealed = (evidence.predictions.filter(pl.col("part") == part) for part in ("test", "sealed"))
    rival, rows = rival_of(root, registry, experiment, tuned, test)
    rows = walk_forward.with_regime(rows, Stored(root.whole("dataset_panel", experiment.name)))
    unsealed = holdout.unseal(root, experiment.name, sealed, source, model.id, time_ns())
    others, fresh = rival_of(root, registry, experiment, tuned, unsealed.rows)
    return [
        gates.improvement(rows, rival, registry.champion() is None, experiment, source),
        gates.holdout(replace(unsealed, rows=fresh), others.predicted, experiment, source),
        gates.train_gap(evidence.predictions, experiment, source),
        gates.calibration(rows, rival, experiment, source),
        gates.sharpe(evidence.backtest, lineage.trials(root, evidence.panel, tuned), source),
        gates.slices(rows, rival, experiment, source),
    ]


def _fault(root: DataRoot, entry: Entry) -> str | None:
    """Why the file of a gate's input is not the one on record; None where it is."""
    path = root.root / entry.path
    if not path.exists():
        return f"{entry.path} is missing: materialize its asset again"
    found = sha256_file(path)
    if found != entry.sha256:
        return f"{entry.path} is {found[:16]}, not {entry.sha256[:16]} as on record: materialize its asset again"
    return None


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
    means = {name: scores[name].mean() for name in scores.columns if name not in ("fold", "rows")}
    values |= {f"mean_{name}": float(mean) for name, mean in means.items() if isinstance(mean, float)}
    for figure in evidence.backtest.figures:
        bounds = {"": figure.value, " lower": figure.lower, " upper": figure.upper}
        values |= {f"{figure.name}{suffix}": value for suffix, value in bounds.items() if value is not None}
    assert evidence.tuned  # noqa: S101 - a candidate was tuned
    params = evidence.tuned.options | {"model": evidence.tuned.model, "trials": evidence.tuned.n_trials}
    tags = {
        "model_id": model_id,
        "dataset_id": content["dataset_id"],
        "experiment": evidence.experiment.name,
        "feature_set_hash": evidence.experiment.feature_set.hash,
        "decision": content["decision"],
    }
    drawn = {"folds.png": plots.folds(scores), "reliability.png": plots.reliability(bins)}
    drawn |= {f"{name}.png": png for name, png in pictures.of_backtest(evidence.backtest).items()}
    return registry.log_run(root.model(model_id), params, values, tags, drawn)


def _evidence_key(content: dict[str, Any]) -> str:
    """What makes two decisions the same: everything but measured times and the gates' answers that follow."""
    return _digest({name: content[name] for name in SAME})


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
