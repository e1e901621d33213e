"""The commit protocol: a reader sees the old file or the new one, never a part or a mixture.

A write stages the file, syncs it, verifies it, renames it, syncs the folder and appends to the manifest. This module
also reads manifests and repairs after a killed writer. Syncing belongs to `ml.storage.durable`, paths to
`ml.core.paths`, columns to `ml.tables.schemas`, the repair at start-up to `ml.storage.repair`.

One writer per table publishes files, under a file lock that the operating system releases when its holder dies.
Writing a file needs no lock, so the days of a backfill are written in parallel. A file being written is locked by its
writer: the repair removes only files whose writer is dead. The bytes of a parquet file depend on the frame alone, not
on the run, the time or the path, so a rebuilt partition has the same sha256.

A writer that dies between rename and manifest leaves a file without its entry, or beside the one of the file that it
replaced. A note that holds the entry, made before the rename, tells the next writer or sweep, so that the version of
the code that made the file is kept. Without that note no entry follows its file: damage is no content.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import polars as pl
from filelock import FileLock, Timeout

from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.core.versions import PARTS_OF, SWEPT, code_version, outdated
from ml.storage import durable, parquet
from ml.storage.parquet import Content, Parts, Stored

LOCK_SECONDS = 3_600
"""A download holds its table's lock until it ends."""


@dataclass(frozen=True)
class Entry:
    """One line of a manifest.

    `path` is relative to the data root; `min_ts` and `max_ts` are ns UTC of the first time column, None without one.
    """

    path: str
    sha256: str
    rows: int
    bytes: int
    schema_hash: str
    code_version: str
    min_ts: int | None
    max_ts: int | None


def publish(root: DataRoot, table: str, path: Path, rows: pl.DataFrame | Parts, code_version: str) -> Entry:
    """Store rows as the file `path` of `table`, replacing what stands there, and record it in the manifest.

    A table in parts is made while it is stored.

    Raises:
        StoreError: another writer held the table for an hour, the disk is full or failed, or the written file does
            not read back equal. What stood there before is whole.
    """
    try:
        with _staging(root, table, path.name) as sink:
            staged = Path(sink.name)
            content = _stage(sink, rows if isinstance(rows, Parts) else Parts(rows.schema, [rows]))
            entry = entry_of(root, path, staged, content, code_version)
            with writer(root, table):
                finish_replacing(root, table)
                known = manifest(root, table).get(entry.path)
                if known == entry and path.exists() and sha256_file(path) == entry.sha256:
                    return entry  # the same bytes stand there already: readers need not notice
                _put(root, table, staged, path, entry)
    except OSError as error:
        raise StoreError(
            f"{table}: {path.name} could not be stored: {error}. "
            f"Check that {root.root} has free space and is writable, then run the step again."
        ) from error
    return entry


@contextmanager
def _staging(root: DataRoot, table: str, name: str) -> Generator[BinaryIO]:
    """A file to make a table in, locked by this writer; it is removed unless it has been put in place."""
    staged = root.staging / table / f"{os.getpid()}-{uuid4().hex}-{name}"
    durable.make_folder(staged.parent)
    with ExitStack() as stack:
        with writer(root, table):  # a sweep sees the file locked or not at all
            sink = stack.enter_context(staged.open("xb"))
            stack.callback(staged.unlink, missing_ok=True)
            fcntl.flock(sink, fcntl.LOCK_EX)
        yield sink


@contextmanager
def writer(root: DataRoot, table: str) -> Generator[None]:
    """Be the table's single writer; waits for the one there is.

    Raises:
        StoreError: it did not let go within an hour.
    """
    lock = FileLock(lock_path(root, table), timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"{table}: another writer has held {lock.lock_file} for {LOCK_SECONDS} s. "
            "Wait for its run to end, or stop it, and run the step again."
        ) from error
    try:
        yield
    finally:
        lock.release()


def manifest(root: DataRoot, table: str) -> dict[str, Entry]:
    """The table's published files by relative path; the last line about a path counts."""
    path = root.manifest(table)
    if not path.exists():
        return {}
    entries: dict[str, Entry] = {}
    for line in path.read_text(errors="replace").splitlines():
        entry = _entry(line)
        if entry is not None:  # else the sweep lists the file again
            entries[entry.path] = entry
    return entries


