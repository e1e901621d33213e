"""Creating a data root: folders, configuration, Dagster instance and model store, once, whoever comes first.

Here: `initialise`, which every entry calls.
Not here: the commands (`cli.init`, `cli.ui`, `cli.demo`).

Two processes that create the same SQLite stores at once brick them, so all of it happens under one file lock.
"""

import os
from pathlib import Path

from filelock import FileLock

from ml.catalog.tables import TABLES
from ml.core import config
from ml.core.addresses import addressable
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.storage import durable
from ml.storage.repair import sweep

PROJECT = Path(__file__).parents[1]


def initialise(root: DataRoot, wanted: Config) -> list[str]:
    """Create what is missing below a data root and repair what a killed process left; returns what was done."""
    done: list[str] = []
    root.root.mkdir(parents=True, exist_ok=True)
    with FileLock(root.root / ".init.lock", timeout=300):
        if not root.config.exists():
            durable.write_text(root.config, config.render(wanted))
            done.append(f"wrote {root.config}")
        done += _dagster(root)
        done += sweep(root, TABLES)
        done += _registry(root)
    return done


def _dagster(root: DataRoot) -> list[str]:
    import dagster as dg

    home = root.dagster_home
    os.environ["DAGSTER_HOME"] = str(addressable(home.resolve()))
    if (home / "dagster.yaml").exists():
        return []
    home.mkdir(parents=True, exist_ok=True)
    durable.write_text(home / "dagster.yaml", (PROJECT / "dagster.yaml").read_text())
    with dg.DagsterInstance.get() as instance:
        instance.get_run_records(limit=1)
        instance.get_latest_materialization_event(dg.AssetKey("raw_frames"))
    return [f"created the Dagster instance in {home}"]


def _registry(root: DataRoot) -> list[str]:
    fresh = not (root.mlflow / "mlflow.db").exists()
    from ml.promotion.registry import Registry

    moved = Registry(root).reconcile()
    return ([f"created the model store in {root.mlflow}"] if fresh else []) + ([moved] if moved else [])
