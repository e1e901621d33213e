"""A challenger on stored days: scored, compared and decided on as the policy says, through the job `challenge`."""

from datetime import date

import dagster as dg
import pytest

from ml.core.config import Config, LifecyclePlan, render
from ml.core.paths import DEFAULT_EXPERIMENT, FEATURE_GROUP
from ml.promotion.registry import Registry
from ml.promotion.replay import columns
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish
from ml.storage.durable import write_text
from pipelines.definitions import build_defs
from tests.support import lives
from tests.support.command import lobforge
from tests.support.lives import START, stored, trained

DATE = "2025-03-03"
HOURS = 7
PLAN = LifecyclePlan(shadow_hours=3, split_hours=2, look_hours=0.5, watch_hours=2)


@pytest.fixture(scope="module")
def models():
    return [trained(skill) for skill in (0.0, 0.6)]


@pytest.fixture
def challenged(root, models):
    """A root with stored rows, and a skilled challenger of a champion without skill, since the first of them."""
    day = date.fromisoformat(DATE)
    write_text(root.config, render(Config(root.captures, day, day, (INSTRUMENT,), lifecycle=PLAN)))
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, DATE, INSTRUMENT.id), stored(HOURS), "")
    lives.challenged(root, models)
    return root


def look(root):
    """Run the job once, and return what it decided."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("experiment", [DEFAULT_EXPERIMENT])
        job = build_defs(root).resolve_job_def("challenge")
        made = job.execute_in_process(instance=instance, partition_key=DEFAULT_EXPERIMENT)
        assert made.success
        return made.output_for_node("deployment"), made.output_for_node("ab_report")


def test_a_better_challenger_is_promoted_on_stored_days(challenged, models):
    """One step a run: split after the shadow, promoted after the split, then nothing; the record holds every look."""
    first, report = look(challenged)
    assert (first["decision"], report["outcome"], report["stage"]) == ("split", "better", "shadow")
    registry = Registry(challenged)
    assert registry.champion() == models[0].id
    assert registry.life().since > START  # decided now: no stored row is of the split yet
    second, report = look(challenged)
    assert (second, report["outcome"]) == ({}, "better")
    assert (first["asked"], first["approver"]) == ("by hand", "lifecycle policy")
    assert first["policy"]["shadow_hours"] == PLAN.shadow_hours
    last = first["comparison"]["looks"][-1]
    assert last["lower"] > 0
    assert last["gain"] > 0.05


def test_the_columns_of_a_replay_are_stored_ones():
    """A replay asks for nothing that the feature store does not hold."""
    from ml.catalog.tables import spec_of

    wanted = columns(10)
    assert set(wanted) <= set(spec_of(FEATURE_GROUP, wanted).schema)


def test_nobody_beside_the_champion_is_nothing_to_compare(challenged):
    """The table is empty, the report says why, and nothing is decided."""
    Registry(challenged).retire("2", "ann", "")
    record, report = look(challenged)
    assert (record, report["rows"], report["waiting"]) == ({}, 0, "nobody is beside the champion")


def test_two_versions_are_compared_by_hand(challenged, models, monkeypatch, capsys):
    """The same rows and the same test, from the command line."""
    import json

    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(challenged.root))
    assert lobforge("models", "compare", "1", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["first"]["model"], told["second"]["model"]) == tuple(model.id for model in models)
    assert told["lower"] > 0
    assert told["second"]["macro_accuracy"] - told["first"]["macro_accuracy"] == pytest.approx(told["gain"])
    assert lobforge("models", "compare", "1", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["gain"] == 0
