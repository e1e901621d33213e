"""Runs whose process died are found and failed, so that they are retried and their slot is free.

Here: the run launcher that `dagster.yaml` names.
Not here: how often it is asked and how often a run is retried (`dagster.yaml`).
"""

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

TIMEOUT_SECONDS = 3
MISSES = 2
"""How often in a row a run must be unknown: a busy code server may answer late."""


class MonitoredRunLauncher(DefaultRunLauncher):
    """The default launcher, which also asks the code server that started a run whether it still knows it."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._missed: dict[str, int] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """So that Dagster asks."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run lives; it is not found once the second question in a row has no answer.

        A run that no code server started, such as one of `lobforge demo`, cannot be asked for and is left alone.
        """
        client = self._get_grpc_client_for_termination(run.run_id)
        missed = 0 if client is None or _knows(client, run.run_id) else self._missed.pop(run.run_id, 0) + 1
        if missed >= MISSES:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its code server does not know it: the process died")
        if missed:
            self._missed[run.run_id] = missed
        else:
            self._missed.pop(run.run_id, None)
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _knows(client: DagsterGrpcClient, run_id: str) -> bool:
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=TIMEOUT_SECONDS)
    except DagsterUserCodeUnreachableError:
        return False
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel
