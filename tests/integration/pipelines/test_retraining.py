"""Retraining by stored data: each trigger once, one training at a time, none lost and none doubled."""

import json
from dataclasses import asdict
from datetime import date, timedelta
from uuid import uuid4

import dagster as dg
import numpy as np
import polars as pl
import pytest

from ml.core import config
from ml.core.config import Config, RetrainingPlan, render
from ml.core.paths import DEFAULT_EXPERIMENT, FEATURE_GROUP
from ml.core.time import SECOND
from ml.core.versions import DRIFT, code_version
from ml.learning import experiment
from ml.learning.dataset import PanelRecord, Selection
from ml.learning.tables import SERVED_PREDICTIONS
from ml.promotion import triggers
from ml.promotion.registry import Registry
from ml.promotion.triggers import REFERENCE, Performance
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish
from ml.storage.durable import write_text
from ml.storage.parquet import Parts
from pipelines import sensors
from pipelines.sensors import CONTENT, retraining
from tests.support.lives import stored, trained

FIRST = date(2025, 3, 3)
PLAN = RetrainingPlan(new_days=3, cooldown_hours=24)


def store(root, number, value=0.0):
    """One date's rows."""
    day = (FIRST + timedelta(number)).isoformat()
    publish(
        root,
        FEATURE_GROUP,
        root.partition(FEATURE_GROUP, day, INSTRUMENT.id),
        pl.DataFrame({"ts": [number], "x": [value]}),
        "",
    )
    return day


def train(root):
    """What a training leaves: the panel with what it was made of."""
    wanted = experiment.load(root)[DEFAULT_EXPERIMENT]
    sources = tuple(Selection.of(wanted).sources(root))
    record = PanelRecord("d", sources, None, wanted, wanted.feature_set.hash, {}, {})
    frame = pl.DataFrame({"ts": [1]})
    publish(root, "dataset_panel", root.whole("dataset_panel"), Parts(frame.schema, [frame], notes=record.note()), "")


@pytest.fixture
def trained_once(root):
    """Two stored dates that were trained on."""
    write_text(root.config, render(Config(root.captures, FIRST, FIRST + timedelta(40), (INSTRUMENT,), retraining=PLAN)))
    for number in range(2):
        store(root, number)
    train(root)
    return root


@pytest.fixture
def instance():
    with dg.instance_for_test() as found:
        found.add_dynamic_partitions("experiment", [DEFAULT_EXPERIMENT])
        yield found


def tick(root, instance, cursor=None):
    """The requests of one tick, or why there are none."""
    # closed here: an instance that a context opened would outlive the fixture's
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"data_root": root}) as context:
        found = retraining(context)
    return found.skip_message if isinstance(found, dg.SkipReason) else found.run_requests


def begin(instance, request, status=dg.DagsterRunStatus.SUCCESS):
    """The run that Dagster makes of a request."""
    tags = dict(request.tags) | {"dagster/partition": request.partition_key, "dagster/run_key": request.run_key}
    instance.add_run(dg.DagsterRun("learn", str(uuid4()), tags=tags, status=status))


def test_enough_new_days_train_once(trained_once, instance):
    """Not a day earlier; the key is what is trained on, so that a second tick asks for the same run."""
    for number in range(2, 4):
        store(trained_once, number)
        assert tick(trained_once, instance) == "no trigger"
    store(trained_once, 4)
    (request,) = tick(trained_once, instance)
    content = triggers.content_of(trained_once, experiment.load(trained_once)[DEFAULT_EXPERIMENT])
    assert (request.run_key, request.partition_key) == (f"{DEFAULT_EXPERIMENT}|{content}", DEFAULT_EXPERIMENT)
    assert request.tags["lobforge/trigger"] == "data: 3 new dates from 2025-03-05 on, 3 are enough"
    assert [one.run_key for one in tick(trained_once, instance)] == [request.run_key]


@pytest.mark.promise("C5")
@pytest.mark.parametrize("cursor", [None, "", "anything"])
def test_no_training_is_lost_or_doubled(trained_once, instance, cursor):
    """A tick that was killed before its run asks again; after it the runs are known, whatever the cursor says."""
    for number in range(2, 6):
        store(trained_once, number)
    (request,) = tick(trained_once, instance, cursor)
    (again,) = tick(trained_once, instance, cursor)  # the first one was killed: nothing had begun
    assert again.run_key == request.run_key
    begin(instance, again, dg.DagsterRunStatus.STARTED)
    assert "in flight" in tick(trained_once, instance, cursor)
    store(trained_once, 6)  # other content, while the run goes on
    assert "in flight" in tick(trained_once, instance, cursor)


@pytest.mark.promise("C5")
def test_the_same_content_is_never_trained_twice(trained_once, instance):
    """Also where the run failed: its cause is fixed by hand. New content waits for the cooldown."""
    for number in range(2, 6):
        store(trained_once, number)
    (request,) = tick(trained_once, instance)
    begin(instance, request, dg.DagsterRunStatus.FAILURE)
    assert "was trained on the same content" in tick(trained_once, instance)
    store(trained_once, 6)
    assert "less than the cooldown" in tick(trained_once, instance)


