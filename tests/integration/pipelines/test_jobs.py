"""The jobs share the assets out between them."""

import pytest

PER_PARTITION = ("fetch", "ingest", "candle_sets", "legacy_sets", "pressure", "layering")
PER_PARTITION += ("learn", "challenge", "measure", "watch")
AT_ONCE = ("index_captures", "migrate", "learn_layering", "benchmark_layering")
JOBS = dict.fromkeys(PER_PARTITION, True) | dict.fromkeys(AT_ONCE, False)
"""Whether each runs per partition."""


def keys(defs, job):
    return set(defs.resolve_job_def(job).asset_layer.executable_asset_keys)


def test_each_asset_is_in_one_job(defs):
    """Nothing is left out, nothing runs in two; what arrives is ingested without asking anybody on the web."""
    shared = [key for job in JOBS for key in keys(defs, job)]
    assert sorted(shared) == sorted(defs.resolve_asset_graph().materializable_asset_keys)
    assert {key.path[-1] for key in keys(defs, "fetch")} == {"archive_files"}


@pytest.mark.parametrize(("job", "partitioned"), JOBS.items())
def test_a_job_runs_per_partition_or_at_once(defs, job, partitioned):
    """One run cannot mix partition sets."""
    graph = defs.resolve_asset_graph()
    assert {graph.get(key).is_partitioned for key in keys(defs, job)} == {partitioned}
    assert (defs.resolve_job_def(job).partitions_def is not None) == partitioned


def test_labels_are_rebuilt_by_a_job_of_their_own(defs):
    """Of what is stored, without the captures."""
    assert {key.path[-1] for key in keys(defs, "label")} == {"future_labels", "training_features"}
