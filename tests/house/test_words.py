"""Words and calls that have no place in the house."""

import ast
import re

import pytest

from tests.house.sources import PROJECT, ROOMS, functions, modules, tracked

AVOIDED = {
    "manager", "orchestrator", "engine", "helper", "utils", "process", "handle", "v2", "final", "new", "smart",
    "advanced",
}  # fmt: skip
THEIRS = {
    "pipelines/io_managers.py": "Dagster calls it IO manager",
    "pipelines/io_managers.py:handle_output": "Dagster calls it",
    "ml/exchange.py:handle_text_or_binary_message": "ccxt calls it",
    "ml/exchange.py:handle_message": "ccxt calls it",
}
"""Names that another system gives, with whose."""
PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "_pickle"}
MACHINES = [
    re.compile(pattern) for pattern in (r"(?<![\w.])/(work|home|root|Users)/\w", r"index-url|find-links|trusted-host")
]
HOSTS = re.compile(r"https?://[\w.:-]*(pypi|pythonhosted|artifactory|nexus|devpi|registry|mirror)[\w.:-]*")


def names():
    """Every module, class and function of the product."""
    for path, tree in modules().items():
        yield path, path.rsplit("/", 1)[-1].removesuffix(".py")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield f"{path}:{node.name}", node.name


def words(name):
    """The words of a name in snake or camel case, in the plural also without its s."""
    found = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])", name)}
    return found | {word.removesuffix("s") for word in found}


def imports(tree):
    """Every module that a module imports, and from where."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_names_are_the_fields_words():
    """No name says manager, helper, process or new; what Dagster named keeps its name."""
    found = {where for where, name in names() if words(name) & AVOIDED}
    assert found == set(THEIRS)


def test_no_pickle_anywhere():
    """Neither product nor tests import a pickle, and numpy is never told to read one."""
    trees = modules(*ROOMS, "tests")
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


def test_modules_open_with_what_is_here():
    """Each module says what it is; one with code also what is here, a dialect which formats it reads."""
    trees = {path: tree for path, tree in modules().items() if functions(tree)}
    assert [path for path, tree in modules(*ROOMS, "tests").items() if tree.body and not ast.get_docstring(tree)] == []
    assert [path for path, tree in trees.items() if not re.search(r"\n(Here|Formats): ", ast.get_docstring(tree))] == []


def test_no_file_names_a_machine():
    """Paths of one computer and the hosts of package registries mean nothing to the next reader."""
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if any(pattern.search(line) for pattern in (*MACHINES, HOSTS)) and path.name != "test_words.py":
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}")
    assert found == []


def _names(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
