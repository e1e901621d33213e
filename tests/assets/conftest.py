"""A partition that is made anew on what was ingested, and a data root on which everything ran."""

import pytest

from pipelines.jobs import ON_DEMAND
from tests.assets.play import DATE, copy_of, graph, make


@pytest.fixture(scope="session")
def rebuilt(ingested, tmp_path_factory):
    """A copy of the ingested data root on which the second day was made once more, and that run's result."""
    root = copy_of(ingested, tmp_path_factory.mktemp("rebuilt"))
    partitioned = [asset for asset in graph() if asset.partitions_def is not None]
    return root, make(root, *partitioned, date=DATE)


@pytest.fixture(scope="session")
def learned(ingested, tmp_path_factory):
    """A copy of the ingested data root on which the job `learn` ran, and that run's result."""
    from ml.evaluation import verdict

    root = copy_of(ingested, tmp_path_factory.mktemp("learned"))
    with pytest.MonkeyPatch.context() as patch:
        # one thread and a small canary model are quick; their own tests play them in full
        patch.setattr(verdict, "STRONG_ROUNDS", 5)
        return root, make(root, *(asset for asset in graph() if learns(asset)), date=None)


def learns(asset):
    """Whether an asset is of the job `learn`: without partitions, and not made on demand."""
    return asset.partitions_def is None and not set(asset.group_names_by_key.values()) & set(ON_DEMAND)


@pytest.fixture
def root(ingested, tmp_path):
    """A copy of the ingested data root that a test may change."""
    return copy_of(ingested, tmp_path)
