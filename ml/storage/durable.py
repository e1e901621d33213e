"""File operations that survive a power cut: sync, publish, append, create folders.

Which steps make a table or a journal safe belongs to `ml.storage.commit` and `ml.capture.journal`.

The content of a file is safe once the file was synced, its name once its folder was synced. A new folder is a name
in its parent folder.
"""

import os
from itertools import takewhile
from pathlib import Path
from typing import IO, Any


def sync(sink: IO[Any]) -> None:
    """Make what was written to an open file survive a power cut."""
    sink.flush()
    os.fsync(sink.fileno())


def sync_folder(folder: Path) -> None:
    """Make names that were added to a folder, or removed from it, survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that do not exist, each synced into its parent."""
    missing = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def replace(staged: Path, path: Path) -> None:
    """Put a synced file in the place of another, in one step."""
    staged.replace(path)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a small text file in one step."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace a small file in one step; `mode` are its permissions from the first byte on, less the umask."""
    make_folder(path.parent)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as sink:
            sink.write(content)
            sync(sink)
        replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Append one line; a torn last line left by a power cut is closed off first."""
    make_folder(path.parent)
    is_new = not path.exists()
    with path.open("ab+") as sink:
        torn = sink.seek(0, os.SEEK_END) > 0 and sink.seek(-1, os.SEEK_END) >= 0 and sink.read(1) != b"\n"
        sink.write((b"\n" if torn else b"") + line.encode() + b"\n")
        sync(sink)
    if is_new:
        sync_folder(path.parent)
