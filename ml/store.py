"""The commit protocol: a reader sees the old file or the new one, never a part or a mixture.

Here: stage, sync, verify, rename, sync the folder, append to the manifest; reading the manifest; the sweep at start-up.
Add here: whatever makes a stored file safer.
Not here: where files lie (`ml.paths`), which columns they hold (`ml.schemas`).

One writer per table, by a file lock that the kernel frees when its holder dies. The bytes of a parquet file depend on
the frame alone: they carry no run, no time and no path, so a rebuilt partition has the same sha256.
"""

import hashlib
import json
import os
import signal
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from filelock import FileLock, Timeout

from ml.errors import StoreError
from ml.paths import DataRoot

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1 << 17
LOCK_SECONDS = 600


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


def publish(root: DataRoot, table: str, path: Path, frame: pl.DataFrame, code_version: str) -> Entry:
    """Store a frame as the file `path` of `table`, replacing what stands there, and record it in the manifest.

    Raises:
        StoreError: another writer held the table for ten minutes, or the written file does not read back equal.
    """
    import pyarrow.parquet as pq

    with writer(root, table):
        staged = root.staging / table / f"{os.getpid()}-{path.name}"
        staged.parent.mkdir(parents=True, exist_ok=True)
        arrow = frame.rechunk().to_arrow()
        with staged.open("wb") as sink:
            pq.write_table(arrow, sink, compression="zstd", row_group_size=ROW_GROUP, write_page_checksum=True)
            _crash("staged")
            sink.flush()
            os.fsync(sink.fileno())
        _crash("synced")
        _verify(staged, arrow)
        entry = _entry(root, path, staged, frame, code_version)
        _crash("verified")
        if manifest(root, table).get(entry.path) == entry and path.exists() and sha256_file(path) == entry.sha256:
            staged.unlink()  # the same bytes stand there already: readers need not notice
            return entry
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(path)
        _crash("renamed")
        sync_folder(path.parent)
        _crash("folder_synced")
        append_line(root.manifest(table), json.dumps(asdict(entry), sort_keys=True))
        _crash("listed")
    return entry


def writer(root: DataRoot, table: str) -> FileLock:
    """The lock of a table's single writer, to be used as a context manager."""
    return FileLock(_lock_path(root, table), timeout=LOCK_SECONDS)


def manifest(root: DataRoot, table: str) -> dict[str, Entry]:
    """The table's published files by relative path; the last line about a path counts."""
    path = root.manifest(table)
    if not path.exists():
        return {}
    entries: dict[str, Entry] = {}
    for line in path.read_text().splitlines():
        try:
            entry = Entry(**json.loads(line))
        except json.JSONDecodeError:
            continue  # torn by a power cut; the sweep lists the file anew
        entries[entry.path] = entry
    return entries


def read(path: Path) -> pl.LazyFrame:
    """The stored table file as a lazy frame over its bytes, read at once.

    Readers that are given a path open it more than once, and fail if it is replaced in between.

    Raises:
        StoreError: there is no such file.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist. Materialize the asset that makes it.")
    return pl.scan_parquet(path.read_bytes())


def sweep(root: DataRoot, tables: Iterable[str]) -> list[str]:
    """Heal what a killed writer left: drop staged leftovers, list unlisted files, quarantine unreadable ones.

    A table whose writer is alive is left alone. Returns one line per thing that was done.
    """
    done: list[str] = []
    for table in tables:
        try:
            with FileLock(_lock_path(root, table), timeout=0):
                done += _sweep_table(root, table)
        except Timeout:
            continue
    return done


def append_line(path: Path, line: str) -> None:
    """Append one line and sync it; a torn last line left by a power cut is closed off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as sink:
        size = sink.seek(0, os.SEEK_END)
        torn = size > 0 and _last_byte(sink, size) != b"\n"
        sink.write((b"\n" if torn else b"") + line.encode() + b"\n")
        sink.flush()
        os.fsync(sink.fileno())


def write_text(path: Path, text: str) -> None:
    """Replace a small text file in one step, synced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    with staged.open("w") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    staged.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _verify(staged: Path, written: "pa.Table") -> None:
    import pyarrow.parquet as pq

    back = pq.read_table(staged, page_checksum_verification=True)
    if not back.equals(written.cast(back.schema)):
        raise StoreError(f"{staged} does not read back as it was written. Check the disk and run the step again.")


def _entry(root: DataRoot, path: Path, staged: Path, frame: pl.DataFrame, code_version: str) -> Entry:
    clock = next((c for c in ("ts", "event_ts", "start_ts", "recv_ts") if c in frame.columns), None)
    schema = json.dumps([(name, str(dtype)) for name, dtype in frame.schema.items()])
    return Entry(
        path=str(path.relative_to(root.root)),
        sha256=sha256_file(staged),
        rows=frame.height,
        bytes=staged.stat().st_size,
        schema_hash=hashlib.sha256(schema.encode()).hexdigest()[:16],
        code_version=code_version,
        min_ts=None if clock is None else frame[clock].min(),  # type: ignore[arg-type]
        max_ts=None if clock is None else frame[clock].max(),  # type: ignore[arg-type]
    )


def _lock_path(root: DataRoot, table: str) -> Path:
    lock = root.lock(table)
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def _sweep_table(root: DataRoot, table: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    done: list[str] = []
    for leftover in sorted((root.staging / table).glob("*")):
        leftover.unlink()
        done.append(f"{table}: removed the unfinished {leftover.name}")
    listed = manifest(root, table)
    listed_at = root.manifest(table).stat().st_mtime_ns if listed else 0
    for path in sorted(root.table(table).rglob("*.parquet")):
        if str(path.relative_to(root.root)) in listed and path.stat().st_mtime_ns <= listed_at:
            continue
        try:
            frame = pl.from_arrow(pq.read_table(path, page_checksum_verification=True))
        except (OSError, pa.ArrowInvalid) as error:
            home = root.quarantine / table / path.name
            home.parent.mkdir(parents=True, exist_ok=True)
            path.replace(home)
            done.append(f"{table}: set aside the unreadable {path.name} ({error})")
            continue
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table reads as a frame, never as a series
        append_line(root.manifest(table), json.dumps(asdict(_entry(root, path, path, frame, "swept")), sort_keys=True))
        done.append(f"{table}: listed {path.name}, which stood in place without an entry")
    return done


def _last_byte(source: object, size: int) -> bytes:
    source.seek(size - 1)  # type: ignore[attr-defined]
    return source.read(1)  # type: ignore[attr-defined]


def _crash(step: str) -> None:
    """Die here when the test of this step asks for it; a real SIGKILL, so nothing is cleaned up."""
    if os.environ.get("LOBFORGE_CRASH_AT") == step:
        os.kill(os.getpid(), signal.SIGKILL)
