"""The registry: a decision takes effect whole or not at all, and only against the champion that it was made for."""

import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest

from ml.core.errors import ModelRefused, RegistryError
from ml.learning.models.lightgbm import DirectionModel, ModelCard, fit
from ml.promotion.registry import CHAMPION, MODEL, Registry
from ml.storage import decisions

PNG = b"\x89PNG\r\n\x1a\n"
STEPS = ("stage", "version", "publish", "alias", "enter")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of two models, by id; they differ in what their cards say."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(600, 3))
    direction = rng.integers(0, 3, 600).astype(np.int8)
    fitted = fit(features, direction, np.arange(600) * 10**9, {"num_leaves": 3}, 2)
    names = tuple("abc")
    card = ModelCard(names, names, (0.3, 0.4, 0.3), {}, 2, 10, "s", "h", "f", {}, "p", 5, 600)
    found = [DirectionModel(fitted.booster, replace(card, rows=rows)) for rows in (600, 601)]
    folder = tmp_path_factory.mktemp("models")
    for model in found:
        model.save(folder / model.id)
    return [folder / model.id for model in found]


def log(registry: Registry, folder: Path) -> str:
    return registry.log_run(folder, {"rounds": 2}, {"gain": 0.04}, {"model_id": folder.name}, {"folds.png": PNG})


def content(registry: Registry, folder: Path | None, decision="promote", evidence="e"):
    return {
        "decision": decision,
        "candidate": folder.name if folder else None,
        "champion_before": registry.champion(),
        "evidence": evidence,
    }


def promote(registry: Registry, folder: Path, evidence: str):
    return registry.commit(content(registry, folder, evidence=evidence), log(registry, folder))


def kill_at(patch, registry, step):
    """Let the commit die as it is about to take a step."""

    def die(*_, **__):
        raise KeyboardInterrupt(step)

    places = {
        "version": (registry.client, "create_model_version"),
        "alias": (registry.client, "set_registered_model_alias"),
    }
    patch.setattr(*places.get(step, (decisions, step)), die)


def artefacts(registry, run) -> Path:
    """The folder in which a run's artefacts lie."""
    return Path(unquote(urlparse(registry.client.get_run(run).info.artifact_uri).path))


def versions(registry):
    return registry.client.search_model_versions(f"name = '{MODEL}'")


def test_a_promotion_is_the_champion_everywhere(registry, models):
    """Journal, alias and files name the same model, and the record tells its version and run."""
    record = promote(registry, models[0], "e")
    assert registry.champion() == models[0].name == registry.load().id
    version = registry.client.get_model_version_by_alias(MODEL, CHAMPION)
    assert (record["mlflow_version"], record["mlflow_run"]) == (str(version.version), version.run_id)
    assert decisions.verify(registry.root) == 1
    assert registry.reconcile() is None


@pytest.mark.parametrize("decision", ["refuse", "insufficient"])
def test_no_other_decision_moves_the_champion(registry, models, decision):
    """The candidate is on record with its version; the champion stays."""
    promote(registry, models[0], "e")
    record = registry.commit(content(registry, models[1], decision, "other"), log(registry, models[1]))
    assert registry.champion() == models[0].name == registry.load().id
    assert (record["number"], record["candidate"], record["mlflow_version"]) == (2, models[1].name, "2")


def test_a_decision_without_a_candidate_has_no_version(registry):
    """Too few rows to train: the record stands alone."""
    record = registry.commit(content(registry, None, "insufficient"), None)
    assert (record["mlflow_version"], record["mlflow_run"], registry.champion()) == (None, None, None)
    assert versions(registry) == []


