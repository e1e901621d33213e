"""Lines of files: gzip, zstd, zip with one member, or plain.

Files are opened by their magic bytes; offsets of lines are those of the decompressed text. Line formats belong to
`ml.market.files.captures` and `ml.market.files.archives`.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zlib_ng import zlib_ng

from ml.core.errors import FrameError

DAMAGED: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, zlib_ng.error, zipfile.BadZipFile)  # type: ignore[assignment]
BUFFER = 1 << 20
PACKED = 1 << 18
OF_A_MAC = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$)")
"""What macOS puts beside the files that it zips."""
Line = tuple[int, bytes]
Torn = tuple[int, bytes, FrameError]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Spreadsheets write it before UTF-8 text; it is no part of the first line."""
ZIP = b"PK"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


def magic(path: Path) -> bytes:
    """The first four bytes of a file."""
    with path.open("rb") as source:
        return source.read(4)


def lines(path: Path) -> Iterator[Line | Torn]:
    """Every line with its byte offset; what keeps a file from being read to its end comes last, see `pieces`."""
    for item in pieces(path):
        if len(item) == 3:
            yield item
        else:
            yield from split(*item)


def split(offset: int, piece: bytes) -> Iterator[Line]:
    """The lines of a piece, each with its offset, and its line feed where it has one."""
    start = 0
    while start < len(piece):
        end = piece.find(b"\n", start) + 1 or len(piece)
        yield offset + start, piece[start:end]
        start = end


def pieces(path: Path) -> Iterator[Line | Torn]:
    """A file's lines, some thousands at a time, with the offset of the first; a line is never cut.

    A compression that ends in the middle gives what could be read, then `truncated` with the torn line; an empty file
    gives `empty`.
    """
    offset = 0
    torn = b""
    end = b""
    try:
        with open_bytes(path) as stream:
            while data := stream.read1(BUFFER):
                if offset == 0 and not torn and data.startswith(BYTE_ORDER_MARK):
                    offset = len(BYTE_ORDER_MARK)
                    data = data[len(BYTE_ORDER_MARK) :]
                end = data[-1:]
                whole = data.rfind(b"\n") + 1
                if whole == 0:
                    torn += data
                    continue
                piece = b"".join((torn, memoryview(data)[:whole]))
                torn = data[whole:]
                yield offset, piece
                offset += len(piece)
    except DAMAGED as error:
        yield offset, torn, FrameError("truncated", f"{path.name} ends in the middle: {error}")
        return
    except (NotImplementedError, RuntimeError) as error:  # a compression that zipfile lacks, or a password
        yield offset, torn, FrameError("unknown_format", f"{path.name} cannot be decompressed: {error}")
        return
    if torn:
        yield offset, torn
    if not end:
        yield 0, b"", FrameError("empty", f"{path.name} is empty")


def open_bytes(path: Path) -> Any:
    """A byte stream with `read1` over the decompressed file.

    Raises:
        RuntimeError: a zip with more than one member, or with none.
    """
    first = magic(path)
    if first[:2] == GZIP:
        return _Gunzip(path.open("rb"))
    if first == ZSTD:
        import pyarrow as pa

        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"), BUFFER)
    if first[:2] == ZIP:
        return _member(path)
    return path.open("rb", buffering=BUFFER)


def _member(path: Path) -> IO[bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        found = [name for name in names if not OF_A_MAC.search(name)]
        if len(found) != 1:
            held = f": {', '.join(found[:3])}{', ...' * (len(found) > 3)}" if found else ""
            raise RuntimeError(f"the zip holds {len(found)} files, not one{held}. Unpack it, and give each file")
        return archive.open(found[0])


class _Gunzip:
    """The text of a gzip file, of one member or several, given as far as it goes before an error is raised.

    The modules gzip and zlib_ng.gzip_ng do the same, the one at a third of the speed, the other without what it read
    just before the error.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.member = _member_reader()
        self.packed = b""

    def __enter__(self) -> "_Gunzip":
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def read1(self, _: int) -> bytes:
        """What some of the file holds, of any size; none at the end.

        Raises:
            EOFError: the file ends inside a member.
            zlib_ng.error: damage, or something else behind the last member.
        """
        while True:
            self.packed = self.packed or self.source.read(PACKED)
            if self.member.eof:
                self.packed = self.packed.lstrip(b"\0") or self.source.read(PACKED).lstrip(b"\0")
                if not self.packed:
                    return b""
                self.member = _member_reader()
            ended = not self.packed
            data = self.member.decompress(self.packed)
            self.packed = self.member.unused_data if self.member.eof else b""
            if data:
                return data
            if ended and not self.member.eof:
                raise EOFError("the file ends before the end of its compressed stream")


def _member_reader() -> Any:
    return zlib_ng.decompressobj(wbits=16 + zlib.MAX_WBITS)
