"""The jobs share the assets out between them."""

import pytest

from pipelines.definitions import defs


def keys(job):
    return set(defs.resolve_job_def(job).asset_layer.executable_asset_keys)


def test_each_asset_is_in_one_job():
    """Nothing is left out, nothing runs in both."""
    jobs = [keys(name) for name in ("ingest", "candle_sets", "learn")]
    assert set.union(*jobs) == defs.resolve_asset_graph().get_all_asset_keys()
    assert sum(map(len, jobs)) == len(set.union(*jobs))


@pytest.mark.parametrize(("job", "partitioned"), [("ingest", True), ("candle_sets", True), ("learn", False)])
def test_a_job_runs_per_partition_or_at_once(job, partitioned):
    """One run cannot mix partition sets."""
    graph = defs.resolve_asset_graph()
    assert {graph.get(key).is_partitioned for key in keys(job)} == {partitioned}
    assert (defs.resolve_job_def(job).partitions_def is not None) == partitioned
