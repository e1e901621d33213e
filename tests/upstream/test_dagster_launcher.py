"""What the run launcher relies on in Dagster, all of it private: a code server knows the runs that it started."""

import os
import signal
import time

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test, create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest

from pipelines.launcher import MISSES

OURS = {"run_launcher": {"module": "pipelines.launcher", "class": "MonitoredRunLauncher"}}
LOCATION = """
import os, time
from pathlib import Path
import dagster as dg

@dg.op
def wait():
    new = Path(__file__).with_name("new")
    new.write_text(f"{os.getpid()} {os.getppid()}")
    new.rename(new.with_name("pids"))
    time.sleep(3_600)

@dg.job(executor_def=dg.in_process_executor)
def job():
    wait()

defs = dg.Definitions(jobs=[job])
"""
SECONDS = 60


def soon(found):
    """The first answer that is true."""
    end = time.monotonic() + SECONDS
    while not (answer := found()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return answer


def test_nobody_at_an_address_is_an_error(tmp_path):
    """A code server that is gone is told from one that answers."""
    client = DagsterGrpcClient(socket=str(tmp_path / "socket"), host="localhost")
    with pytest.raises(DagsterUserCodeUnreachableError):
        client.can_cancel_execution(CanCancelExecutionRequest(run_id="any"), timeout=1)


@pytest.mark.slow
def test_who_tells_that_a_run_died(tmp_path):
    """A code server fails a run whose process is killed; if both are killed, only the launcher can tell."""
    (tmp_path / "location.py").write_text(LOCATION)
    target = PythonFileTarget(str(tmp_path / "location.py"), None, str(tmp_path), "location")
    with (
        dg.instance_for_test(overrides=OURS, temp_dir=str(tmp_path)) as instance,
        create_test_daemon_workspace_context(target, instance) as process,
    ):
        workspace = process.create_request_context()
        (job,) = workspace.get_code_location("location").get_repository("__repository__").get_all_jobs()
        origins = {"remote_job_origin": job.get_remote_origin(), "job_code_origin": job.get_python_origin()}

        def asked(run):
            return instance.run_launcher.check_run_worker_health(run).status

        def launched():
            run = create_run_for_test(instance, "job", **origins)
            assert asked(run) == WorkerStatus.RUNNING, "a run that no code server started cannot be asked for"
            instance.launch_run(run.run_id, workspace)
            pids = tmp_path / "pids"
            soon(pids.exists)
            found = [int(pid) for pid in pids.read_text().split()]
            pids.unlink()
            return run, *found

        run, pid, server = launched()
        assert {asked(run) for _ in range(2 * MISSES)} == {WorkerStatus.RUNNING}
        os.kill(pid, signal.SIGKILL)
        soon(lambda: instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE)
        run, pid, server = launched()
        os.kill(server, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        assert [asked(run) for _ in range(MISSES)] == [WorkerStatus.RUNNING] * (MISSES - 1) + [WorkerStatus.NOT_FOUND]
        instance.report_run_failed(instance.get_run_by_id(run.run_id))
