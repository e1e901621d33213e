"""The folder of compiled kernels: one for all data roots of a user, with a subfolder per state of the sources.

This module chooses the folder and reports when a user has to wait for the compiler. Compiling functions belongs to
`ml.market.book.compiled`, which asks for the folder first.

numba's own cache does not detect a change in a function of another file, and refuses to compile if it finds no
writable folder.
"""

import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

from ml.core import settings
from ml.core.errors import SettingsError
from ml.core.fingerprint import fingerprint
from ml.core.paths import DataRoot


@cache
def folder() -> Path | None:
    """The folder of this process, known to numba from now on; None if no place can be written."""
    for place in _places():
        below = place / fingerprint()
        try:
            below.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=below).close()
        except OSError:
            continue
        os.environ["NUMBA_CACHE_DIR"] = str(below.resolve())
        if "numba" in sys.modules:
            sys.modules["numba"].config.CACHE_DIR = str(below.resolve())
        return below
    return None


def notice() -> str:
    """What a person should know who waits for compiled code; empty if it is there."""
    kept = folder()
    if kept is None:
        return f"compiling for this run only, up to a minute: {missing()}"
    if next(kept.glob("*/*.nbi"), None) is None:
        return f"compiling, up to a minute; later runs load it from {kept}"
    return ""


def missing() -> str:
    """Why nothing is kept."""
    places = ", ".join(map(str, _places())) or "none"
    return f"no folder for compiled code is writable (tried: {places}); set LOBFORGE_CACHE_DIR to a writable folder"


def private_temporary() -> Path | None:
    """A folder for temporary files that only this user can write; None if there is none.

    The name is known to everybody: a folder of somebody else's is not used, since what lies in it is executed.
    """
    try:
        place = Path(gettempdir()) / f"lobforge-{os.getuid()}"
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return place if mine else None


def _places() -> Iterator[Path]:
    """Places to try; nothing is created here but a temporary folder."""
    try:
        known = settings.load()
    except SettingsError:  # the command says so; until then the defaults
        known = settings.Settings.model_construct()
    if known.cache_dir is not None:
        yield known.cache_dir
        return
    named = os.environ.get("XDG_CACHE_HOME", "")
    if Path(named).is_absolute():
        yield Path(named) / "lobforge"
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises for a user that the system does not list
    if home.is_absolute() and home.is_dir():
        yield home / ".cache" / "lobforge"
    if known.data_root.is_dir():
        yield DataRoot(known.data_root).compiled
    temporary = private_temporary()
    if temporary is not None:
        yield temporary / "compiled"
