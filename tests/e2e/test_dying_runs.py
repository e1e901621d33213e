"""Runs that die are failed and retried by the daemon, their pool slot freed, and return codes tell a failed check."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from ml.core.paths import DataRoot
from tests.support.daemon import PROJECT, daemon, instance, kill_group, wait_for

LOCATION = """
import os, time
from pathlib import Path
import dagster as dg

HERE = Path(__file__).parent

@dg.asset(pool="heavy")
def table():
    pid = HERE / "pid"
    if not pid.exists():
        pid.write_text(str(os.getpid()))
        time.sleep(3_600)

@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="judged", blocking=True)])
def judged():
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(check_name="sound", passed=False)

job = dg.define_asset_job("job", [table], executor_def=dg.in_process_executor)

@dg.sensor(job=job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def once():
    return dg.RunRequest(run_key="once")

defs = dg.Definitions([table, judged], jobs=[job], sensors=[once])
"""
SECONDS = 400
"""How long is waited for what takes seconds on a quiet machine and never happens without the launcher."""


@pytest.fixture
def location(tmp_path):
    """A code location with one long asset, and a function that starts the daemon on it and on our `dagster.yaml`."""
    root = DataRoot(tmp_path / "data")
    root.dagster_home.mkdir(parents=True)
    (root.dagster_home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
    (tmp_path / "location.py").write_text(LOCATION)
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(f"load_from:\n  - python_file: {tmp_path / 'location.py'}\n")
    with instance(root) as opened:
        opened.event_log_storage.set_concurrency_slots("heavy", 1)
    return tmp_path, lambda: daemon(root, tmp_path / "log", workspace), root


def running(folder: Path) -> int:
    """The process of the first run, once it has begun its asset."""
    pid = folder / "pid"
    return int(wait_for(lambda: pid.exists() and pid.read_text(), SECONDS, folder / "log"))


def statuses(opened: dg.DagsterInstance) -> list[str]:
    """Of all runs, the oldest first."""
    return [run.status.value for run in reversed(opened.get_runs())]


def retried(opened: dg.DagsterInstance, killed: float, log: Path) -> None:
    """Wait until the run is failed and its retry has succeeded; prints how long both took."""
    wait_for(lambda: statuses(opened) == ["FAILURE", "SUCCESS"], SECONDS, log)
    second, first = opened.get_run_records()
    print(f"failed after {first.end_time - killed:.1f} s, retry running after {second.start_time - killed:.1f} s")
    assert first.end_time <= second.start_time
    assert second.dagster_run.parent_run_id == first.dagster_run.run_id


@pytest.mark.slow
@pytest.mark.promise("C2")
def test_a_killed_run_is_failed_and_retried(location):
    """SIGKILL of the run's process alone: the pool has one slot, so the retry runs only if it was freed."""
    folder, start, root = location
    with start(), instance(root) as opened:
        os.kill(running(folder), signal.SIGKILL)
        retried(opened, time.time(), folder / "log")


@pytest.mark.slow
@pytest.mark.promise("C3")
def test_a_run_is_failed_and_retried_after_a_power_cut(location):
    """SIGKILL of daemon, code server and run at once: the next daemon finds the orphan; seconds count from then."""
    folder, start, root = location
    with start() as first:
        running(folder)
        kill_group(first)
    with instance(root) as opened:
        assert statuses(opened) == ["STARTED"]
        with start():
            retried(opened, time.time(), folder / "log")


@pytest.mark.slow
@pytest.mark.promise("C10")
def test_return_codes_of_the_command_line(location):
    """A failed blocking check returns 1, valid definitions return 0."""
    folder, _, root = location
    command = [str(Path(sys.executable).with_name("dagster"))]
    given = ["-f", str(folder / "location.py")]
    environment = os.environ | {"DAGSTER_HOME": str(root.dagster_home)}
    codes = [
        subprocess.run([*command, *arguments, *given], env=environment, cwd=PROJECT, check=False).returncode
        for arguments in (["asset", "materialize", "--select", "judged"], ["definitions", "validate"])
    ]
    assert codes == [1, 0]
