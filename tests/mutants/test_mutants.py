"""Bugs planted one at a time in a copy of the tree: the tests named for each must fail.

Here: the runner. Add here: nothing; a mutant is an entry of `mutants.toml`.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import PROJECT

LISTED = tomllib.loads((Path(__file__).with_name("mutants.toml")).read_text())
MUTANTS = {mutant["name"]: mutant for mutant in LISTED["mutant"]}
COPIED = ("assets", "cli", "live", "ml", "pipelines", "tests", "pyproject.toml")


def test_every_mutant_fits_the_tree():
    """Each changes one place of a file that there is, has a name of its own, and names tests that there are."""
    assert len(MUTANTS) == len(LISTED["mutant"])
    for mutant in MUTANTS.values():
        assert source(PROJECT, mutant).read_text().count(mutant["before"]) == 1, mutant["name"]
        for test in mutant["tests"]:
            name, _, function = test.partition("::")
            assert f"def {function}" in (PROJECT / LISTED["tests"][name]).read_text(), test
    assert set(LISTED["files"]) == {mutant["file"] for mutant in MUTANTS.values()}


def source(tree: Path, mutant: dict) -> Path:
    return tree / LISTED["files"][mutant["file"]]


def run_tests(tree: Path, tests: list[str]) -> subprocess.CompletedProcess:
    """Run the named tests in a tree, up to the first failure."""
    paths = ["::".join([LISTED["tests"][name], *rest]) for name, *rest in (test.split("::") for test in tests)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *paths],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """A copy of the tree, in which the named tests pass; what they compile is kept for the mutants."""
    tree = tmp_path_factory.mktemp("mutants") / "tree"
    for name in COPIED:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2
        tree.mkdir(exist_ok=True)
        copy(PROJECT / name, tree / name)
    done = run_tests(tree, sorted({test for mutant in MUTANTS.values() for test in mutant["tests"]}))
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    return tree


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MUTANTS)
def test_no_mutant_survives(copied, name):
    """With the bug in place its tests fail, and they fail because they ran."""
    mutant = MUTANTS[name]
    path = source(copied, mutant)
    sound = path.read_text()
    stat = path.stat()
    path.write_text(sound.replace(mutant["before"], mutant["after"]))
    try:
        done = run_tests(copied, mutant["tests"])
    finally:
        path.write_text(sound)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # what was compiled of it is still right
    # a crash of pytest itself returns 1, too
    assert "1 failed" in done.stdout.splitlines()[-1], f"{name} survived:\n{done.stdout[-2_000:]}{done.stderr[-1_000:]}"
