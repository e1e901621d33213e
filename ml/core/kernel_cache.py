"""The folder of compiled kernels: one for all data roots of a user, with a subfolder per state of the sources.

This module chooses the folder and reports when a user has to wait for the compiler. Compiling functions belongs to
`ml.market.book.compiled`, which asks for the folder first.

numba's own cache detects a change in the file of a function, but not in a function or constant that it uses from
another file, and refuses to compile if it finds no writable folder. A hash over compiled functions and what they use
names the folder: a change in code that is not compiled recompiles nothing. It serves the compile cache only; code that
computes stored numbers carries a version (`ml.core.versions`).
"""

import ast
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

from ml.core import settings
from ml.core.errors import SettingsError
from ml.core.paths import DataRoot

PACKAGE = Path(__file__).parents[1]
COMPILERS = {"njit_no_alloc", "njit_inline", "plain", "njit"}
"""The decorators of compiled functions."""


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


@cache
def fingerprint() -> str:
    """Hex sha256, 16 digits, over compiled functions, the constants that they may use, and the compiler's version."""
    digest = hashlib.sha256(f"numba {version('numba')}".encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        if any(f"@{name}" in text for name in COMPILERS):
            digest.update(path.relative_to(PACKAGE).as_posix().encode())
            for part in _compiled(ast.parse(text)):
                digest.update(part.encode())
    return digest.hexdigest()[:16]


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


def _compiled(module: ast.Module) -> Iterator[str]:
    """The compiled functions of a module, its constants, and what it uses of the modules that it imports from."""
    wrapped = set(_wrapped(module.body))
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and any(_name(one) in COMPILERS for one in node.decorator_list):
            yield ast.dump(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ml."):
            yield ast.dump(node)
            for imported in _files(node):
                yield _constants(imported)
                for function in ast.parse(imported.read_text()).body if wrapped else ():
                    if isinstance(function, ast.FunctionDef) and function.name in wrapped:
                        yield ast.dump(function)
    yield from map(ast.dump, _assigned(module.body))


def _wrapped(body: list[ast.stmt]) -> Iterator[str]:
    """Plain functions of other modules that a module compiles: `_f = njit_inline(f)`."""
    for node in body:
        called = node.value if isinstance(node, ast.Assign) else None
        if isinstance(called, ast.Call) and _name(called) in COMPILERS:
            yield from (one.id for one in called.args if isinstance(one, ast.Name))


@cache
def _constants(path: Path) -> str:
    """What a module assigns at its top: numbers and field orders."""
    return "".join(map(ast.dump, _assigned(ast.parse(path.read_text()).body)))


def _assigned(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _assigned(node.body)  # members of enumerations, fields of named tuples
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.For):
            yield node


def _files(node: ast.ImportFrom) -> Iterator[Path]:
    base = PACKAGE.parent.joinpath(*(node.module or "").split("."))
    for path in (base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)):
        if path.exists():
            yield path


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.id if isinstance(called, ast.Name) else ""