@pytest.mark.parametrize("first", [True, False], ids=["first model", "later model"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_before_any_step_leaves_the_old_champion(registry, models, monkeypatch, step, first):
    """The journal's head stays in force, the next start puts the alias back, and the decision can be taken again."""
    old, new = (None, models[0]) if first else (models[0], models[1])
    if old:
        promote(registry, old, "before")
    asked = content(registry, new, evidence="now")
    run = log(registry, new)
    with monkeypatch.context() as patch:
        kill_at(patch, registry, step)
        with pytest.raises(KeyboardInterrupt):
            registry.commit(asked, run)
    started = Registry(registry.root)
    assert (started.reconcile() is not None) == (step == "enter")
    assert started.champion() == (old.name if old else None) == started._alias_model()
    record = started.commit(asked, run)
    assert started.champion() == started.load().id == new.name
    assert len(versions(started)) == 1 + (old is not None)
    assert decisions.verify(started.root) == record["number"] == 1 + (old is not None)


def test_the_champion_must_be_the_one_that_the_decision_saw(registry, models):
    """A decision made against another champion is refused, and leaves nothing in force."""
    late = content(registry, models[1], evidence="late")
    promote(registry, models[0], "e")
    with pytest.raises(RegistryError, match=rf"champion is {models[0].name}, not None"):
        registry.commit(late, log(registry, models[1]))
    assert registry.champion() == models[0].name == registry.load().id
    assert decisions.verify(registry.root) == 1


def test_of_many_at_once_one_is_promoted(registry, models):
    """Decisions of eight writers, all made against the same champion: one is in force, seven are told to ask again."""
    runs = [log(registry, models[k % 2]) for k in range(8)]
    asked = [content(registry, models[k % 2], evidence=str(k)) for k in range(8)]
    outcomes = []

    def commit(k):
        try:
            outcomes.append(registry.commit(asked[k], runs[k])["candidate"])
        except RegistryError as error:
            outcomes.append(error)

    writers = [threading.Thread(target=commit, args=(k,)) for k in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(outcomes) == 8
    assert registry.champion() == won == registry.load().id
    assert decisions.verify(registry.root) == 1


def test_the_same_evidence_again_is_the_same_decision(registry, models):
    """No second record, version or journal line, also after the champion that it made."""
    first = promote(registry, models[0], "e")
    again = registry.commit(content(registry, models[0], evidence="e"), None)
    assert again == first
    assert (decisions.verify(registry.root), len(versions(registry))) == (1, 1)


def test_old_evidence_is_decided_anew_after_another_champion(registry, models):
    """Its record speaks of a comparison with a champion that serves no more."""
    first = promote(registry, models[0], "e")
    promote(registry, models[1], "f")
    assert registry.decided("e") is None
    again = promote(registry, models[0], "e")
    assert (again["number"], again["champion_before"]) == (3, models[1].name)
    assert registry.decided("e") == again != first


def test_a_model_that_was_champion_before_can_be_again(registry, models):
    """Its version is found, not recomputed."""
    for folder, evidence in ((models[0], "1"), (models[1], "2"), (models[0], "3")):
        promote(registry, folder, evidence)
    assert registry.load().id == models[0].name
    assert [line.champion for line in decisions.journal(registry.root)] == [models[k].name for k in (0, 1, 0)]
    assert len(versions(registry)) == 2


def test_an_alias_that_someone_moved_is_moved_back(registry, models):
    """The journal is right, and what was done is told."""
    promote(registry, models[0], "1")
    registry.commit(content(registry, models[1], "refuse", "2"), log(registry, models[1]))
    registry.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    assert registry.load().id == models[1].name
    assert (
        registry.reconcile() == f"alias champion moved from {models[1].name} to {models[0].name}, to match the journal"
    )
    assert registry.load().id == models[0].name


def test_a_champion_without_a_version_is_an_error(registry, models, made_store):
    """A lost MLflow store is not papered over."""
    promote(registry, models[0], "1")
    database = registry.root.mlflow / "mlflow.db"
    database.write_bytes((made_store / "mlflow.db").read_bytes())
    with pytest.raises(RegistryError, match="has no version in MLflow"):
        Registry(registry.root).reconcile()


def test_nothing_promoted_is_nothing_to_load(registry):
    """The message says what to do."""
    with pytest.raises(ModelRefused, match="nothing was promoted yet"):
        registry.load()


def test_loading_leaves_no_copy_behind(registry, models, monkeypatch, tmp_path):
    """A runner that loads repeatedly does not fill the disk."""
    promote(registry, models[0], "e")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    registry.load()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("name", ["model.txt", "card.json", "manifest.json"])
def test_a_registered_file_that_was_changed_is_refused(registry, models, name):
    """The artefact's own hashes do not fit any more."""
    record = promote(registry, models[0], "e")
    path = artefacts(registry, record["mlflow_run"]) / "model" / name
    path.write_text(path.read_text().replace("6", "7"))
    with pytest.raises(ModelRefused):
        registry.load()


def test_another_whole_model_in_place_of_the_registered_is_refused(registry, models):
    """A model whose hashes are right, but which is not the one that was promoted."""
    record = promote(registry, models[0], "e")
    folder = artefacts(registry, record["mlflow_run"]) / "model"
    for path in models[1].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelRefused, match=f"holds model {models[1].name}, not {models[0].name}"):
        registry.load()


def test_a_run_keeps_what_it_was_given(registry, models):
    """Parameters, metrics, tags, the model's files and the plots; no copy stays in the staging folder."""
    run = registry.client.get_run(log(registry, models[0]))
    assert (run.data.params, run.data.metrics) == ({"rounds": "2"}, {"gain": 0.04})
    assert (run.data.tags["model_id"], run.info.status) == (models[0].name, "FINISHED")
    kept = artefacts(registry, run.info.run_id).rglob("*")
    assert {p.name for p in kept if p.is_file()} == {"model.txt", "card.json", "manifest.json", "folds.png"}
    assert list(registry.root.staging.iterdir()) == []
