"""Fixtures of the library's tests: an empty model registry, whose store is made once and copied."""

from shutil import copytree

import pytest

from ml.core.paths import DataRoot
from ml.promotion.registry import Registry
from tests.support.shared import made_once


@pytest.fixture(scope="session")
def made_store(tmp_path_factory):
    """The MLflow store of a data root in which nothing has happened; making one takes seconds."""
    return DataRoot(made_once(tmp_path_factory, "registry", lambda folder: Registry(DataRoot(folder)))).mlflow


@pytest.fixture
def registry(root, made_store) -> Registry:
    """The empty registry of an empty data root."""
    copytree(made_store, root.mlflow)
    return Registry(root)
