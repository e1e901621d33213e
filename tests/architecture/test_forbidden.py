"""Calls and names of machines that have no place in the product."""

import ast
import re

import pytest

from tests.architecture.sources import PACKAGES, PROJECT, modules, tracked

PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "_pickle"}
MACHINES = [
    re.compile(pattern) for pattern in (r"(?<![\w.])/(work|home|root|Users)/\w", r"index-url|find-links|trusted-host")
]
HOSTS = re.compile(r"https?://[\w.:-]*(pypi|pythonhosted|artifactory|nexus|devpi|registry|mirror)[\w.:-]*")


def imports(tree):
    """Every module that a module imports, and from where."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_no_pickle_anywhere():
    """Neither product nor tests import a pickle, and numpy is never told to read one."""
    trees = modules(*PACKAGES, "tests")
    assert [p for p, tree in trees.items() if any(name.split(".")[0] in PICKLES for name in imports(tree))] == []
    allowing = [
        p for p, tree in trees.items() for n in ast.walk(tree) if isinstance(n, ast.keyword) and n.arg == "allow_pickle"
    ]
    assert allowing == []


def test_no_broad_handler():
    """An error that nobody expected must be seen."""
    broad = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _names(node.type) & {"Exception", "BaseException"})
    ]
    assert broad == []


@pytest.mark.parametrize("room", ["assets", "pipelines"])
def test_annotations_are_real(room):
    """Dagster reads them when an asset is defined: as text they would not be types."""
    postponed = [p for p, tree in modules(room).items() if "__future__" in imports(tree)]
    assert postponed == []


def test_packages_hold_a_docstring_only():
    """A name is imported from where it is made."""
    packages = {path: tree for path, tree in modules().items() if path.endswith("__init__.py")}
    assert [path for path, tree in packages.items() if len(tree.body) != 1 or not ast.get_docstring(tree)] == []


def test_no_file_names_a_machine():
    """Paths of one computer and the hosts of package registries mean nothing to the next reader."""
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if any(pattern.search(line) for pattern in (*MACHINES, HOSTS)) and path.name != "test_forbidden.py":
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}")
    assert found == []


def _names(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
