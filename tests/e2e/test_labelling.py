"""Labelling again changes labels alone: whatever else stands in the same file keeps its bytes."""

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.paths import DataRoot
from ml.storage import commit
from ml.storage.commit import manifest, publish
from ml.tables.schemas import SCHEMAS
from tests.integration.assets.play import DATE, copy_of, make, spoil
from tests.support.scenario import INSTRUMENT

ROWS = pl.DataFrame({"ts": range(300), "mid": pl.Series(range(300)) * 0.1})
LABELS = st.lists(st.none() | st.integers(0, 2), min_size=300, max_size=300)


def columns(path):
    """The stored bytes of each column, by name."""
    data = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    found = {}
    for chunk in map(group.column, range(group.num_columns)):
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        found[chunk.path_in_schema] = data[start : start + chunk.total_compressed_size]
    return found


def labelled(root, labels):
    """Store rows with these labels; the bytes of their columns."""
    path = root.partition("features", DATE, "sim.X")
    frame = ROWS.with_columns(future_direction=pl.Series(labels, dtype=pl.Int8))
    publish(root, "features", path, frame, "v")
    return columns(path)


@pytest.mark.promise("B6")
@settings(max_examples=25, deadline=None)
@given(before=LABELS, after=LABELS)
def test_any_other_labels_leave_all_other_columns(tmp_path_factory, before, after):
    """None, some or all of the labels null, before and after."""
    root = DataRoot(tmp_path_factory.mktemp("labels"))
    first = labelled(root, before)
    second = labelled(root, after)
    assert {name for name in first if first[name] != second[name]} <= {"future_direction"}
    assert (before == after) <= (first == second)


@pytest.mark.promise("B6")
def test_the_feature_store_relabelled(ingested, tmp_path):
    """Other labels of a day: all else in its file keeps its bytes; once more changes nothing."""
    root = copy_of(ingested, tmp_path)
    path = root.partition("training_features", DATE, INSTRUMENT.id)
    before = columns(path)
    spoil(
        root,
        "future_labels",
        lambda frame: frame.with_columns((2 - pl.col("direction_10s")).cast(pl.Int8).alias("direction_10s")),
    )
    make(root, "training_features")
    after = columns(path)
    known = root.manifest("training_features").read_bytes()
    assert {name for name in before if before[name] != after[name]} == {"direction_10s"}
    assert set(before) > set(SCHEMAS["future_labels"])
    inode = path.stat().st_ino
    make(root, "training_features")
    assert (root.manifest("training_features").read_bytes(), path.stat().st_ino) == (known, inode)
    assert manifest(root, "training_features")[str(path.relative_to(root.root))].sha256 == commit.sha256_file(path)