def test_after_the_cooldown_new_content_is_trained(trained_once, instance, monkeypatch):
    """A day later; what is stored by then is in the key."""
    for number in range(2, 6):
        store(trained_once, number)
    (request,) = tick(trained_once, instance)
    begin(instance, request)
    train(trained_once)
    for number in range(6, 9):
        store(trained_once, number)
    assert "less than the cooldown" in tick(trained_once, instance)
    now = sensors.time_ns()
    monkeypatch.setattr(sensors, "time_ns", lambda: now + 25 * 3600 * SECOND)
    (second,) = tick(trained_once, instance)
    assert second.tags[CONTENT] != request.tags[CONTENT]


def test_drift_trains_before_there_are_enough_days(trained_once, instance):
    """On the newest day after the training, and only if something drifted."""
    day = store(trained_once, 2)
    path = trained_once.partition("drift_report", day, INSTRUMENT.id)
    for drifted, asked in ((False, False), (True, True)):
        rows = pl.DataFrame(
            {"feature": ["qi_1"], "distance": [1.0], "threshold": [0.5], "blocks": [3], "drifted": [drifted]}
        )
        publish(trained_once, "drift_report", path, rows, code_version(DRIFT))
        found = tick(trained_once, instance)
        assert isinstance(found, list) == asked
    assert found[0].tags["lobforge/trigger"].startswith("drift: 1 features drifted (first qi_1)")


@pytest.mark.parametrize(
    ("recent", "upper", "asked"), [(0.40, 0.42, True), (0.40, 0.46, False), (0.44, 0.44, False), (None, None, False)]
)
def test_a_drop_of_five_percent_that_is_no_chance_trains(trained_once, instance, recent, upper, asked):
    """Four points of .45 are 9 %; an interval that holds the reference proves nothing; unknown is no drop."""
    store(trained_once, 2)
    drop = None if recent is None else 1 - recent / 0.45
    found = Performance("m", 0.45, recent, recent, upper, drop, 9_000, 0, "")
    write_text(trained_once.document("performance_report"), json.dumps(asdict(found)))
    assert isinstance(tick(trained_once, instance), list) == asked


def test_an_experiment_that_was_never_trained_waits_for_a_person(root, instance):
    """Nothing is known that could have changed."""
    write_text(root.config, render(Config(root.captures, FIRST, FIRST, (INSTRUMENT,))))
    store(root, 0)
    assert tick(root, instance) == "no trigger"


def test_performance_is_that_of_the_answers_that_were_served(root):
    """Live it said the opposite of what a recomputation gives: the log counts, and stored rows where it has none."""
    write_text(root.config, render(Config(root.captures, FIRST, FIRST, (INSTRUMENT,))))
    wanted = experiment.load(root)[DEFAULT_EXPERIMENT]
    rows = stored(4)
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, "2025-03-03", INSTRUMENT.id), rows, "")
    model, registry = trained(0.6), Registry(root)
    model.save(root.model(model.id))
    registry.register(model.id, registry.log_run(root.model(model.id), metrics={REFERENCE: 0.5}))
    registry.promote("1", None, "ann", "", override=True)
    before = triggers.performance(root, wanted, registry, PLAN)
    half = rows.head(rows.height // 2)
    said = model.directions(model.probabilities(half.select(model.card.features).to_numpy()))
    served = half.select("ts", "half_spread", movement="movement_10s", sigma="sigma_10s", label_end="label_end_10s")
    served = served.with_columns(
        experiment=pl.lit(wanted.name),
        model=pl.lit(model.id),
        horizon=10,
        # it withheld every tenth second: that is no answer, and none is recomputed in its place
        predicted=pl.when(pl.int_range(pl.len()) % 10 > 0).then(pl.Series(2 - said)).cast(pl.Int8),
    )
    missing = {name: pl.lit(None, dtype) for name, dtype in SERVED_PREDICTIONS.schema.items() if name not in served}
    table = served.with_columns(**missing).select(SERVED_PREDICTIONS.schema.names()).cast(SERVED_PREDICTIONS.schema)
    publish(
        root, SERVED_PREDICTIONS.name, root.partition(SERVED_PREDICTIONS.name, "2025-03-03", INSTRUMENT.id), table, ""
    )
    found = triggers.performance(root, wanted, registry, PLAN)
    assert (found.served, found.recomputed) == (half.height * 9 // 10, rows.height - half.height)
    assert found.recent < before.lower
    assert found.has_dropped(PLAN)


def test_performance_is_that_of_the_stored_days(root):
    """The champion's answers on rows after its training, with an interval around them; else why it is unknown."""
    write_text(root.config, render(Config(root.captures, FIRST, FIRST, (INSTRUMENT,))))
    wanted = experiment.load(root)[DEFAULT_EXPERIMENT]
    registry = Registry(root)
    assert triggers.performance(root, wanted, registry, PLAN).unknown == "nothing was promoted"
    publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, "2025-03-03", INSTRUMENT.id), stored(4), "")
    for number, reference in enumerate((0.5, None), start=1):
        model = trained(0.6, seed=number)
        model.save(root.model(model.id))
        known = {REFERENCE: reference} if reference else {}
        registry.register(model.id, registry.log_run(root.model(model.id), metrics=known))
        registry.promote(str(number), registry.champion(), "ann", "", override=True)
        found = triggers.performance(root, wanted, registry, config.load(root).retraining)
        if reference:
            assert found.lower < found.recent < found.upper
            assert found.drop == pytest.approx(1 - found.recent / reference)
            assert (found.served, found.recomputed) == (0, 4 * 3600)
            assert np.isfinite(found.recent)
        else:
            assert (found.recent, found.drop, found.unknown) == (None, None, "its run has no score of its folds")
            assert not found.has_dropped(PLAN)
