"""The decision on a model of cues: promoted on evidence alone, under a name of its own, and taken back by one call."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.core.config import Config, LayeringPlan
from ml.core.errors import DatasetError, ModelRefused
from ml.core.paths import DEFAULT_EXPERIMENT, LAYERING_MODEL
from ml.layering import adaptive, gates
from ml.layering.families import FOREST_PARAMS
from ml.layering.walk_forward import of_dataset
from ml.learning.candidate import Candidate
from ml.promotion.layering import CueEvidence, decide, train
from ml.promotion.registry import Registry, champion_of
from ml.storage import decisions
from ml.storage.commit import publish
from tests.support.layered import INSTRUMENT
from tests.support.voted import cues


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small models and few draws: what is decided here is clear."""
    monkeypatch.setitem(FOREST_PARAMS, "n_estimators", 5)
    monkeypatch.setattr("ml.layering.families.ROUNDS", 40)
    monkeypatch.setattr(gates, "DRAWS", 200)


def configuration(root, budget=5.0):
    """A cue in two minutes is no usual rate, so the budget is none either."""
    return Config(root.captures, date(2025, 3, 3), None, (INSTRUMENT,), layering=LayeringPlan(budget))


def evidence(root, data, weak=False):
    """Everything before the decision, stored as the assets store it."""
    publish(root, "layering_dataset", root.whole("layering_dataset"), data, "")
    found = of_dataset(data, weak)
    publish(root, "layering_predictions", root.whole("layering_predictions"), found, "")
    return CueEvidence(data, found, train(root, data, weak))


def outcomes(record):
    return {gate["name"]: gate["outcome"] for gate in record["gates"] if gate["outcome"] != "pass"}


def test_a_model_that_beats_the_detector_is_champion_until_it_is_rolled_back(registry):
    """Two of them; the second must beat the first on cues that the first had not seen, and here there are none."""
    root = registry.root
    assert champion_of(root, LAYERING_MODEL) is None
    first = decide(root, configuration(root), registry, evidence(root, cues(300, noise=0.1)))
    assert (first["decision"], outcomes(first)) == ("promote", {})
    assert champion_of(root, LAYERING_MODEL).id == first["candidate"]
    assert registry.champion() is None, "the direction model has a name and a journal of its own"

    second = decide(root, configuration(root), registry, evidence(root, cues(320, seed=2, noise=0.1)))
    assert second["decision"] == "insufficient"
    assert outcomes(second) == {"pr_auc_champion": "insufficient"}

    models = Registry(root, LAYERING_MODEL)
    later = content_promoted(models, second)
    assert models.champion() == second["candidate"] == later["candidate"]
    back = models.rollback(None, "ann", "too many false alarms")
    assert models.champion() == first["candidate"] == back["candidate"]
    assert champion_of(root, LAYERING_MODEL).id == first["candidate"]
    assert decisions.verify(root, LAYERING_MODEL) == 4
    assert decisions.verify(root, DEFAULT_EXPERIMENT) == 0


def content_promoted(models, record):
    """The same candidate put into force by hand."""
    content = {"decision": "promote", "candidate": record["candidate"], "champion_before": record["champion_before"]}
    return models.commit(content | {"evidence": "by hand"}, record["mlflow_run"])


def test_the_same_evidence_is_decided_once(registry):
    root = registry.root
    given = evidence(root, cues(300, noise=0.1))
    assert decide(root, configuration(root), registry, given) == decide(root, configuration(root), registry, given)
    assert decisions.verify(root, LAYERING_MODEL) == 1


def test_labels_of_chance_promote_nothing(registry):
    """The model is registered as candidate, and refused or found insufficient; nothing serves."""
    root = registry.root
    data = cues(300)
    record = decide(
        root, configuration(root), registry, evidence(root, data.with_columns(pl.col("label").shuffle(seed=1)))
    )
    assert record["decision"] in ("refuse", "insufficient")
    assert "pr_auc_detector" in outcomes(record)
    assert champion_of(root, LAYERING_MODEL) is None
    assert [one.model_id for one in Registry(root, LAYERING_MODEL).versions()] == [record["candidate"]]


def test_too_few_labels_are_insufficient(registry):
    """No model, every gate says so, and the first says what is missing."""
    root = registry.root
    record = decide(root, configuration(root), registry, evidence(root, cues(60)))
    assert (record["decision"], record["candidate"], record["mlflow_version"]) == ("insufficient", None, None)
    assert set(outcomes(record).values()) == {"insufficient"}
    assert "40 more labels" in record["gates"][0]["detail"]


def test_cues_that_are_all_one_episode_decide_nothing(registry):
    """Enough labels for a model, but none that it could be tested on."""
    root = registry.root
    record = decide(root, configuration(root), registry, evidence(root, cues(150, apart_s=12)))
    assert (record["decision"], record["scores"]) == ("insufficient", {})
    assert set(outcomes(record)) == {"pr_auc_detector", "pr_auc_legacy_rule", "false_alarms", "brier"}


def test_a_budget_that_is_not_kept_refuses(registry):
    """A tenth of a false alarm an hour where ten hours of cues hold more."""
    root = registry.root
    record = decide(root, configuration(root, budget=0.01), registry, evidence(root, cues(300, noise=0.6)))
    assert (record["decision"], outcomes(record)["false_alarms"]) == ("refuse", "fail")


def test_a_candidate_of_another_data_set_is_no_evidence(registry):
    root = registry.root
    given = evidence(root, cues(60))
    with pytest.raises(DatasetError, match="Materialize layering_model"):
        decide(root, configuration(root), registry, replace(given, candidate=Candidate(None, "another")))


def test_a_champion_of_other_code_does_not_serve(registry, monkeypatch):
    root = registry.root
    decide(root, configuration(root), registry, evidence(root, cues(300, noise=0.1)))
    monkeypatch.setattr(adaptive, "code_version", lambda parts: "layering 99")
    with pytest.raises(ModelRefused, match="layering 99"):
        champion_of(root, LAYERING_MODEL)
