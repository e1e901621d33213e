"""A created data root, and a short demo that ran in this process."""

from shutil import copytree

import pytest

from ml.core.paths import DataRoot

HOURS = 0.3


@pytest.fixture(scope="session")
def defs():
    """The definitions over the data root of the settings."""
    from pipelines.definitions import defs

    return defs()


@pytest.fixture(scope="session")
def created(tmp_path_factory):
    """A created data root, and what was done."""
    from pipelines.demo import default_config
    from pipelines.setup import initialise

    root = DataRoot(tmp_path_factory.mktemp("created") / "data")
    return root, initialise(root, default_config())


@pytest.fixture
def with_stores(created):
    """A function: give a data root copies of the empty Dagster instance and model store, which take seconds to make."""

    def give(root):
        for folder in ("dagster_home", "mlflow"):
            copytree(getattr(created[0], folder), getattr(root, folder))

    return give


@pytest.fixture
def home(created, tmp_path, monkeypatch):
    """A copy of the created data root that a test may change; the variables that name it are put back."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "data"))
    copytree(created[0].root, tmp_path / "data")
    return DataRoot(tmp_path / "data")


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory):
    """The demo on eighteen simulated minutes: its data root, partition keys, report and lines of progress."""
    from ml.evaluation import verdict
    from pipelines import demo

    base = DataRoot(tmp_path_factory.mktemp("demo") / "data")
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOBFORGE_DATA_ROOT", str(base.root))
        patch.setattr(verdict, "STRONG_ROUNDS", 5)
        wanted = demo.Demo(hours=HOURS)
        root, keys = demo.prepare(wanted, said.append)
        return root, keys, demo.run(root, keys, said.append), said
