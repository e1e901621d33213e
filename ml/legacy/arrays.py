"""Bare numpy arrays of unknown origin.

Reads an `.npy` or `.npy.gz` of plain numbers; anything else is rejected before it is loaded. The meaning of the
columns belongs elsewhere.
"""

import gzip
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ml.core.errors import SourceRefused

LARGEST = 1 << 33
"""Bytes of one array at most; a header may claim anything."""


def load(path: Path) -> np.ndarray:
    """The array of a file.

    Raises:
        SourceRefused: it is no `.npy`, holds objects (those are pickles), is not numeric, too large, or cut off.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as source:
            return _read(source)  # type: ignore[arg-type]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise SourceRefused("bad_array", f"it cannot be read as an array: {error}") from error


def _read(source: IO[bytes]) -> np.ndarray:
    version = np.lib.format.read_magic(source)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(source)
    rows = shape[0] if shape else 0
    if dtype.hasobject:
        raise SourceRefused("object_array", "it holds Python objects, which only a pickle can bring back", rows)
    if dtype.kind not in "fiu":
        raise SourceRefused("bad_array", f"it holds {dtype}, not numbers", rows)
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size > LARGEST:
        raise SourceRefused("bad_array", f"its header claims {size} bytes", 0)
    content = source.read(size + 1)
    if len(content) != size:
        raise SourceRefused("truncated", f"its header says {size} bytes, and {len(content)} or more follow", rows)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
