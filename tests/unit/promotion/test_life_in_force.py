"""Steps of a life in force: each is checked against the journal, tried before it serves, and survives a kill."""

import multiprocessing

import pytest

from ml.core.errors import ModelRefused, RegistryError
from ml.core.paths import DataRoot
from ml.core.time import DAY_NS, HOUR
from ml.promotion.life import Stage, Step
from ml.promotion.registry import CANDIDATE, CHALLENGER, CHAMPION, HEAD, Registry
from ml.storage import decisions
from tests.support.panels import small_model

STEPS = ("stage", "publish", "alias", "enter", "anchor", "tag", "challenger alias")
IN_FORCE = ("anchor", "tag", "challenger alias")
"""A kill before these finds the decision in the journal."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of three models, by id."""
    folder = tmp_path_factory.mktemp("models")
    found = [small_model(rows) for rows in (600, 601, 602)]
    for model in found:
        model.save(folder / model.id)
    return [folder / model.id for model in found]


@pytest.fixture
def tried(registry, models, monkeypatch):
    """A champion and two registered candidates; models of made-up features count as running ones."""
    monkeypatch.setattr("ml.learning.models.trained.fits", lambda model: None)
    for folder in models:
        register(registry, folder)
    registry.promote("1", None, "ann", "the first", override=True)
    return registry


def register(registry, folder):
    run = registry.log_run(folder, {"rounds": 2}, {"gain": 0.1}, {"model_id": folder.name})
    return registry.register(folder.name, run)


def alias(registry, name):
    return registry._alias_model(name)


def test_register_latest_and_metadata(registry, models):
    """The functions of the predecessor's registry: a registered model serves nobody."""
    assert registry.latest() is None
    found = register(registry, models[0])
    assert registry.latest() == found
    assert (found.version, found.model_id, found.aliases) == ("1", models[0].name, (CANDIDATE,))
    told = registry.metadata("1")
    assert (told["params"], told["metrics"], told["tags"]) == (
        {"rounds": "2"},
        {"gain": 0.1},
        {"model_id": models[0].name},
    )
    assert (registry.champion(), registry.history()) == (None, [])
    with pytest.raises(RegistryError, match="no version 7"):
        registry.metadata("7")


def test_a_challenger_becomes_champion_and_is_rolled_back(tried, models):
    """Aliases follow the journal through the whole life, and each record says what it rests on."""
    one, two, _ = (folder.name for folder in models)
    tried.challenge("2", "ann", "new features")
    assert (alias(tried, CHALLENGER), tried.life().stage, tried.champion()) == (two, Stage.SHADOW, one)
    tried.advance(Step("split", two, "no fault"), one, "policy")
    assert (alias(tried, CHALLENGER), tried.life().stage, tried.champion()) == (two, Stage.SPLIT, one)
    record = tried.advance(Step("promote", two, "better"), one, "policy", {"comparison": {"gain": 0.05}})
    assert (alias(tried, CHALLENGER), alias(tried, CHAMPION), tried.champion()) == (None, two, two)
    assert (record["comparison"], record["approver"], record["reason"]) == ({"gain": 0.05}, "policy", "better")
    assert (tried.life().beside, tried.life().stage) == (one, Stage.WATCH)
    tried.advance(Step("rollback", one, "it failed"), two, "policy")
    assert (alias(tried, CHAMPION), tried.champion(), tried.life().stage) == (one, one, Stage.ALONE)
    assert decisions.verify(tried.root) == 5
    assert tried.reconcile() is None


@pytest.mark.parametrize("end", ["refuse", "insufficient"])
def test_a_challenge_that_ends_leaves_the_champion(tried, models, end):
    """The alias goes, and the next challenger may come."""
    one, two, three = (folder.name for folder in models)
    tried.challenge("2", "ann", "")
    with pytest.raises(RegistryError, match=rf"Model {two} challenges .* already \(shadow\)"):
        tried.challenge("3", "ann", "")
    tried.advance(Step(end, two, "no"), one, "policy")
    assert (alias(tried, CHALLENGER), tried.champion()) == (None, one)
    tried.challenge("3", "ann", "")
    assert alias(tried, CHALLENGER) == three


