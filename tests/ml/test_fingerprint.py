"""The fingerprint changes with every source that a number depends on, and with no other."""

import ast
import os
from pathlib import Path
from shutil import copytree

import pytest

from ml import fingerprint as module
from ml.fingerprint import FEATURES, KERNEL, LABELS, LEGACY_SETS, ROOM, fingerprint, use_compiled

HARMLESS = {"ahead.py", "errors.py", "fingerprint.py", "parquet.py", "paths.py", "store.py"}
"""Imported on the way, without a say in the numbers: what is made beforehand, refused, marked and kept."""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the sources that may be changed; the fingerprint is that of the copy."""
    room = copytree(ROOM, tmp_path / "ml", ignore=lambda *_: ["__pycache__"])
    monkeypatch.setattr(module, "ROOM", room)
    return room


def of(group):
    """The fingerprint as another process would find it."""
    return fingerprint.__wrapped__(group)


def imported(name):
    """Files of the package that one of its files imports."""
    for node in ast.walk(ast.parse((ROOM / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ml":
            base = ROOM.parent / node.module.replace(".", "/")
            for path in (base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)):
                if path.exists():
                    yield path.relative_to(ROOM).as_posix()


def closure(*names):
    """All files of the package on which the named ones depend."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += imported(name)
    return found


@pytest.mark.parametrize(
    ("group", "results"),
    [
        (KERNEL, ["market/day.py", "market/samples.py", "market/feed.py"]),
        (FEATURES, ["features/build.py", "features/online.py"]),
        (LABELS, ["labels/kernel.py", "labels/spec.py"]),
        (LEGACY_SETS, ["features/legacy/build.py"]),
    ],
    ids=["kernel", "features", "labels", "legacy_sets"],
)
def test_every_source_behind_a_result_is_in_its_group(group, results):
    """A module that the results import, at whatever depth, is hashed; one that is split off cannot be forgotten."""
    hashed = {path.relative_to(ROOM).as_posix() for pattern in group for path in ROOM.glob(pattern)}
    assert closure(*results) - HARMLESS <= hashed


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("market/kernel.py", {KERNEL, FEATURES, LABELS}),
        ("market/flows.py", {KERNEL, FEATURES, LABELS}),
        ("market/venues/bybit.py", {KERNEL, FEATURES, LABELS}),
        ("features/row.py", {FEATURES}),
        ("labels/kernel.py", {LABELS}),
        ("plots.py", set()),
    ],
)
def test_a_changed_source_changes_its_groups(copy, name, changed):
    """One byte at the end of a file is enough; what does not depend on the file keeps its fingerprint."""
    before = {group: of(group) for group in (KERNEL, FEATURES, LABELS)}
    with (copy / name).open("a") as sink:
        sink.write("#")
    assert {group for group in before if of(group) != before[group]} == changed


def test_a_file_that_moves_changes_the_fingerprint(copy):
    """The same text under another name is another state of the sources."""
    before = of(KERNEL)
    (copy / "market" / "clock.py").rename(copy / "market" / "watch.py")
    assert of(KERNEL) != before


def test_another_place_changes_nothing(copy):
    """Only names below the package and contents count, so that every machine finds the same."""
    assert of(FEATURES) == fingerprint(FEATURES)


def test_the_compiler_counts(monkeypatch):
    """Another numba may round otherwise."""
    before = of(KERNEL)
    monkeypatch.setattr(module, "version", lambda _: "0.0.0")
    assert of(KERNEL) != before


def test_compiled_code_is_kept_apart_for_each_state_of_the_sources(copy, tmp_path, monkeypatch):
    """A change in any file, of the callee's too, gives a fresh folder; the same sources find the old one."""
    import numba

    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(module, "fingerprint", of)
    folders: list[str] = []
    for text in ("", "", "#"):
        with (copy / "market" / "book.py").open("a") as sink:
            sink.write(text)
        use_compiled(tmp_path / "kept")
        folders.append(os.environ["NUMBA_CACHE_DIR"])
        assert folders[-1] == numba.config.CACHE_DIR
    assert folders[0] == folders[1] != folders[2]
    assert all(Path(folder).is_dir() for folder in folders)
