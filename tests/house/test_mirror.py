"""The tests are the mirror image of the house: one test file per source file, of the same name."""

from pathlib import PurePosixPath

from tests.house.sources import PROJECT, ROOMS, functions, modules

WITHOUT: dict[str, str] = {}
"""Modules that need no test file of their own, with the reason."""


def mirror(path):
    """The test file of a source file."""
    source = PurePosixPath(path)
    return f"tests/{source.parent}/test_{source.stem}.py"


def test_every_module_has_its_test_file():
    """What runs is tested where one looks for it; modules without a function have nothing to run."""
    coded = [path for path, tree in modules().items() if functions(tree)]
    assert [mirror(path) for path in coded if path not in WITHOUT and not (PROJECT / mirror(path)).exists()] == []
    assert [path for path in WITHOUT if path not in coded or (PROJECT / mirror(path)).exists()] == []


def test_every_test_file_has_its_module():
    """No test file outlives what it tests."""
    sources = {mirror(path) for path in modules()}
    written = [p for p in modules(*(f"tests/{room}" for room in ROOMS)) if PurePosixPath(p).name.startswith("test_")]
    assert [path for path in written if path not in sources] == []


def test_every_test_file_tests():
    """A file of the right name without a test would be a lie."""
    files = {p: tree for p, tree in modules("tests").items() if PurePosixPath(p).name.startswith("test_")}
    assert [path for path, tree in files.items() if not any(f.name.startswith("test_") for f in functions(tree))] == []
