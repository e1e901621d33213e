"""Where numba keeps compiled functions: a folder for each state of the sources that hold some.

numba's own cache sees a change in the file of a function, but not in a function of another file that it calls. This
hash is for that cache alone: what computes a stored number carries a version (`ml.versions`).
"""

import hashlib
import os
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
COMPILED = (
    "dates.py",
    "schemas.py",
    "market/*.py",
    "market/venues/*.py",
    "features/*.py",
    "features/*/*.py",
    "labels/*.py",
    "simulation/*.py",
)
"""Every module that holds compiled functions, and the constants that are compiled into them."""


@cache
def fingerprint() -> str:
    """Hex sha256, 16 digits, over the sources of compiled functions and the compiler's version."""
    digest = hashlib.sha256(f"numba {version('numba')}".encode())
    for pattern in COMPILED:
        for path in sorted(PACKAGE.glob(pattern)):
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def use_compiled(folder: Path) -> None:
    """Keep compiled functions below a folder, apart for each state of their sources; call before they are compiled."""
    below = folder / fingerprint()
    below.mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(below.resolve())
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(below.resolve())
