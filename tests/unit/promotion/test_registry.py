"""The registry: a decision takes effect whole or not at all, and only against the champion that it was made for."""

import threading
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from ml.core.errors import ModelRefused, RegistryError
from ml.promotion.registry import CHAMPION, Registry
from ml.storage import decisions
from tests.support.panels import small_model

PNG = b"\x89PNG\r\n\x1a\n"
STEPS = ("stage", "version", "publish", "alias", "enter")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of two models, by id; they differ in what their cards say."""
    found = [small_model(rows) for rows in (600, 601)]
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
    return registry.client.search_model_versions(f"name = '{registry.name}'")


def test_a_promotion_is_the_champion_everywhere(registry, models):
    """Journal, alias and files name the same model, and the record tells its version and run."""
    record = promote(registry, models[0], "e")
    assert registry.champion() == models[0].name == registry.load().id
    version = registry.client.get_model_version_by_alias(registry.name, CHAMPION)
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


def test_old_evidence_is_decided_again_after_another_champion(registry, models):
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


@pytest.fixture
def served(registry, models, monkeypatch):
    """Two champions, one after the other; models of made-up features count as running ones."""
    monkeypatch.setattr("ml.learning.models.trained.fits", lambda model: None)
    for folder in models:
        promote(registry, folder, folder.name)
    return registry


def numbers(registry):
    return {one.version: one for one in registry.versions()}


def test_a_rollback_makes_the_champion_before_champion_again(served, models):
    """The one before without a version, any other by its number; each is on record with who, why and when."""
    record = served.rollback(None, "ann", "alarm")
    assert served.champion() == models[0].name == served.load().id
    assert (record["approver"], record["reason"], record["mlflow_version"]) == ("ann", "alarm", "1")
    served.rollback("2", "bob", "false alarm")
    assert served.champion() == models[1].name == served.load().id
    one, two = (folder.name for folder in models)
    history = served.history()
    told = [(c.decision, c.version, c.champion_before, c.champion, c.who, c.why) for c in history[2:]]
    assert told == [("rollback", "1", two, one, "ann", "alarm"), ("rollback", "2", one, two, "bob", "false alarm")]
    asked = [history[0].at - 1, *(change.at for change in history)]
    assert [decisions.champion_at(served.root, ts) for ts in asked] == [None, one, two, one, two]
    assert decisions.verify(served.root) == 4
    assert len(versions(served)) == 2


def state(registry):
    return registry.champion(), registry.load().id, numbers(registry), decisions.journal(registry.root)


def test_a_rollback_to_a_damaged_model_changes_nothing(served):
    """A file that was changed, or all of them gone: refused, and the champion, its alias and the journal stay."""
    before = state(served)
    first = decisions.read(served.root, decisions.journal(served.root)[0])
    folder = artefacts(served, first["mlflow_run"]) / "model"
    card = (folder / "card.json").read_text()
    (folder / "card.json").write_text(card.replace("6", "7"))
    with pytest.raises(ModelRefused, match="hash differs"):
        served.rollback(None, "ann", "")
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ModelRefused):
        served.rollback(None, "ann", "")
    assert state(served) == before


@pytest.mark.parametrize("step", ["smoke_test", "fits"])
def test_a_model_that_gives_no_answer_or_is_of_other_features_is_not_rolled_back_to(served, monkeypatch, step):
    """It is asked before anything is changed."""
    before = state(served)

    def refuse(_):
        raise ModelRefused(step)

    monkeypatch.setattr(f"ml.learning.models.trained.{step}", refuse)
    with pytest.raises(ModelRefused, match=step):
        served.rollback(None, "ann", "")
    assert state(served) == before


@pytest.mark.parametrize("step", ["stage", "publish", "alias", "enter"])
def test_a_kill_during_a_rollback_leaves_the_champion(served, models, monkeypatch, step):
    """Until the journal has its line, the next start puts the alias back; then the rollback can be made again."""
    with monkeypatch.context() as patch:
        kill_at(patch, served, step)
        with pytest.raises(KeyboardInterrupt):
            served.rollback(None, "ann", "")
    started = Registry(served.root)
    assert (started.reconcile() is not None) == (step == "enter")
    assert started.champion() == started.load().id == models[1].name
    started.rollback(None, "ann", "")
    assert started.champion() == started.load().id == models[0].name
    assert decisions.verify(started.root) == 3


def test_what_cannot_be_rolled_back_to_or_retired_is_named(served):
    """No version of that number, the champion itself, and a name without any champion."""
    for to, says in (("9", "no version 9. Available: 2, 1"), ("2", "Version 2 .* is champion already")):
        with pytest.raises(RegistryError, match=says):
            served.rollback(to, "ann", "")
    with pytest.raises(RegistryError, match="no champion yet"):
        served.of("other").rollback(None, "ann", "")
    with pytest.raises(RegistryError, match=r"Version 2 of base_35_10s is champion. Roll back"):
        served.retire("2", "ann", "")
    assert len(served.history()) == 2


def test_a_retired_version_is_never_used_again(served, models, monkeypatch):
    """It loses its aliases, also after a kill, cannot be rolled back to or promoted, and the journal says why."""
    served.rollback("1", "ann", "")
    assert numbers(served)["2"].aliases == ("candidate",)
    with monkeypatch.context() as patch:
        patch.setattr(served.client, "delete_registered_model_alias", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # after the journal line
            served.retire("2", "ann", "it loses money")
    served.reconcile()
    gone = numbers(served)["2"]
    assert (gone.retired, gone.aliases, numbers(served)["1"].retired) == (True, (), False)
    assert served.champion() == models[0].name == served.load().id
    last = served.history()[-1]
    assert (last.decision, last.version, last.why, last.champion) == ("retire", "2", "it loses money", models[0].name)
    for to in ("2", None):
        with pytest.raises(RegistryError, match=r"retired|no other champion"):
            served.rollback(to, "ann", "")
    with pytest.raises(RegistryError, match="retired and cannot be promoted"):
        promote(served, models[1], "again")
    with pytest.raises(RegistryError, match="retired before"):
        served.retire("2", "ann", "")
    assert decisions.verify(served.root) == 4


def test_models_of_two_names_know_nothing_of_each_other(served, models):
    """Versions, aliases, champion and journal of each are its own."""
    other = served.of("other")
    assert (other.champion(), other.versions(), other.history()) == (None, [], [])
    promote(other, models[0], "e")
    assert (other.champion(), served.champion()) == (models[0].name, models[1].name)
    assert (other.load().id, served.load().id) == (models[0].name, models[1].name)
    assert [one.version for one in other.versions()] == ["1"]
    assert served.names() == decisions.names(served.root) == ["base_35_10s", "other"]
    assert [decisions.verify(served.root, name) for name in decisions.names(served.root)] == [2, 1]
    assert [path.name for path in (served.root.decisions / "other").glob("*.jsonl")] == ["journal.jsonl"]


def test_an_alias_that_someone_moved_is_moved_back(registry, models):
    """The journal is right, and what was done is told."""
    promote(registry, models[0], "1")
    registry.commit(content(registry, models[1], "refuse", "2"), log(registry, models[1]))
    registry.client.set_registered_model_alias(registry.name, CHAMPION, "2")
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


@pytest.mark.parametrize("name", ["model.txt", "model.json", "card.json", "manifest.json"])
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
    assert {p.name for p in kept if p.is_file()} == {
        "model.txt",
        "model.json",
        "card.json",
        "manifest.json",
        "folds.png",
    }
    assert list(registry.root.staging.iterdir()) == []
