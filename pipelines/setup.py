"""Creating a data root: folders, configuration, Dagster instance and model store, once, whoever comes first.

Here: `initialise`, which every entry calls.
Not here: the commands (`cli.init`, `cli.ui`, `cli.demo`).

Two processes that create the same SQLite stores at once brick them, so all of it happens under one file lock.
"""

from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ml.catalog.tables import TABLES
from ml.core import config
from ml.core.addresses import addressable
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.learning import experiment
from ml.storage import durable
from ml.storage.repair import sweep

if TYPE_CHECKING:
    import dagster as dg

PROJECT = Path(__file__).parents[1]
HEADER = "# lobforge replaces this file when it is updated, unless you change it; sha256 of the lines below:"


def initialise(root: DataRoot, wanted: Config) -> list[str]:
    """Create what is missing below a data root and repair what a killed process left; returns what was done."""
    done: list[str] = []
    root.root.mkdir(parents=True, exist_ok=True)
    with FileLock(root.root / ".init.lock", timeout=300):
        if not root.config.exists():
            durable.write_text(root.config, config.render(wanted))
            done.append(f"wrote {root.config}")
        done += _dagster(root)
        done += register_experiments(root)
        done += sweep(root, TABLES)
        done += _registry(root)
    return done


def register_experiments(root: DataRoot) -> list[str]:
    """Make each experiment of `lobforge.toml` a partition of the assets that learn; returns what was added.

    Raises:
        SettingsError: one of them is invalid.
    """
    from assets.partitions import experiments

    with instance_of(root) as instance:
        return [
            f"added the experiment {name}" for name in _register(instance, experiments, list(experiment.load(root)))
        ]


@contextmanager
def opened(root: DataRoot) -> "Generator[dg.DagsterInstance]":
    """The Dagster instance of a data root, which knows all instruments and experiments that are listed now."""
    from assets.partitions import INSTRUMENTS, experiments

    with instance_of(root) as instance:
        _register(instance, INSTRUMENTS, config.load(root).ids)
        _register(instance, experiments, list(experiment.load(root)))
        yield instance


def instance_of(root: DataRoot) -> "dg.DagsterInstance":
    """The Dagster instance of a data root, as it is."""
    import dagster as dg

    return dg.DagsterInstance.from_config(str(addressable(root.dagster_home.resolve())))


def _register(
    instance: "dg.DagsterInstance", partitions: "dg.DynamicPartitionsDefinition", wanted: list[str]
) -> list[str]:
    """Add the keys that the instance does not know yet, and return them."""
    known = instance.get_dynamic_partitions(str(partitions.name))
    fresh = [name for name in wanted if name not in known]
    if fresh:
        instance.add_dynamic_partitions(str(partitions.name), fresh)
    return fresh


def _dagster(root: DataRoot) -> list[str]:
    import dagster as dg

    from assets.partitions import INSTRUMENTS

    home = root.dagster_home
    path = home / "dagster.yaml"
    wanted = _signed((PROJECT / "dagster.yaml").read_text())
    found = path.read_text() if path.exists() else None
    home.mkdir(parents=True, exist_ok=True)
    done: list[str] = []
    if found is None:
        done.append(f"created the Dagster instance in {home}")
    elif found != wanted and found == _signed(found.split("\n", 2)[-1]):
        done.append(f"updated {path}")
    if done:
        durable.write_text(path, wanted)
    with instance_of(root) as instance:
        if found is None:  # the first question creates the databases
            instance.get_run_records(limit=1)
            instance.get_latest_materialization_event(dg.AssetKey("raw_frames"))
        _register(instance, INSTRUMENTS, config.load(root).ids)
    return done


def _signed(text: str) -> str:
    """The instance configuration below a line that tells whether a person has changed it."""
    return f"{HEADER}\n# {sha256(text.encode()).hexdigest()}\n{text}"


def _registry(root: DataRoot) -> list[str]:
    fresh = not (root.mlflow / "mlflow.db").exists()
    from ml.promotion.registry import Registry

    moved = Registry(root).reconcile()
    return ([f"created the model store in {root.mlflow}"] if fresh else []) + ([moved] if moved else [])
