"""The model registry: runs, versions, aliases, and the order in which a decision takes effect.

The only adapter to mlflow.

Here: MLflow under the data root, the commit order of a decision, the steps of a model's life, going back to an earlier
version, retiring one.
Not here: the decision itself (`ml.evaluation.gates`, `ml.promotion.life`), its record (`ml.storage.decisions`), the
model's files (`ml.learning.models`).

Order: record staged, MLflow version with its artefacts, record published, aliases moved if they still stand where the
decision saw them, journal line, its end noted twice (beside the journal and in MLflow). A kill between any two steps
leaves the journal's head in force: `reconcile` moves the aliases back to it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time_ns
from types import MappingProxyType
from typing import Any

from filelock import FileLock

from ml.core.addresses import sqlite_url
from ml.core.errors import LobforgeError, ModelRefused, RegistryError
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.promotion import life
from ml.promotion.kinds import kind_of
from ml.promotion.life import Life, Stage
from ml.storage import decisions

CHAMPION = "champion"
CHALLENGER = "challenger"
CANDIDATE = "candidate"
ALIASES = (CANDIDATE, CHALLENGER, CHAMPION)
EXPERIMENT = "lobforge"
HEAD = "lobforge.journal_head"
"""Tag of a registered model: number and hash of the last decision, where a cut journal cannot lose them."""
BY_HAND = "by hand"
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Version:
    """One registered model: number, id of its content, aliases, time of registration (ns UTC), whether retired."""

    version: str
    model_id: str
    aliases: tuple[str, ...]
    registered_at: int
    retired: bool


@dataclass(frozen=True)
class Change:
    """One journal record: what was decided when (ns UTC), by whom and why, and the champion before and after it."""

    number: int
    hash: str
    at: int
    decision: str
    model_id: str | None
    version: str | None
    champion_before: str | None
    champion: str | None
    who: str
    why: str


def changes(root: DataRoot, name: str) -> Iterator[Change]:
    """The journal of a name with what its records say, oldest first; it needs no model store.

    Raises:
        RegistryError: a record is missing or was changed, or the journal lost decisions at its end.
    """
    for line in decisions.journal(root, name):
        record = decisions.read(root, line, name)
        yield Change(
            line.number,
            line.hash,
            line.at,
            line.decision,
            record["candidate"],
            record.get("mlflow_version"),
            record["champion_before"],
            line.champion,
            record.get("approver", ""),
            record.get("reason", ""),
        )


def failures() -> tuple[type[Exception], ...]:
    """What a decision or a load may fail with: our own errors, and those of the store and of the disk."""
    from mlflow.exceptions import MlflowException

    return LobforgeError, MlflowException, OSError


class Registry:
    """The models of one name in the registry of a data root; creating it creates the store, once, under a lock.

    A name is that of an experiment, or `layering`. Each has versions, aliases and a journal of its own.

    Args:
        root: the data root.
        name: whose models.
        clock: when a decision takes effect, ns UTC; a replay gives that of its market.
    """

    def __init__(self, root: DataRoot, name: str = DEFAULT_EXPERIMENT, clock: Callable[[], int] = time_ns) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it tells of each of its migrations
        from mlflow import MlflowClient

        self.root = root
        self.name = name
        self.clock = clock
        root.mlflow.mkdir(parents=True, exist_ok=True)
        root.decisions_of(name).mkdir(parents=True, exist_ok=True)
        self.uri = sqlite_url(root.mlflow / "mlflow.db")
        with self._lock():
            self.client = MlflowClient(self.uri, self.uri)
            experiment = self.client.get_experiment_by_name(EXPERIMENT)
            artefacts = (root.mlflow.resolve() / "artifacts").as_uri()
            self.experiment = (
                experiment.experiment_id if experiment else self.client.create_experiment(EXPERIMENT, artefacts)
            )
            if not self.client.search_registered_models(f"name = '{name}'"):
                self.client.create_registered_model(name)

    def of(self, name: str) -> "Registry":
        """The models of another name."""
        return self if name == self.name else Registry(self.root, name, self.clock)

    def timed(self, clock: Callable[[], int]) -> "Registry":
        """The same models, with decisions dated by another clock (ns UTC)."""
        found = copy(self)
        found.clock = clock
        return found

    def register(self, model_id: str, run_id: str) -> Version:
        """Register a model as the candidate, without any decision on it; it serves nobody.

        Args:
            model_id: its id.
            run_id: of the MLflow run that holds its files (`log_run`).
        """
        with self._lock():
            number = self._version(model_id, run_id)
            self.client.set_registered_model_alias(self.name, CANDIDATE, number)
            return self.known(number)

    def latest(self) -> Version | None:
        """The version that was registered last, None if there is none."""
        return next(iter(self.versions()), None)

    def metadata(self, version: str) -> dict[str, Any]:
        """What MLflow knows of a version: its run's parameters, metrics and tags, and the version itself.

        Raises:
            RegistryError: there is no such version.
        """
        known = self.known(version)
        run = self.client.get_run(str(self.client.get_model_version(self.name, version).run_id))
        return {
            "version": known.version,
            "model_id": known.model_id,
            "aliases": list(known.aliases),
            "registered_at": known.registered_at,
            "retired": known.retired,
            "run": run.info.run_id,
            "params": dict(run.data.params),
            "metrics": dict(run.data.metrics),
            "tags": {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")},
        }

    def log_run(
        self,
        model_folder: Path,
        params: Mapping[str, Any] = NOTHING,
        metrics: Mapping[str, float] = NOTHING,
        tags: Mapping[str, str] = NOTHING,
        plots: Mapping[str, bytes] = NOTHING,
    ) -> str:
        """One MLflow run with a model's files; returns the run id.

        Args:
            model_folder: its files; the folder is named by the model's id.
            params: how it was trained.
            metrics: what was measured of it.
            tags: of the run.
            plots: file name to PNG bytes.
        """
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
            self._demand_champion(content["champion_before"])
            if content["decision"] in ("promote", "challenge") and content["candidate"] in self._retired():
                raise RegistryError(
                    f"Model {content['candidate']} of {self.name} was retired and cannot be promoted. Train another."
                )
            if content["decision"] == "challenge":
                self._demand_nobody_beside()
            version = self._version(content["candidate"], run_id) if run_id else None
            return self._put_into_force(dict(content) | {"mlflow_version": version, "mlflow_run": run_id})

    def challenge(self, version: str, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Let a registered version challenge the champion: it scores every row in shadow; returns the record.

        Raises:
            RegistryError: there is no champion or no such version, it was retired or is champion, or another model is
                beside the champion.
            ModelRefused: its files are damaged, it gives no probabilities, or it is of other features.
        """
        with self._lock():
            self._reconcile()
            champion = self._head()
            if champion is None:
                raise RegistryError(
                    f"{self.name} has no champion to challenge. Promote version {version} instead, or run the pipeline."
                )
            target = self._usable(version, champion)
            self._demand_nobody_beside()
            self._tried(target)
            return self._put_into_force(self._record("challenge", target, champion, who, why, evidence))

    def advance(
        self, step: life.Step, seen: str | None, who: str, evidence: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Put the next step of the running challenge, or of a watch, into force; returns the record.

        Args:
            step: what `ml.promotion.life.step` says.
            seen: the champion that it was decided against.
            who: is responsible.
            evidence: what it rests on; it becomes part of the record.

        Raises:
            RegistryError: another decision came first.
            ModelRefused: the model that would serve is damaged, gives no probabilities, or is of other features.
        """
        with self._lock():
            self._reconcile()
            self._demand_champion(seen)
            found = self.life()
            if found.beside != step.model_id or (step.decision == "split" and found.stage is not Stage.SHADOW):
                raise RegistryError(
                    f"Model {step.model_id} of {self.name} is no longer beside the champion in the stage that the "
                    f"decision {step.decision} saw (now {found.beside or 'nobody'}, {found.stage}). Decide again."
                )
            target = self.version_of(step.model_id)
            if step.decision in ("split", *decisions.TAKES_OVER):
                self._tried(target)
            return self._put_into_force(self._record(step.decision, target, seen, who, step.why, evidence))

    def promote(self, version: str, over: str | None, who: str, why: str, override: bool = False) -> dict[str, Any]:
        """Make a version champion by hand, after it was loaded and has answered; returns the record.

        Args:
            version: its number.
            over: the champion that it replaces; None if there is none.
            who: is responsible.
            why: in a sentence.
            override: promote it although its gates did not pass; the record says so.

        Raises:
            RegistryError: the champion is another one, there is no such version, it was retired or is champion already,
                or no gates passed it and `override` is not set.
            ModelRefused: its files are damaged, it gives no probabilities, or it is of other features.
        """
        with self._lock():
            self._reconcile()
            self._demand_champion(over)
            target = self._usable(version, over)
            passed = self._passed(target.model_id)
            if not passed and not override:
                raise RegistryError(
                    f"No gates have passed version {version} of {self.name}: nothing is promoted on less. Run the "
                    "pipeline, or take the responsibility with --override and a reason."
                )
            self._tried(target)
            return self._put_into_force(
                self._record("promote", target, over, who, why, {"override": not passed, "asked": BY_HAND})
            )

    def rollback(self, to: str | None, who: str, why: str, evidence: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make an earlier version champion again, after it was loaded and has answered; returns the record.

        Args:
            to: number of the version; None is that of the champion before this one.
            who: is responsible.
            why: in a sentence.
            evidence: what it rests on; it becomes part of the record.

        Raises:
            RegistryError: there is no champion, no such version, or it was retired or is champion already.
            ModelRefused: its files are damaged, it gives no probabilities, or it is of other features.
        """
        with self._lock():
            self._reconcile()
            head = self._head()
            target = self._target(head, to)
            self._tried(target)
            return self._put_into_force(self._record("rollback", target, head, who, why, evidence))

    def retire(self, version: str, who: str, why: str) -> dict[str, Any]:
        """Take a version out of use for good: it can be neither promoted nor rolled back to; returns the record.

        Raises:
            RegistryError: there is no such version, or it is champion or retired already.
        """
        with self._lock():
            self._reconcile()
            head = self._head()
            target = self.known(version)
            if target.model_id == head:
                raise RegistryError(
                    f"Version {version} of {self.name} is champion. Roll back to another version before you retire it."
                )
            if target.retired:
                raise RegistryError(f"Version {version} of {self.name} was retired before. Nothing is left to do.")
            record = self._put_into_force(self._record("retire", target, head, who, why))
            self._reconcile()
            return record

    def versions(self) -> list[Version]:
        """The registered models, newest first."""
        retired = self._retired()
        aliases = self.client.get_registered_model(self.name).aliases
        return [
            Version(
                str(one.version),
                one.tags["model_id"],
                tuple(name for name in ALIASES if str(aliases.get(name)) == str(one.version)),
                one.creation_timestamp * 10**6,
                one.tags["model_id"] in retired,
            )
            for one in self.client.search_model_versions(f"name = '{self.name}'")
        ]

    def history(self) -> list[Change]:
        """The journal with what its records say, oldest first."""
        return list(changes(self.root, self.name))

    def life(self) -> Life:
        """Who serves, who is beside it, and in which stage, by the journal."""
        return life.of(changes(self.root, self.name))

    def names(self) -> list[str]:
        """All names of the registry: experiments on whose models something was decided, and the default one."""
        return [one.name for one in self.client.search_registered_models(order_by=["name"])]

    def decided(self, evidence: str) -> dict[str, Any] | None:
        """The record of a decision on the same evidence, if no other champion came after it; else None.

        A refusal for a measured time alone does not stand: the time is measured again. Nor does one that waits for the
        end of another model's challenge, once that has ended.
        """
        from ml.evaluation.gates import refused_for_time

        head = self._head()
        for line in reversed(decisions.journal(self.root, self.name)):
            if line.evidence == evidence and line.champion == head:
                record = decisions.read(self.root, line, self.name)
                waits = record.get("waits_for") is not None and record["waits_for"] != self.life().challenger
                return None if waits or refused_for_time(record.get("gates", ())) else record
        return None

    def reconcile(self) -> str | None:
        """Make the aliases agree with the journal; returns what was done, None if nothing was.

        Raises:
            RegistryError: the journal lost decisions at its end, or its champion has no version.
        """
        with self._lock():
            return self._reconcile()

    def champion(self) -> str | None:
        """Model id of the champion by the journal."""
        return self._head()

    def load(self, alias: str = CHAMPION) -> Any:
        """The model of an alias, of the kind of its name, from its registered files, checked against its id.

        Raises:
            ModelRefused: no model has the alias, or its files are not those that were registered.
        """
        from mlflow.exceptions import MlflowException

        try:
            version = self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            raise ModelRefused(
                f"No model has the alias {alias}: nothing was promoted yet. Run the pipeline first."
            ) from error
        return self._load(str(version.version))

    def load_model(self, model_id: str) -> Any:
        """A registered model that may serve, by its id, from its registered files.

        Raises:
            RegistryError: it is not registered.
            ModelRefused: its files are not those that were registered, or it was made for other features or by other
                code than what runs here.
        """
        model = self._load(self.version_of(model_id).version)
        kind_of(self.name).fits(model)
        return model

    def _load(self, number: str) -> Any:
        from mlflow.exceptions import MlflowException

        version = self.client.get_model_version(self.name, number)
        with TemporaryDirectory() as folder:  # without a folder, mlflow leaves a copy behind each time
            try:
                files = self.client.download_artifacts(str(version.run_id), "model", folder)
            except (MlflowException, OSError) as error:
                raise ModelRefused(
                    f"The files of version {number} of {self.name} are missing: {error}. Restore them from a backup."
                ) from error
            model = kind_of(self.name).load(Path(files))
        if model.id != version.tags["model_id"]:
            raise ModelRefused(
                f"Version {version.version} holds model {model.id}, not {version.tags['model_id']} as registered. "
                "Promote again."
            )
        return model

    def _put_into_force(self, content: dict[str, Any]) -> dict[str, Any]:
        """The second half of the order: record published, aliases moved, journal line. The caller holds the lock."""
        lines = decisions.journal(self.root, self.name)
        # never before the last one, whatever the clock does: the champion at a time has one answer
        decided_at = max(self.clock(), lines[-1].at + 1 if lines else 0)
        record = decisions.stage(self.root, content | {"decided_at": decided_at}, self.name)
        decisions.publish(self.root, record, self.name)
        version = content["mlflow_version"]
        if version and content["mlflow_run"]:
            self.client.set_registered_model_alias(self.name, CANDIDATE, version)
        if version and content["decision"] in decisions.TAKES_OVER:
            self.client.set_registered_model_alias(self.name, CHAMPION, version)
        line = decisions.enter(self.root, record, self.name)
        self._anchor(line)
        self._set_alias(CHALLENGER, self.life().challenger)
        return record

    def _reconcile(self) -> str | None:
        lines = decisions.journal(self.root, self.name)
        decisions.demand_head(f"The journal of {self.name}", lines, self._anchored())
        if lines:
            decisions.anchor(self.root, lines[-1], self.name)
            self._anchor(lines[-1])
        for one in self.versions():
            for alias in set(one.aliases) - {CHAMPION} if one.retired else ():
                self.client.delete_registered_model_alias(self.name, alias)
        found = self.life()
        done = [self._set_alias(CHAMPION, found.champion), self._set_alias(CHALLENGER, found.challenger)]
        return "; ".join(one for one in done if one) or None

    def _set_alias(self, alias: str, wanted: str | None) -> str | None:
        """Let an alias name a model, or nobody; returns what was done, None if it did already."""
        named = self._alias_model(alias)
        if named == wanted:
            return None
        if wanted is None:
            self.client.delete_registered_model_alias(self.name, alias)
            return f"alias {alias} removed: the journal has no {alias}"
        version = self._find_version(wanted)
        if version is None:
            raise RegistryError(
                f"The journal's {alias} {wanted} has no version in MLflow. Restore mlflow.db from a backup."
            )
        self.client.set_registered_model_alias(self.name, alias, version)
        return f"alias {alias} moved from {named} to {wanted}, to match the journal"

    def _anchor(self, line: decisions.JournalLine) -> None:
        if self._anchored() != (line.number, line.hash):
            self.client.set_registered_model_tag(self.name, HEAD, f"{line.number} {line.hash}")

    def _anchored(self) -> tuple[int, str]:
        number, _, digest = self.client.get_registered_model(self.name).tags.get(HEAD, "").partition(" ")
        return (int(number), digest) if number else decisions.NO_HEAD

    def _demand_champion(self, seen: str | None) -> None:
        head = self._head()
        if head != seen:
            raise RegistryError(
                f"The champion is {head}, not {seen} as when this was decided. Decide again, against {head}."
            )

    def _demand_nobody_beside(self) -> None:
        found = self.life()
        if found.challenger is not None:
            raise RegistryError(
                f"Model {found.challenger} challenges the champion of {self.name} already ({found.stage}). "
                "Wait for its end, or retire its version."
            )

    def _usable(self, version: str, champion: str | None) -> Version:
        target = self.known(version)
        if target.model_id == champion:
            raise RegistryError(f"Version {version} of {self.name} is champion already. Choose another.")
        if target.retired:
            raise RegistryError(f"Version {version} of {self.name} was retired and cannot be promoted. Train another.")
        return target

    def _tried(self, target: Version) -> None:
        """Load a version and have it answer, before anything is changed."""
        model = self._load(target.version)
        kind = kind_of(self.name)
        kind.fits(model)
        kind.smoke_test(model)

    def _passed(self, model_id: str) -> bool:
        """Whether the last gates that were asked about a model passed it."""
        for change in reversed(self.history()):
            if change.model_id == model_id and change.decision in ("promote", "challenge", "refuse", "insufficient"):
                return change.decision in ("promote", "challenge")
        return False

    def _record(
        self,
        decision: str,
        target: Version,
        head: str | None,
        who: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return dict(evidence or {}) | {
            "decision": decision,
            "candidate": target.model_id,
            "champion_before": head,
            "approver": who,
            "reason": why,
            "evidence": "",  # no gate was asked
            "mlflow_version": target.version,
            "mlflow_run": None,
        }

    def _target(self, head: str | None, to: str | None) -> Version:
        if head is None:
            raise RegistryError(f"{self.name} has no champion yet: there is nothing to roll back from.")
        target = self.known(to) if to else self._champion_before(head)
        if target.model_id == head:
            raise RegistryError(
                f"Version {target.version} of {self.name} is champion already. Choose another with --to."
            )
        if target.retired:
            raise RegistryError(f"Version {target.version} of {self.name} was retired. Choose another with --to.")
        return target

    def _champion_before(self, head: str) -> Version:
        known = {one.model_id: one for one in self.versions() if not one.retired}
        for line in reversed(decisions.journal(self.root, self.name)):
            if line.champion and line.champion != head and line.champion in known:
                return known[line.champion]
        raise RegistryError(f"{self.name} had no other champion that is still in use. Choose a version with --to.")

    def known(self, number: str) -> Version:
        """The version of a number.

        Raises:
            RegistryError: there is none.
        """
        found = self.versions()
        for one in found:
            if one.version == number:
                return one
        available = ", ".join(one.version for one in found) or "none"
        raise RegistryError(f"{self.name} has no version {number}. Available: {available}.")

    def version_of(self, model_id: str) -> Version:
        """The version of a model.

        Raises:
            RegistryError: it is not registered.
        """
        for one in self.versions():
            if one.model_id == model_id:
                return one
        raise RegistryError(
            f"Model {model_id} of {self.name} is not registered. Run the pipeline, or restore mlflow.db."
        )

    def _retired(self) -> set[str]:
        lines = [line for line in decisions.journal(self.root, self.name) if line.decision == "retire"]
        return {decisions.read(self.root, line, self.name)["candidate"] for line in lines}

    def _lock(self) -> FileLock:
        path = self.root.lock("registry")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path, timeout=120)

    def _head(self) -> str | None:
        lines = decisions.journal(self.root, self.name)
        return lines[-1].champion if lines else None

    def _alias_model(self, alias: str = CHAMPION) -> str | None:
        version = self.client.get_registered_model(self.name).aliases.get(alias)
        return self.client.get_model_version(self.name, version).tags["model_id"] if version else None

    def _find_version(self, model_id: str) -> str | None:
        found = self.client.search_model_versions(f"name = '{self.name}' and tag.model_id = '{model_id}'")
        return str(found[0].version) if found else None

    def _version(self, model_id: str, run_id: str) -> str:
        existing = self._find_version(model_id)
        if existing:
            return existing
        source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
        return str(self.client.create_model_version(self.name, source, run_id, tags={"model_id": model_id}).version)


def registered(root: DataRoot, name: str) -> Registry:
    """The registered models of a name that has some.

    Raises:
        RegistryError: there are none.
    """
    default = Registry(root)
    names = default.names()
    if name not in names:
        raise RegistryError(f"No model is named {name!r}. Available: {', '.join(names)}.")
    return default.of(name)


def champion_of(root: DataRoot, name: str) -> Any:
    """The champion of a name, of its kind; None if nothing was promoted, and then nothing is created.

    Raises:
        ModelRefused: its files are not those that were registered, or it was made by other code than what runs here.
    """
    lines = decisions.journal(root, name)
    if not lines or lines[-1].champion is None:
        return None
    model = Registry(root, name).load()
    kind_of(name).fits(model)
    return model
