"""What we rely on in Dagster's daemon: a run key is asked for once, and what a run leaves in the instance."""

import logging
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.sensor import execute_sensor_iteration

LOCATION = """
from pathlib import Path
import dagster as dg

@dg.asset
def table(): ...

job = dg.define_asset_job("job", [table])

@dg.sensor(job=job, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def watcher():
    return dg.RunRequest(run_key=Path(__file__).with_name("content").read_text())

defs = dg.Definitions([table], jobs=[job], sensors=[watcher])
"""
START = datetime(2025, 3, 5, tzinfo=UTC)
NO_LAUNCH = {"run_launcher": {"module": "dagster._core.test_utils", "class": "MockedRunLauncher"}}


def test_a_run_key_is_run_once(tmp_path):
    """The same key on a later tick makes no second run; another key does."""
    (tmp_path / "location.py").write_text(LOCATION)
    target = PythonFileTarget(str(tmp_path / "location.py"), None, str(tmp_path), "location")
    runs = []
    with (
        dg.instance_for_test(overrides=NO_LAUNCH, temp_dir=str(tmp_path)) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):
        for minute, content in enumerate(("first", "first", "second")):
            (tmp_path / "content").write_text(content)
            with freeze_time(START + timedelta(minutes=minute)):
                list(execute_sensor_iteration(context, logging.getLogger("daemon"), None, None))
            runs.append([run.tags["dagster/run_key"] for run in instance.get_runs()])
        (state,) = instance.all_instigator_state()
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert [tick.status.value for tick in ticks] == ["SUCCESS", "SKIPPED", "SUCCESS"]
    assert runs == [["first"], ["first"], ["second", "first"]]
