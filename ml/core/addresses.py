"""Paths as text for other programs: files to scan, glob patterns, database URLs, shell words.

Every conversion of a path to such a text is here. A path may contain any character: `[` and `?` are not patterns,
`#`, `?` and `%` are not parts of a URL, and quotes or spaces do not end a word. Where files are stored belongs to
`ml.core.paths`.
"""

import os
import re
import shlex
import sqlite3
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import polars as pl

from ml.core.errors import StoreError
from ml.core.kernel_cache import private_temporary
from ml.core.paths import DataRoot

IN_PATTERNS = re.compile(r"[*?\[]")


def scan(file: Path) -> pl.LazyFrame:
    """One parquet file, read when it is needed."""
    return pl.scan_parquet(file, glob=False, hive_partitioning=False)


def duckdb_list(files: Iterable[Path]) -> str:
    """A list of files for DuckDB's `read_parquet`, which takes each for a pattern."""
    escaped = (IN_PATTERNS.sub(r"[\g<0>]", str(file)).replace("'", "''") for file in files)
    return "[" + ", ".join(f"'{file}'" for file in escaped) + "]"


def sqlite_url(database: Path) -> str:
    """A database's address for SQLAlchemy."""
    return f"sqlite:///{addressable(database.resolve().parent) / database.name}"


def read_only(database: Path) -> sqlite3.Connection:
    """A connection that changes nothing."""
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)


def addressable(folder: Path) -> Path:
    """A folder under a name that may stand in SQLAlchemy's addresses and is no pattern: itself, or a link to it.

    In an address a `?` ends the path, and Dagster takes the path of its configuration for a pattern: of a folder with
    brackets it would read none, and use its own settings. Nothing can be written in their place.

    Raises:
        StoreError: such a link is needed, and there is no temporary folder for it.
    """
    if not IN_PATTERNS.search(str(folder)):
        return folder
    temporary = private_temporary()
    if temporary is None or IN_PATTERNS.search(str(temporary)):
        raise StoreError(f"{folder}: a path with *, ? or [ in it needs a temporary folder. Set TMPDIR to one.")
    link = temporary / "links" / sha256(os.fsencode(folder)).hexdigest()[:16]
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        made = link.with_name(f"{link.name}.{os.getpid()}")
        made.symlink_to(folder)
        made.replace(link)
    return link


def command(root: DataRoot, *words: str) -> str:
    """A command line for a shell, over a data root."""
    return f"LOBFORGE_DATA_ROOT={shlex.quote(str(root.root))} {shlex.join(words)}"
