"""Compiled functions are kept apart for each state of their sources."""

from shutil import copytree

import pytest

from ml.core import kernel_cache as module
from ml.core.kernel_cache import PACKAGE, fingerprint


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the sources that may be changed; the fingerprint is that of the copy."""
    package = copytree(PACKAGE, tmp_path / "ml", ignore=lambda *_: ["__pycache__"])
    monkeypatch.setattr(module, "PACKAGE", package)
    return package


def test_another_compiler_is_another_cache(monkeypatch):
    """Another numba may compile otherwise; the same sources elsewhere are the same cache."""
    before = fingerprint.__wrapped__()
    monkeypatch.setattr(module, "version", lambda _: "0.0.0")
    assert fingerprint.__wrapped__() != before


@pytest.mark.parametrize(
    ("path", "before", "after", "changes"),
    [
        ("market/book/ladder.py", "def best(", "def best_of_all(", True),
        ("market/book/layout.py", "TAIL = 3600", "TAIL = 7200", True),
        ("market/book/kernel.py", '"""The kernel', '"""A kernel', False),
        ("market/decode/clock.py", "return BACK", "return AHEAD", True),
        ("market/decode/clock.py", "def admit(", "def admits(", False),
        ("market/decode/decoder.py", "def ", "def a", False),
        ("plotting/plots.py", "def ", "def a", False),
    ],
)
def test_only_compiled_code_and_its_constants_count(copy, path, before, after, changes):
    """A called function and a constant of another file do; comments and code that is not compiled do not."""
    known = fingerprint.__wrapped__()
    text = (copy / path).read_text()
    assert before in text
    (copy / path).write_text(text.replace(before, after))
    module._constants.cache_clear()
    assert (fingerprint.__wrapped__() != known) is changes
