"""A hash over the sources of compiled functions, which names the folder of their cache.

numba's own cache detects a change in the file of a function, but not in a function or constant that it uses from
another file. This hash covers both and nothing else: a change in code that is not compiled recompiles nothing. It
serves the compile cache only; code that computes stored numbers carries a version (`ml.core.versions`).
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
COMPILERS = {"njit_no_alloc", "njit_inline", "plain", "njit"}
"""The decorators of compiled functions."""


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
