"""Checks of a data root, each with a fix.

One function per check; none changes anything. Repairs belong to `pipelines.setup`.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import time

from ml.catalog.tables import TABLES
from ml.core import config, kernel_cache
from ml.core.addresses import read_only
from ml.core.errors import CaptureError, LobforgeError
from ml.core.paths import DataRoot
from ml.core.versions import outdated
from ml.learning import experiment
from ml.market.files import captures
from ml.storage import commit, decisions, verify
from pipelines.setup import instance_of

MIN_FREE_BYTES = 1 << 30
LAUNCHER = "pipelines.launcher"
SILENT_SECONDS = 180
"""A daemon beats each half minute; a busy machine may hold up a few beats."""


@dataclass(frozen=True)
class Finding:
    """One answer; `fatal` means that nothing can run."""

    ok: bool
    what: str
    fix: str = ""
    fatal: bool = False


def examine(root: DataRoot) -> list[Finding]:
    """Ask everything; nothing more where there is no configuration."""
    try:
        configuration = config.load(root)
    except LobforgeError as error:
        fix = f"fix {root.config} by hand" if root.config.exists() else "lobforge init"
        return [Finding(False, str(error), fix, fatal=True)]
    found = [Finding(True, f"{root.config}: {len(configuration.ids)} instruments from {configuration.first_date}")]
    found += _experiments(root)
    found += [*_captures(configuration), *_stores(root), *_daemon(root), *_disk(root), *_compiled(), *_files(root)]
    return [*found, *_decisions(root)]


def _experiments(root: DataRoot) -> Iterator[Finding]:
    try:
        yield Finding(True, f"experiments: {', '.join(experiment.load(root))}")
    except LobforgeError as error:
        yield Finding(False, str(error), f"fix {root.config} by hand")


def _captures(configuration: config.Config) -> Iterator[Finding]:
    try:
        yield Finding(True, f"{configuration.captures}: {len(captures.find(configuration.captures))} capture files")
    except CaptureError as error:
        yield Finding(False, str(error), "point `captures` in lobforge.toml at the directory of capture files")


def _stores(root: DataRoot) -> Iterator[Finding]:
    for name, path in (
        ("model store", root.mlflow / "mlflow.db"),
        ("Dagster instance", root.dagster_home / "dagster.yaml"),
    ):
        yield Finding(path.exists(), f"{name} {path}", "lobforge init", fatal=True)
    instance = root.dagster_home / "dagster.yaml"
    if instance.exists() and LAUNCHER not in instance.read_text():
        yield Finding(
            False,
            f"{instance} does not name {LAUNCHER}: a run whose process dies stays started for ever",
            "move it away and run lobforge init, then add your own settings to the new file",
        )
    for database in (root.mlflow / "mlflow.db", *root.dagster_home.glob("**/*.db")):
        if database.exists():
            answer = _quick_check(database)
            yield Finding(
                answer == "ok", f"{database.relative_to(root.root)}: {answer}", "restore it from a backup", fatal=True
            )


def _daemon(root: DataRoot) -> Iterator[Finding]:
    """Whether the daemon still runs, where one ever did: without it nothing starts by itself."""
    damaged = any(_quick_check(database) != "ok" for database in root.dagster_home.glob("**/*.db"))
    if damaged or not (root.dagster_home / "dagster.yaml").exists():
        return  # it has a finding of its own
    with instance_of(root) as known:
        beats = [beat.timestamp for beat in known.get_daemon_heartbeats().values()]
    if not beats:
        return
    age = time() - max(beats)
    alive = age <= SILENT_SECONDS
    what = "the Dagster daemon runs" if alive else f"the Dagster daemon has been silent for {age / 60:.0f} min"
    fix = "restart `lobforge ui` or the service `daemon`: no schedule, sensor or backfill runs without it"
    yield Finding(alive, what, fix)


def _quick_check(database: Path) -> str:
    try:
        with closing(read_only(database)) as connection:
            return connection.execute("pragma quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return str(error)


def _disk(root: DataRoot) -> Iterator[Finding]:
    free = shutil.disk_usage(root.root).free
    yield Finding(free > MIN_FREE_BYTES, f"{free / 1e9:.1f} GB free", "free at least 1 GB on the disk of the data root")


def _compiled() -> Iterator[Finding]:
    kept = kernel_cache.folder()
    what = kernel_cache.missing() if kept is None else f"compiled code is kept in {kept}"
    yield Finding(kept is not None, what, "set LOBFORGE_CACHE_DIR to a folder that this user can write to")


def _files(root: DataRoot) -> Iterator[Finding]:
    for table in verify.tables(root):
        if table not in TABLES:
            yield Finding(
                False,
                f"{table}: no such table is known, and {root.manifest(table)} lists files of it",
                "run the version of lobforge that made it, or move its folder and manifest away",
            )
    for table in TABLES:
        entries = commit.manifest(root, table)
        missing = [path for path in entries if not (root.root / path).exists()]
        if missing:
            yield Finding(
                False,
                f"{table}: {len(missing)} of {len(entries)} listed files are missing (first {missing[0]})",
                f"materialize {table} again",
            )
        old = [(path, first) for path, entry in entries.items() if (first := outdated(table, entry.code_version))]
        if old:
            yield Finding(
                False,
                f"{table}: {len(old)} of {len(entries)} files were made by older code (first {old[0][0]})",
                f"materialize {old[0][1]} and what is downstream of it",
            )
        unlisted = [p for p in root.table(table).rglob("*.parquet") if str(p.relative_to(root.root)) not in entries]
        if unlisted:
            yield Finding(
                False, f"{table}: {len(unlisted)} files are in no manifest (first {unlisted[0].name})", "lobforge init"
            )


def _decisions(root: DataRoot) -> Iterator[Finding]:
    try:
        count = sum(decisions.verify(root, name) for name in decisions.names(root))
        yield Finding(True, f"{count} decisions, hash chains intact")
    except LobforgeError as error:
        yield Finding(False, str(error), "restore the decisions folder from a backup")
