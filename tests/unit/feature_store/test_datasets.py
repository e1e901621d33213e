"""Datasets by their content."""

import pytest

from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.feature_store import datasets
from ml.feature_store.query import Query
from tests.unit.feature_store.test_rows import put
from tests.unit.labels.test_future import walk


def test_a_dataset_is_named_by_its_content(root, tmp_path):
    """The same files and query give the same id and bytes elsewhere; other content another id."""
    other = DataRoot(tmp_path / "other")
    for place in (root, other):
        put(place, walk(80))
    first, second = (datasets.keep(place, Query(columns=("ofi_30s",))) for place in (root, other))
    assert first == second
    paths = [place.table("datasets") / f"{first['id']}.parquet" for place in (root, other)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert root.dataset(first["id"]).read_bytes() == other.dataset(first["id"]).read_bytes()
    assert datasets.kept(root, first["id"]).columns == ["instrument", "ts", "ofi_30s"]
    before = root.manifest("datasets").read_bytes()
    assert datasets.keep(root, Query(columns=("ofi_30s",))) == first
    assert root.manifest("datasets").read_bytes() == before
    put(root, walk(80, seed=5))
    assert datasets.keep(root, Query(columns=("ofi_30s",)))["id"] != first["id"]


def test_a_dataset_that_is_not_there_is_an_error(root):
    """A misspelt id."""
    with pytest.raises(StoreError, match="does not exist"):
        datasets.kept(root, "abc")