def test_what_cannot_challenge(tried):
    """The champion itself, a retired version, an unknown one; and nobody where there is no champion."""
    tried.retire("3", "ann", "")
    for version, says in (("1", "champion already"), ("3", "was retired"), ("9", "no version 9")):
        with pytest.raises(RegistryError, match=says):
            tried.challenge(version, "ann", "")
    with pytest.raises(RegistryError, match="no champion to challenge"):
        tried.of("other").challenge("1", "ann", "")


def test_a_step_that_comes_late_is_refused(tried, models):
    """Decided in a stage, or against a champion, that is no more."""
    one, two, _ = (folder.name for folder in models)
    tried.challenge("2", "ann", "")
    tried.advance(Step("split", two, ""), one, "policy")
    with pytest.raises(RegistryError, match="no longer beside the champion"):
        tried.advance(Step("split", two, ""), one, "policy")
    tried.promote("3", one, "ann", "by hand", override=True)
    for seen in (one, tried.champion()):
        with pytest.raises(RegistryError, match=r"champion is|no longer beside"):
            tried.advance(Step("promote", two, ""), seen, "policy")
    assert tried.champion() == models[2].name


def test_nothing_is_promoted_by_hand_without_gates_or_responsibility(tried, models):
    """A version that gates passed needs no override; the record says which it was."""
    one = models[0].name
    with pytest.raises(RegistryError, match="No gates have passed version 2"):
        tried.promote("2", one, "ann", "")
    content = {"decision": "refuse", "evidence": "r", "candidate": models[1].name, "champion_before": one}
    tried.commit(content, tried.client.get_model_version(tried.name, "2").run_id)
    with pytest.raises(RegistryError, match="No gates have passed version 2"):
        tried.promote("2", one, "ann", "")
    tried.challenge("3", "ann", "")
    assert tried.promote("3", one, "ann", "sure")["override"] is False
    assert tried.promote("2", models[2].name, "ann", "urgent", override=True)["override"] is True


@pytest.mark.parametrize("what", ["smoke_test", "fits"])
def test_a_model_that_cannot_serve_takes_no_step(tried, models, monkeypatch, what):
    """It is loaded and asked before the alias moves."""
    one, two, _ = (folder.name for folder in models)

    def refuse(_):
        raise ModelRefused(what)

    tried.challenge("2", "ann", "")
    before = (tried.champion(), tried.life(), decisions.journal(tried.root))
    monkeypatch.setattr(f"ml.learning.models.trained.{what}", refuse)
    for step in (Step("split", two, ""), Step("promote", two, "")):
        with pytest.raises(ModelRefused, match=what):
            tried.advance(step, one, "policy")
    with pytest.raises(ModelRefused, match=what):
        tried.promote("3", one, "ann", "", override=True)
    assert (tried.champion(), tried.life(), decisions.journal(tried.root)) == before


def kill_at(patch, registry, step):
    """Let a step die as it is about to be taken."""

    def die(*_, **__):
        raise KeyboardInterrupt(step)

    match step:
        case "alias":
            patch.setattr(registry.client, "set_registered_model_alias", die)
        case "tag":
            patch.setattr(registry.client, "set_registered_model_tag", die)
        case "challenger alias":
            patch.setattr(registry, "_set_alias", die)
        case _:
            patch.setattr(decisions, step, die)


@pytest.mark.promise("D4")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("decision", ["promote", "rollback"])
def test_after_a_kill_before_any_step_the_aliases_are_the_journals(tried, models, monkeypatch, step, decision):
    """In the middle of a promotion and of a rollback; what was not in the journal can be decided again."""
    one, two, _ = (folder.name for folder in models)
    tried.challenge("2", "ann", "")
    tried.advance(Step("split", two, ""), one, "policy")
    if decision == "rollback":
        tried.advance(Step("promote", two, ""), one, "policy")
    old, new = (one, two) if decision == "promote" else (two, one)
    with monkeypatch.context() as patch:
        patch.setattr(tried, "_reconcile", lambda: None)  # it would die there, before the decision
        kill_at(patch, tried, step)
        with pytest.raises(KeyboardInterrupt):
            tried.advance(Step(decision, new, ""), old, "policy")
    started = Registry(tried.root)
    started.reconcile()
    champion = new if step in IN_FORCE else old
    assert started.champion() == alias(started, CHAMPION) == started.load().id == champion
    assert alias(started, CHALLENGER) == started.life().challenger
    assert decisions.head(started.root)[0] == len(decisions.journal(started.root))
    if step not in IN_FORCE:
        started.advance(Step(decision, new, ""), old, "policy")
        assert started.champion() == alias(started, CHAMPION) == new
    decisions.verify(started.root)


