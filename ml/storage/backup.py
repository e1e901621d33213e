"""Backup of a data root while writers run, and restore.

This module defines what a backup contains, copies each part in a consistent state, and restores into an empty data
root. Checking stored files belongs to `ml.storage.verify`.

Published files are copied as listed in their manifests, databases through SQLite's online backup, decisions and the
model store under the registry's lock. The index is written last: a folder without it is not a backup. Not included:
compiled code, files being written, data roots inside the data root, and captures unless requested.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ml.core.addresses import read_only
from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.storage import commit, durable, verify
from ml.storage.verify import Fault

INDEX = "backup.json"
FORMAT = 1
CAPTURES = "captures"
BESIDE = ("-wal", "-shm", "-journal", ".lock")
"""What SQLite and locks keep beside their files; it means nothing elsewhere."""
ALLOWED = frozenset(("README.md",))
"""What may lie in an empty data root."""


@dataclass(frozen=True)
class Kept:
    """One file of a backup; `path` is relative to the data root."""

    path: str
    sha256: str
    bytes: int


@dataclass
class Summary:
    """What was copied; `left_out`: why a file could not be copied whole; `faults` as in `ml.storage.verify`."""

    folder: str
    files: int = 0
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def backup(root: DataRoot, folder: Path, captures: bool = False) -> Summary:
    """Copy a data root into an empty folder; damaged files are left out and named.

    Raises:
        StoreError: there is no data root, the folder is not empty or lies inside it, or a writer held a table for ten
            minutes.
    """
    if not root.config.exists():
        raise StoreError(
            f"{root.root} is not a data root: it has no {root.config.name}. Point LOBFORGE_DATA_ROOT at it."
        )
    if folder.resolve().is_relative_to(root.root.resolve()):
        raise StoreError(f"{folder} lies inside the data root {root.root}. Name a folder outside, on another disk.")
    _demand_empty(folder, frozenset())
    copy = _Copy(root, DataRoot(folder))
    with commit.writer(root, "registry"):
        copy.databases(root.mlflow)
        copy.tree(root.decisions)
    for table in verify.tables(root):
        if captures or table != CAPTURES:
            copy.table(table)
    for place in (root.dagster_home, root.layering):
        copy.databases(place)
    for place in (root.mlflow, root.dagster_home, root.documents, root.models, root.quarantine):
        copy.tree(place)
    if captures:
        for place in (root.captures, root.journals, root.meta / CAPTURES):
            copy.tree(place)
    copy.file(root.config)
    index = {"format": FORMAT, "root": root.root.resolve().as_uri(), "files": [asdict(one) for one in copy.kept]}
    durable.write_text(folder / INDEX, json.dumps(index, indent=0))
    return Summary(str(folder), len(copy.kept), sum(one.bytes for one in copy.kept), copy.left_out)


def restore(folder: Path, root: DataRoot) -> Summary:
    """Copy a backup into an empty data root, after all of it was read and found whole.

    Raises:
        StoreError: the folder holds no finished backup, a file of it is missing or changed, or the data root is not
            empty.
    """
    old, files = _index(folder)
    _demand_empty(root.root, ALLOWED)
    bad = [one.path for one in files if not _whole(folder / one.path, one)]
    if bad:
        raise StoreError(
            f"{folder}: {len(bad)} of {len(files)} files are missing or changed (first {bad[0]}). "
            "Nothing was restored. Use another backup."
        )
    for one in sorted(files, key=lambda one: one.path == root.config.name):  # last: without it nothing runs on a part
        if _copied(folder / one.path, root.root / one.path).sha256 != one.sha256:
            raise StoreError(
                f"{one.path} was not copied completely. Check the disk, empty {root.root} and restore again."
            )
    _move_addresses(root.mlflow / "mlflow.db", old + "/", root.root.resolve().as_uri() + "/")
    return Summary(str(root.root), len(files), sum(one.bytes for one in files), faults=verify.verify(root).faults)


class _Copy:
    """A backup in the making."""

    def __init__(self, root: DataRoot, target: DataRoot) -> None:
        self.root = root
        self.target = target
        self.kept: list[Kept] = []
        self.left_out: list[str] = []

    def file(self, path: Path) -> None:
        name = path.relative_to(self.root.root).as_posix()
        self.kept.append(Kept(name, **vars(_copied(path, self.target.root / name))))

    def tree(self, folder: Path) -> None:
        """Every file below a folder that was not copied yet; one that vanishes meanwhile belonged to no state."""
        known = {one.path for one in self.kept}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(self.root.root).as_posix()
            if not path.is_file() or name in known or name.endswith((*BESIDE, ".db")):
                continue
            try:
                self.file(path)
            except FileNotFoundError:
                continue

    def databases(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*.db")):
            name = path.relative_to(self.root.root).as_posix()
            target = self.target.root / name
            durable.make_folder(target.parent)
            try:
                with closing(read_only(path)) as live, closing(sqlite3.connect(target)) as copy:
                    live.backup(copy)
            except sqlite3.DatabaseError as error:
                target.unlink(missing_ok=True)
                self.left_out.append(f"{name}: {error}")
                continue
            durable.sync_folder(target.parent)
            self.kept.append(Kept(name, commit.sha256_file(target), target.stat().st_size))

    def table(self, table: str) -> None:
        """The published files of a table, and a manifest of those alone."""
        entries = commit.manifest(self.root, table).values()
        entries = [found for entry in entries if (found := self._entry(table, entry))]
        manifest = self.target.manifest(table)
        durable.write_text(manifest, "".join(json.dumps(vars(entry), sort_keys=True) + "\n" for entry in entries))
        name = manifest.relative_to(self.target.root).as_posix()
        self.kept.append(Kept(name, commit.sha256_file(manifest), manifest.stat().st_size))

    def _entry(self, table: str, entry: commit.Entry) -> commit.Entry | None:
        """Copy a published file; the entry of what was copied, None if it is at fault."""
        name = entry.path
        copied = self._try(entry.path)
        if copied is None or copied.sha256 != entry.sha256:  # replaced meanwhile, or at fault
            with commit.writer(self.root, table):
                entry = commit.manifest(self.root, table)[name]
                copied = self._try(name)
        if copied is None or copied.sha256 != entry.sha256:
            (self.target.root / name).unlink(missing_ok=True)
            why = "it is listed but missing" if copied is None else "its bytes differ from the listed checksum"
            self.left_out.append(f"{name}: {why}")
            return None
        self.kept.append(Kept(name, **vars(copied)))
        return entry

    def _try(self, name: str) -> "_Bytes | None":
        source = self.root.root / name
        return _copied(source, self.target.root / name) if source.exists() else None


@dataclass(frozen=True)
class _Bytes:
    sha256: str
    bytes: int


def _copied(source: Path, target: Path) -> _Bytes:
    """Copy a file, synced, and hash what was read."""
    digest = hashlib.sha256()
    size = 0
    try:
        durable.make_folder(target.parent)
        with source.open("rb") as reading, target.open("wb") as writing:
            while chunk := reading.read(1 << 20):
                digest.update(chunk)
                size += writing.write(chunk)
            durable.sync(writing)
        durable.sync_folder(target.parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(
            f"{source} could not be copied to {target}: {error}. Check the free space of the disk."
        ) from error
    return _Bytes(digest.hexdigest(), size)


def _whole(path: Path, one: Kept) -> bool:
    return path.is_file() and commit.sha256_file(path) == one.sha256


def _demand_empty(folder: Path, allowed: Iterable[str]) -> None:
    found = sorted({path.name for path in folder.iterdir()} - set(allowed)) if folder.is_dir() else []
    if found or (folder.exists() and not folder.is_dir()):
        raise StoreError(
            f"{folder} is not empty: it contains {len(found)} entries (first {found[:1]}). Name an empty folder."
        )


def _index(folder: Path) -> tuple[str, list[Kept]]:
    """Address of the data root that was copied, and the files."""
    path = folder / INDEX
    if not path.is_file():
        raise StoreError(f"{folder} holds no {INDEX}: it is not a backup, or an incomplete one. Name another folder.")
    try:
        index = json.loads(path.read_text())
        files = [Kept(**one) for one in index["files"]]
        unsafe = [one.path for one in files if Path(one.path).is_absolute() or ".." in Path(one.path).parts]
        if index["format"] != FORMAT or unsafe:
            raise ValueError(f"format {index['format']}, {len(unsafe)} paths outside {unsafe[:1]}")
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Use another backup.") from error
    return index["root"], files


def _move_addresses(database: Path, old: str, new: str) -> None:
    """Let addresses in the model store that lie below the old data root lie below the new one."""
    if old == new or not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f'pragma table_info("{table}")').fetchall():
                if kind.upper().startswith(("VARCHAR", "TEXT")):
                    connection.execute(
                        f'update "{table}" set "{column}" = ? || substr("{column}", ?) '  # noqa: S608 - its own names
                        f'where substr("{column}", 1, ?) = ?',
                        (new, len(old) + 1, len(old), old),
                    )
