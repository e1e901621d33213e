"""A partition that is recomputed on what was ingested, and a data root on which everything ran."""

import pytest

from tests.integration.assets.play import DATE, copy_of, make


@pytest.fixture(scope="session")
def rebuilt(ingested, tmp_path_factory):
    """A copy of the ingested data root on which the second day was made once more, and that run's result."""
    from pipelines.jobs import ingest

    root = copy_of(ingested, tmp_path_factory.mktemp("rebuilt"))

    return root, make(root, ingest.selection, date=DATE)


@pytest.fixture(scope="session")
def learned(ingested, tmp_path_factory):
    """A copy of the ingested data root on which the job `learn` ran, and that run's result."""
    from ml.evaluation import verdict
    from pipelines.jobs import learn

    root = copy_of(ingested, tmp_path_factory.mktemp("learned"))
    with pytest.MonkeyPatch.context() as patch:
        # one thread and a small canary model are quick; their own tests play them in full
        patch.setattr(verdict, "STRONG_ROUNDS", 5)
        return root, make(root, learn.selection, date=None)


@pytest.fixture
def root(ingested, tmp_path):
    """A copy of the ingested data root that a test may change."""
    return copy_of(ingested, tmp_path)