@pytest.mark.promise("D4")
def test_a_journal_cut_together_with_its_note_is_missed_by_the_registry(tried, models):
    """MLflow keeps the end too: whoever cuts the decisions folder alone is found at the next start."""
    tried.challenge("2", "ann", "")
    folder = tried.root.decisions
    lines = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text(lines[0])
    (folder / "head.json").unlink()
    assert decisions.verify(tried.root) == 1  # alone, the folder looks whole
    with pytest.raises(RegistryError, match=r"has 1 decisions, but 2 were made: 1 at its end are missing"):
        Registry(tried.root).reconcile()
    assert tried.client.get_registered_model(tried.name).tags[HEAD].startswith("2 ")


def test_a_clock_that_goes_back_keeps_the_order(tried, models):
    """The champion at a time has one answer, whatever the machine's clock does."""
    times = iter([50, 40, 40, 10])
    registry = tried.of("clocked").timed(lambda: next(times))
    for folder in models[:2]:
        register(registry, folder)
    for number in range(4):
        registry.promote(str(number % 2 + 1), registry.champion(), "ann", "", override=True)
    found = [line.at for line in decisions.journal(tried.root, "clocked")]
    assert found == [50, 51, 52, 53]


@pytest.mark.promise("D4")
def test_the_champion_at_every_moment_of_a_year(tried, models):
    """A decision every few days for a year of market time; the answer is right at, before and after each of them."""
    now = [1_741_000_000 * 10**9]
    registry = tried.of("year").timed(lambda: now[0])
    for folder in models:
        register(registry, folder)
    expected = []
    for number in range(52):
        registry.promote(str(number % 3 + 1), registry.champion(), "ann", "", override=True)
        expected.append((now[0], models[number % 3].name))
        now[0] += 7 * DAY_NS + number * HOUR
    assert decisions.champion_at(registry.root, expected[0][0] - 1, "year") is None
    before = None
    for at, champion in expected:
        asked = [decisions.champion_at(registry.root, at + shift, "year") for shift in (-1, 0, DAY_NS)]
        assert asked == [before, champion, champion]
        assert decisions.champion_since(registry.root, at + DAY_NS, "year") == at
        before = champion


def contend(root, barrier, version, outcomes):
    """Promote a version over the first one, as soon as all others are about to."""
    import ml.learning.models.trained as trained

    trained.fits = lambda model: None
    registry = Registry(DataRoot(root))
    seen = registry.champion()
    barrier.wait()
    try:
        outcomes.put(registry.promote(version, seen, "process", "", override=True)["candidate"])
    except RegistryError as error:
        outcomes.put(f"refused: {error}")


@pytest.mark.promise("D4")
@pytest.mark.slow
def test_of_eight_processes_one_promotes(tried, models):
    """The others are told who the champion is; journal and alias name the winner."""
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(8), context.Queue()
    waiting = [
        context.Process(target=contend, args=(tried.root.root, barrier, str(2 + number % 2), outcomes))
        for number in range(8)
    ]
    for process in waiting:
        process.start()
    found = [outcomes.get(timeout=300) for _ in waiting]
    for process in waiting:
        process.join()
    won = [one for one in found if not one.startswith("refused")]
    refused = [one for one in found if one.startswith("refused: The champion is")]
    assert (len(won), len(refused)) == (1, 7)
    assert all(won[0] in one for one in refused)
    started = Registry(tried.root)
    assert started.reconcile() is None
    assert started.champion() == alias(started, CHAMPION) == won[0]
    assert decisions.verify(tried.root) == 2
