"""A Dagster backfill as the UI asks for one, by the daemon's own code: `python -m ... TOLD KEY...`.

In a process of its own: the definitions list the dates and instruments of the data root that the environment names.
Runs are executed one after the other by this process. The file TOLD then holds, as JSON, the tally of each partition
that the materialization of its events shows in the UI.
"""

import json
import logging
import sys
import time
from pathlib import Path

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration

SERIAL = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
}
ASSETS = ("archive_files", "raw_frames", "book_events", "trades", "validity", "trade_validity", "quarantine")
TALLIED = "book_events"
"""The asset whose metadata are the decoder's tally."""


def backfill(keys: list[str], told: Path) -> BulkActionStatus:
    """Backfill the partitions of the assets that follow from files; returns how it ended."""
    from pipelines.definitions import defs

    graph = defs().resolve_asset_graph()
    target = ModuleTarget("pipelines.definitions", None, str(Path.cwd()), "lobforge")
    with (
        dg.instance_for_test(overrides=SERIAL) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):
        instance.add_dynamic_partitions("instrument", sorted({key.partition("|")[2] for key in keys}))
        asked = PartitionBackfill.from_asset_partitions(
            "all",
            graph,
            keys,
            [dg.AssetKey(name) for name in ASSETS],
            time.time(),
            {},
            instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
        instance.add_backfill(asked)
        while (found := instance.get_backfill("all")).status == BulkActionStatus.REQUESTED:
            errors = [e for e in execute_backfill_iteration(context, logging.getLogger("backfill")) if e is not None]
            assert errors == [], errors
        failed = [run.run_id for run in instance.get_runs() if run.status != dg.DagsterRunStatus.SUCCESS]
        print(found.status, len(instance.get_runs()), "runs", failed)
        told.write_text(json.dumps(tallies(instance)))
        return found.status if not failed else BulkActionStatus.FAILED


def tallies(instance: dg.DagsterInstance) -> dict[str, dict[str, int]]:
    """What the materializations of events have counted, by partition."""
    made = instance.fetch_materializations(dg.AssetKey(TALLIED), limit=1_000).records
    shown = ((record.partition_key, record.asset_materialization) for record in made)
    return {
        key: {name: value.value for name, value in one.metadata.items() if isinstance(value.value, int)}
        for key, one in shown
        if key is not None and one is not None
    }


if __name__ == "__main__":
    sys.exit(backfill(sys.argv[2:], Path(sys.argv[1])) != BulkActionStatus.COMPLETED_SUCCESS)
