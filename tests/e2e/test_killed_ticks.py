"""The daemon is killed at each point of a tick that asks for a training: the next one makes it one training."""

import logging
import multiprocessing
import os
import signal
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.sensor import execute_sensor_iteration

from ml.core.config import Config, RetrainingPlan, render
from ml.core.paths import DEFAULT_EXPERIMENT, FEATURE_GROUP
from ml.learning import experiment
from ml.learning.dataset import PanelRecord, Selection
from ml.promotion import triggers
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish
from ml.storage.durable import write_text
from ml.storage.parquet import Parts
from pipelines.sensors import CONTENT

LOCATION = """
import dagster as dg
from ml.core import config, settings
from ml.core.paths import DataRoot
from pipelines.definitions import build_assets, resources_of
from pipelines.jobs import learn
from pipelines.sensors import retraining

root = DataRoot(settings.load().data_root)
assets = build_assets(config.load(root))
defs = dg.Definitions(assets, jobs=[learn], sensors=[retraining], resources=resources_of(root))
"""
POINTS = ("TICK_CREATED", "TICK_HELD", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED")
"""Where Dagster lets a tick be killed, in order."""
START = datetime(2025, 3, 10, tzinfo=UTC)
NO_LAUNCH = {"run_launcher": {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}}
FIRST = date(2025, 3, 3)


@pytest.fixture
def due(root):
    """A data root whose stored days call for a training."""
    plan = RetrainingPlan(new_days=3)
    write_text(root.config, render(Config(root.captures, FIRST, FIRST + timedelta(9), (INSTRUMENT,), retraining=plan)))
    wanted = experiment.load(root)[DEFAULT_EXPERIMENT]
    for number in range(5):
        day = (FIRST + timedelta(number)).isoformat()
        rows = pl.DataFrame({"ts": [number], "x": [0.0]})
        publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, day, INSTRUMENT.id), rows, "")
        if number == 1:
            sources = tuple(Selection.of(wanted).sources(root))
            notes = PanelRecord("d", sources, None, wanted, wanted.feature_set.hash, {}, {}).note()
            panel = pl.DataFrame({"ts": [1]})
            publish(root, "dataset_panel", root.whole("dataset_panel"), Parts(panel.schema, [panel], notes=notes), "")
    return root


def iterate(folder: str, minute: int, killed_at: str | None, runs: "multiprocessing.Queue | None" = None) -> None:
    """One iteration of the daemon in this process; it may be killed at a point of the tick."""
    flags = {"retraining": {killed_at: signal.SIGKILL}} if killed_at else None
    target = PythonFileTarget(os.path.join(folder, "location.py"), None, folder, "location")  # noqa: PTH118
    with (
        dg.instance_for_test(overrides=NO_LAUNCH, temp_dir=folder) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):
        instance.add_dynamic_partitions("experiment", [DEFAULT_EXPERIMENT])
        with freeze_time(START + timedelta(minutes=minute)):
            list(execute_sensor_iteration(context, logging.getLogger("daemon"), None, None, debug_crash_flags=flags))
        if runs is not None:
            runs.put([(run.tags["dagster/run_key"], run.tags[CONTENT]) for run in instance.get_runs()])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.promise("C5")
@pytest.mark.parametrize("point", POINTS)
def test_a_killed_tick_leads_to_one_training(due, tmp_path, monkeypatch, point):
    """Killed, started again, and asked once more: one run, of the content that is stored."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(due.root))
    folder = tmp_path / "daemon"
    folder.mkdir()
    (folder / "location.py").write_text(LOCATION)
    context = multiprocessing.get_context("spawn")
    runs = context.Queue()
    dying = context.Process(target=iterate, args=(str(folder), 0, point))
    dying.start()
    dying.join(240)
    assert dying.exitcode == -signal.SIGKILL
    found = []
    for minute in (2, 4):
        living = context.Process(target=iterate, args=(str(folder), minute, None, runs))
        living.start()
        found.append(runs.get(timeout=240))
        living.join(60)
    content = triggers.content_of(due, experiment.load(due)[DEFAULT_EXPERIMENT])
    assert found == [[(f"{DEFAULT_EXPERIMENT}|{content}", content)]] * 2
