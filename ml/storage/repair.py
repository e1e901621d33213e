"""Repair at start-up: completes or removes what a killed writer left.

Unreadable files are quarantined, never deleted. Writing and listing belong to `ml.storage.commit`.
"""

import fcntl
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from ml.core.paths import DataRoot
from ml.storage.commit import adopt, finish_replacing, lock_path, manifest


def sweep(root: DataRoot, tables: Iterable[str]) -> list[str]:
    """Repair what a killed writer left: drop staged leftovers, list unlisted files, quarantine unreadable ones.

    A table into which a file is just being put is left alone, and so are files in the making. Returns one line per
    thing that was done.
    """
    done: list[str] = []
    for table in tables:
        try:
            with FileLock(lock_path(root, table), timeout=0):
                done += _sweep_table(root, table)
        except Timeout:
            continue
    return done


def _sweep_table(root: DataRoot, table: str) -> list[str]:
    done: list[str] = []
    for leftover in sorted((root.staging / table).glob("*")):
        if _is_abandoned(leftover):
            leftover.unlink()
            done.append(f"{table}: removed the unfinished {leftover.name}")
    done += finish_replacing(root, table)
    entries = manifest(root, table)
    for path in sorted(root.table(table).rglob("*.parquet")):
        if str(path.relative_to(root.root)) not in entries:
            done.append(adopt(root, table, path, "which stood in place without an entry"))
    return done


def _is_abandoned(staged: Path) -> bool:
    """Whether no living writer is at work on a file; one that is done with it may have taken it away."""
    try:
        with staged.open("rb") as found:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
