"""Where compiled kernels are kept: per user, apart for each state of the sources, and what happens without a place."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numba
import pytest

from ml.core import kernel_cache
from ml.core.kernel_cache import PACKAGE, folder, notice, private_temporary


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A user without any place: no cache folder is named, no home, no data root, no temporary folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOBFORGE_CACHE_DIR", "LOBFORGE_DATA_ROOT", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(kernel_cache, "gettempdir", lambda: str(tmp_path / "absent"))
    monkeypatch.setattr(kernel_cache, "folder", folder.__wrapped__)
    return tmp_path


def test_the_users_cache_folder_comes_before_the_data_root(places, monkeypatch):
    """A second data root then has nothing to compile."""
    named, home, data, temporary = (places / name for name in ("xdg", "home", "data", "tmp"))
    for place in (home, data, temporary):
        place.mkdir()
    monkeypatch.setattr(kernel_cache, "gettempdir", lambda: str(temporary))
    assert kernel_cache.folder().parent == Path("data/numba")
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(places / "absent"))
    assert kernel_cache.folder().parent.parent == temporary / f"lobforge-{os.getuid()}"
    assert not (places / "absent").exists()
    monkeypatch.setenv("HOME", str(home))
    assert kernel_cache.folder().parent == home / ".cache" / "lobforge"
    monkeypatch.setenv("XDG_CACHE_HOME", str(named))
    assert kernel_cache.folder().parent == named / "lobforge"
    monkeypatch.setenv("LOBFORGE_CACHE_DIR", str(places / "mine"))
    assert kernel_cache.folder().parent == places / "mine"
    assert os.environ["NUMBA_CACHE_DIR"] == numba.config.CACHE_DIR == str(kernel_cache.folder())


def test_a_temporary_folder_of_somebody_else_is_not_used(places, monkeypatch):
    """What lies in it would be executed."""
    monkeypatch.setattr(kernel_cache, "gettempdir", lambda: str(places))
    assert private_temporary().stat().st_mode & 0o777 == 0o700
    private_temporary().chmod(0o777)
    assert private_temporary() is None
    (places / f"lobforge-{os.getuid()}").rmdir()
    (places / "elsewhere").mkdir(mode=0o700)
    (places / f"lobforge-{os.getuid()}").symlink_to(places / "elsewhere")
    assert private_temporary() is None
    assert kernel_cache.folder() is None


def test_each_state_of_the_sources_has_its_own_folder(places, monkeypatch):
    """A change in any file, of the callee's too, gives a fresh folder; the same sources find the old one."""
    copytree(PACKAGE, places / "ml")
    monkeypatch.setattr(kernel_cache, "PACKAGE", places / "ml")
    monkeypatch.setattr(kernel_cache, "fingerprint", kernel_cache.fingerprint.__wrapped__)
    monkeypatch.setenv("LOBFORGE_CACHE_DIR", str(places / "kept"))
    folders: list[Path] = []
    for text in ("", "", "MORE = 1\n"):
        with (places / "ml" / "market" / "book" / "ladder.py").open("a") as sink:
            sink.write(text)
        folders.append(kernel_cache.folder())
    assert folders[0] == folders[1] != folders[2]
    assert all(found.is_dir() for found in folders)


def test_a_person_who_waits_for_the_compiler_is_told(places, monkeypatch):
    """Nothing where the code is there."""
    assert "for this run only" in notice()
    assert "LOBFORGE_CACHE_DIR" in notice()
    monkeypatch.setenv("LOBFORGE_CACHE_DIR", str(places / "kept"))
    assert str(places / "kept") in notice()
    (kernel_cache.folder() / "market").mkdir()
    (kernel_cache.folder() / "market" / "book.nbi").touch()
    assert notice() == ""


SYSTEM_USER = """
import os, sys
from ml.market.book.compiled import njit_no_alloc
assert os.environ.get("NUMBA_CACHE_DIR", "") == "", os.environ["NUMBA_CACHE_DIR"]
@njit_no_alloc
def twice(n):
    return 2 * n
assert twice(21) == 42 and not twice.stats.cache_path
"""


def test_without_any_place_functions_compile_all_the_same(tmp_path):
    """As for a system user without a home over a read-only installation: numba itself would refuse."""
    nowhere = {"LOBFORGE_CACHE_DIR": "/proc/none", "HOME": "/nonexistent"}
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | nowhere
    done = subprocess.run([sys.executable, "-c", SYSTEM_USER], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