def require_current(table: str, entries: Iterable[Entry]) -> None:
    """Refuse stored files that older code made, whose numbers may differ from those of the running code.

    Raises:
        StoreError: says how many, the first one, and what to rebuild.
    """
    old = [(entry, first) for entry in entries if (first := outdated(table, entry.code_version))]
    if old:
        entry, first = old[0]
        raise StoreError(
            f"{table}: {len(old)} stored files were made by older code (first {entry.path}: "
            f"{entry.code_version.rpartition('-')[2]}; running: {code_version(PARTS_OF[table])}). "
            f"Materialize {first} and what is downstream of it for these partitions."
        )


def read(path: Path) -> pl.LazyFrame:
    """The stored table file as a lazy frame over its bytes, read at once.

    Readers that are given a path open it more than once, and fail if it is replaced in between.

    Raises:
        StoreError: there is no such file.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist. Materialize its asset.")
    return pl.scan_parquet(path.read_bytes())


def load(path: Path) -> pl.DataFrame:
    """All of a stored file, with the checksum of each page verified.

    Raises:
        StoreError: the file is missing or damaged.
    """
    stored = Stored(path, verify=True)
    return pl.concat([pl.DataFrame(schema=stored.schema), *stored.parts()], rechunk=True)


def entry_of(root: DataRoot, path: Path, staged: Path, content: Content, code_version: str) -> Entry:
    """The entry of the file `staged`, which holds this content and is to stand at `path`."""
    schema = json.dumps([(name, str(dtype)) for name, dtype in content.schema.items()])
    return Entry(
        path=str(path.relative_to(root.root)),
        sha256=sha256_file(staged),
        rows=content.rows,
        bytes=staged.stat().st_size,
        schema_hash=hashlib.sha256(schema.encode()).hexdigest()[:16],
        code_version=code_version,
        min_ts=content.min_ts,
        max_ts=content.max_ts,
    )


def lock_path(root: DataRoot, table: str) -> Path:
    """The file whose lock the writer of a table holds."""
    lock = root.lock(table)
    durable.make_folder(lock.parent)
    return lock


def finish_replacing(root: DataRoot, table: str) -> list[str]:
    """List the file that a dead writer had announced and put in place, with the entry that it had made."""
    note = root.replacing(table)
    if not note.exists():
        return []
    entry = _entry(note.read_text())
    done = list[str]()
    if entry is not None and manifest(root, table).get(entry.path) != entry:
        path = root.root / entry.path
        if path.exists() and sha256_file(path) == entry.sha256:
            _list(root, table, entry)
            done.append(f"{table}: listed {path.name}, whose entry had not been recorded")
    note.unlink()
    return done


def adopt(root: DataRoot, table: str, path: Path, why: str) -> str:
    """List a file that stands in place, or quarantine it if it cannot be read; says which."""
    try:
        content = parquet.content_of(path)
    except StoreError as error:
        home = root.quarantine / path.relative_to(root.root)
        durable.make_folder(home.parent)
        durable.replace(path, home)
        durable.sync_folder(path.parent)
        return f"{table}: quarantined the unreadable {path.name} ({error.__cause__})"
    _list(root, table, entry_of(root, path, path, content, SWEPT))
    return f"{table}: listed {path.name}, {why}"


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _stage(sink: BinaryIO, table: Parts) -> Content:
    content = parquet.write(table, sink)
    durable.sync(sink)
    if parquet.content_of(Path(sink.name)) != content:
        raise StoreError(
            f"{sink.name} reads back differently than it was written. Check the disk and run the step again."
        )
    return content


def _put(root: DataRoot, table: str, staged: Path, path: Path, entry: Entry) -> None:
    """Move the staged file into place and list it."""
    durable.make_folder(path.parent)
    durable.write_text(root.replacing(table), _line(entry))
    durable.replace(staged, path)
    _list(root, table, entry)
    root.replacing(table).unlink()


def _list(root: DataRoot, table: str, entry: Entry) -> None:
    durable.append_line(root.manifest(table), _line(entry))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), sort_keys=True)


def _entry(line: str) -> Entry | None:
    """The entry on a line; None for one that was torn by a power cut, or damaged."""
    try:
        return Entry(**json.loads(line))
    except (json.JSONDecodeError, TypeError):
        return None
