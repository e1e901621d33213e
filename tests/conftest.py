"""Shared fixtures: where the recorded market files lie, and a cache for compiled kernels."""

from pathlib import Path

import pytest

from ml import settings
from ml.fingerprint import use_compiled

PROJECT = Path(__file__).parents[1]


def pytest_configure(config):
    use_compiled(PROJECT / ".numba_cache")


@pytest.fixture(scope="session")
def market() -> Path:
    """The folder of recorded market files; tests that need it are skipped where it is absent."""
    folder = settings.load().test_data or PROJECT.parent / "shared" / "data" / "market"
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED MARKET DATA at {folder}: set LOBFORGE_TEST_DATA to the folder that holds it")
    return folder
