"""The model registry: runs, versions, aliases, and the order in which a decision takes effect.

The only adapter to mlflow.

Here: MLflow under the data root, and the commit order of a decision.
Not here: the decision itself (`ml.evaluation.gates`), its record (`ml.storage.decisions`), the model's files
(`ml.models`).

Order: record staged, MLflow version with its artefacts, record published, alias moved if it still stands where the
decision saw it, journal line. A kill between any two steps leaves the journal's head in force: `reconcile` moves the
alias back to it.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time_ns
from typing import Any

from filelock import FileLock

from ml.core.addresses import sqlite_url
from ml.core.errors import ModelRefused, RegistryError
from ml.core.paths import DataRoot
from ml.learning.models.lightgbm import DirectionModel, load
from ml.storage import decisions

MODEL = "direction"
CHAMPION = "champion"
CHALLENGER = "challenger"
CANDIDATE = "candidate"
EXPERIMENT = "lobforge"


class Registry:
    """The registry of one data root; creating it creates the store, once, under a lock."""

    def __init__(self, root: DataRoot) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it tells of each of its migrations
        from mlflow import MlflowClient

        self.root = root
        root.mlflow.mkdir(parents=True, exist_ok=True)
        root.decisions.mkdir(parents=True, exist_ok=True)
        self.uri = sqlite_url(root.mlflow / "mlflow.db")
        with self._lock():
            self.client = MlflowClient(self.uri, self.uri)
            experiment = self.client.get_experiment_by_name(EXPERIMENT)
            artefacts = (root.mlflow.resolve() / "artifacts").as_uri()
            self.experiment = (
                experiment.experiment_id if experiment else self.client.create_experiment(EXPERIMENT, artefacts)
            )
            if not self.client.search_registered_models(f"name = '{MODEL}'"):
                self.client.create_registered_model(MODEL)

    def log_run(
        self,
        model_folder: Path,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        plots: Mapping[str, bytes],
    ) -> str:
        """One MLflow run with the model's files and plots (file name to PNG bytes); returns the run id."""
        run = self.client.create_run(self.experiment, tags=dict(tags)).info.run_id
        for name, value in params.items():
            self.client.log_param(run, name, value)
        for name, value in metrics.items():
            self.client.log_metric(run, name, value)
        self.client.log_artifacts(run, str(model_folder), "model")
        for name, data in plots.items():
            plot = self.root.staging / name
            plot.parent.mkdir(parents=True, exist_ok=True)
            plot.write_bytes(data)
            self.client.log_artifact(run, str(plot), "plots")
            plot.unlink()
        self.client.set_terminated(run)
        return run

    def commit(self, content: Mapping[str, Any], run_id: str | None) -> dict[str, Any]:
        """Put a decision into force and return its record; the same evidence again gives the record there is.

        `content` holds at least decision, evidence, candidate (model id or None) and champion_before.

        Raises:
            RegistryError: the champion is no longer the one that the decision was made against.
        """
        with self._lock():
            known = self.decided(content["evidence"])
            if known is not None:
                return known
            head = self._head()
            if head != content["champion_before"]:
                raise RegistryError(
                    f"The champion is {head}, not {content['champion_before']} as when the gates were evaluated. "
                    "Materialize the decision again."
                )
            version = self._version(content["candidate"], run_id) if run_id else None
            record = decisions.stage(
                self.root, dict(content) | {"decided_at": time_ns(), "mlflow_version": version, "mlflow_run": run_id}
            )
            decisions.publish(self.root, record)
            if content["decision"] == "promote" and version:
                self.client.set_registered_model_alias(MODEL, CHAMPION, version)
            decisions.enter(self.root, record)
            return record

    def decided(self, evidence: str) -> dict[str, Any] | None:
        """The record of a decision on the same evidence, if no other champion came after it; else None.

        A refusal for a measured time alone does not stand: the time is measured again.
        """
        from ml.evaluation.gates import refused_for_time

        head = self._head()
        for line in reversed(decisions.journal(self.root)):
            if line.evidence == evidence and line.champion == head:
                record = decisions.read(self.root, line)
                return None if refused_for_time(record.get("gates", ())) else record
        return None

    def reconcile(self) -> str | None:
        """Make the alias agree with the journal's head; returns what was done, None if nothing was."""
        with self._lock():
            head = self._head()
            alias = self._alias_model()
            if head == alias:
                return None
            if head is None:
                self.client.delete_registered_model_alias(MODEL, CHAMPION)
                return f"alias {CHAMPION} removed: the journal has no champion"
            version = self._find_version(head)
            if version is None:
                raise RegistryError(
                    f"The journal's champion {head} has no version in MLflow. Restore mlflow.db from a backup."
                )
            self.client.set_registered_model_alias(MODEL, CHAMPION, version)
            return f"alias {CHAMPION} moved from {alias} to {head}, to match the journal"

    def champion(self) -> str | None:
        """Model id of the champion by the journal."""
        return self._head()

    def load(self, alias: str = CHAMPION) -> DirectionModel:
        """The model of an alias, from its registered files, checked against its id.

        Raises:
            ModelRefused: no model has the alias, or its files are not those that were registered.
        """
        from mlflow.exceptions import MlflowException

        try:
            version = self.client.get_model_version_by_alias(MODEL, alias)
        except MlflowException as error:
            raise ModelRefused(
                f"No model has the alias {alias}: nothing was promoted yet. Run the pipeline first."
            ) from error
        with TemporaryDirectory() as folder:  # without a folder, mlflow leaves a copy behind each time
            model = load(Path(self.client.download_artifacts(str(version.run_id), "model", folder)))
        if model.id != version.tags["model_id"]:
            raise ModelRefused(
                f"Version {version.version} holds model {model.id}, not {version.tags['model_id']} as registered. "
                "Promote again."
            )
        return model

    def _lock(self) -> FileLock:
        path = self.root.lock("registry")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path, timeout=120)

    def _head(self) -> str | None:
        lines = decisions.journal(self.root)
        return lines[-1].champion if lines else None

    def _alias_model(self) -> str | None:
        aliases = self.client.get_registered_model(MODEL).aliases
        return self.client.get_model_version(MODEL, aliases[CHAMPION]).tags["model_id"] if CHAMPION in aliases else None

    def _find_version(self, model_id: str) -> str | None:
        found = self.client.search_model_versions(f"name = '{MODEL}' and tag.model_id = '{model_id}'")
        return str(found[0].version) if found else None

    def _version(self, model_id: str, run_id: str) -> str:
        existing = self._find_version(model_id)
        if existing:
            return existing
        source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
        return str(self.client.create_model_version(MODEL, source, run_id, tags={"model_id": model_id}).version)
