"""Lines of files that may be compressed: gzip, zstd, zip with one member, or plain.

Here: opening a file by its magic bytes, and its lines with their offsets in the decompressed text.
Add here: another compression.
Not here: what the lines say (`ml.market.captures`, `ml.market.archives`).
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from ml.errors import FrameError

BUFFER = 1 << 20
ZIP, GZIP, ZSTD = b"PK", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def magic(path: Path) -> bytes:
    """The first four bytes of a file."""
    with path.open("rb") as source:
        return source.read(4)


def lines(path: Path) -> Iterator[tuple[int, bytes] | tuple[int, bytes, FrameError]]:
    """Every line with its byte offset; what keeps a file from being read to its end comes last, with its error.

    A compression that ends in the middle gives what could be read, then `truncated`; an empty file gives `empty`.
    """
    offset = 0
    try:
        with open_bytes(path) as stream:
            while line := stream.readline():
                yield offset, line
                offset += len(line)
    except (EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        yield offset, b"", FrameError("truncated", f"{path.name} ends in the middle: {error}")
        return
    except (NotImplementedError, RuntimeError) as error:  # a compression that zipfile lacks, or a password
        yield offset, b"", FrameError("unknown_format", f"{path.name} cannot be decompressed: {error}")
        return
    if offset == 0:
        yield 0, b"", FrameError("empty", f"{path.name} is empty")


def open_bytes(path: Path) -> IO[bytes]:
    """A buffered byte stream over the decompressed file.

    Raises:
        RuntimeError: a zip with more than one member, or with none.
    """
    first = magic(path)
    if first[:2] == GZIP:
        return io.BufferedReader(_OneReadAtATime(gzip.open(path, "rb")), BUFFER)
    if first == ZSTD:
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), BUFFER)
    if first[:2] == ZIP:
        return io.BufferedReader(_OneReadAtATime(_member(path)), BUFFER)
    return path.open("rb", buffering=BUFFER)


def _member(path: Path) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        if len(members) != 1:
            raise RuntimeError(f"the zip holds {len(members)} files, not one")
        return archive.open(members[0])


class _OneReadAtATime(io.RawIOBase):
    """Hands on what each read gives, so that a torn file gives all it holds before its error."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = cast(bytes, self.source.read1(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.source.close()
        super().close()
