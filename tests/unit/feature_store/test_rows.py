"""Reading the feature store: schema evolution and points in time."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.core.config import LabelPlan
from ml.core.errors import DatasetError, StoreError
from ml.core.paths import FEATURE_GROUP, LEGACY_GROUP, DataRoot
from ml.core.time import SECOND
from ml.feature_store import rows as feature_store
from ml.feature_store.query import Query
from ml.labels.future import label
from ml.market.book import layout
from ml.market.days.tables import samples_frame
from ml.storage import commit
from tests.support import legacy_files
from tests.unit.labels.test_future import DATE, NO_TAIL, walk, with_gap

PLAN = LabelPlan()
LONG = LabelPlan((10, 30, 60, 300))


def put(root, samples, instrument="sim.X", date=DATE, plan=PLAN):
    """A day of the feature store with one feature and labels."""
    labels = label(samples_frame(samples), NO_TAIL, DATE, plan)
    rows = labels.select(pl.lit(instrument).alias("instrument"), "ts", pl.exclude("ts")).with_columns(
        ofi_30s=pl.int_range(pl.len()).cast(pl.Float64)
    )
    commit.publish(root, FEATURE_GROUP, root.partition(FEATURE_GROUP, date, instrument), rows, "v")
    return rows


def test_all_readers_return_the_same(root):
    """Polars, pandas and DuckDB, in order of time and instrument."""
    put(root, walk(100), "sim.X")
    put(root, walk(100, seed=2), "sim.Y")
    rows = feature_store.polars(root, Query())
    assert rows.select("ts", "instrument").equals(rows.select("ts", "instrument").sort("ts", "instrument"))
    assert rows.height == 200
    pd.testing.assert_frame_equal(feature_store.pandas(root, Query()), rows.to_pandas())
    with feature_store.connect(root, Query()) as connection:
        assert_frame_equal(connection.sql(f"from {FEATURE_GROUP}").pl(), rows)


def test_a_query_narrows_dates_instruments_and_columns(root):
    """Keys always come first."""
    for date, instrument in ((DATE, "sim.X"), (DATE, "sim.Y"), ("2025-03-04", "sim.X")):
        put(root, walk(50), instrument, date)
    query = Query(start=DATE, end=DATE, instruments=("sim.Y",), columns=("movement_10s",))
    rows = feature_store.polars(root, query)
    assert (rows.columns, rows.height) == (["instrument", "ts", "movement_10s"], 50)
    assert rows["instrument"].unique().to_list() == ["sim.Y"]


def test_columns_come_and_go(root):
    """A day that was labelled at 300 s beside one that was not: null there, the same columns for both."""
    put(root, walk(400), date="2025-03-03")
    put(root, walk(400), date="2025-03-04", plan=LONG)
    rows = feature_store.polars(root, Query(columns=("movement_10s", "movement_300s")))
    assert rows["movement_300s"].count() == 100
    assert rows["movement_10s"].count() == 2 * 390


def test_labels_may_be_asked_for_before_they_are_made(root):
    """Null from the first write on, of their own type; what is no label is an error."""
    put(root, walk(50))
    rows = feature_store.polars(root, Query(columns=("direction_180s", "movement_180s", "null_reason_180s")))
    assert rows.dtypes[2:] == [pl.Int8, pl.Float64, pl.UInt8]
    assert rows.null_count().row(0)[2:] == (50, 50, 50)
    with pytest.raises(DatasetError, match="Did you mean ofi_30s"):
        feature_store.polars(root, Query(columns=("ofi_3s",)))


def test_files_that_disagree_about_a_type_are_an_error(root):
    """Nothing is cast in silence."""
    frame = put(root, walk(50), date="2025-03-03")
    path = root.partition(FEATURE_GROUP, "2025-03-04", "sim.X")
    commit.publish(root, FEATURE_GROUP, path, frame.with_columns(pl.col("ofi_30s").cast(pl.String)), "v")
    with pytest.raises(StoreError, match=r"column ofi_30s is Float64 in .* and String in"):
        feature_store.polars(root, Query())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 200), st.integers(0, 150), st.integers(0, 30))
def test_what_is_known_by_a_time_is_what_a_cut_capture_gives(tmp_path_factory, upto, start, length):
    """Rows and labels are bit for bit those made from samples that end there."""
    root = DataRoot(tmp_path_factory.mktemp("cut"))
    samples = with_gap(walk(200), start, length)
    put(root, samples)
    cut = int(samples[0, layout.TS]) + (upto - 1) * SECOND
    found = feature_store.polars(root, Query(known_by=cut))
    kept = samples[samples[:, layout.TS] <= cut]
    expected = label(samples_frame(kept), NO_TAIL, DATE)
    assert_frame_equal(found.select(expected.columns), expected)


def test_features_as_of_a_decision_are_the_newest_that_were_there(root):
    """Against a plain loop: never a later row, never one that is too old, never a label."""
    samples = walk(100)
    rows = put(root, samples[np.r_[0:40, 60:100]])
    put(root, samples, "sim.Y")
    times = rows["ts"][0] + np.random.default_rng(1).integers(-5, 110, 50) * SECOND // 2
    decisions = pl.DataFrame({"instrument": ["sim.X"] * 50, "ts": times})
    found = feature_store.as_of(root, Query(), decisions, 5 * SECOND)
    assert found["ts"].to_list() == times.tolist()
    assert found.columns == ["instrument", "ts", "mid_units", "half_spread", "ofi_30s", "feature_ts"]
    for decision, at in found.select("ts", "feature_ts").iter_rows():
        before = [t for t in rows["ts"] if decision - 5 * SECOND <= t <= decision]
        assert at == (before[-1] if before else None)


def test_the_predecessors_samples_are_read_alike(root, tmp_path):
    """Their labels, stored and new, are cut at a time too."""
    from ml.legacy.migration import migrate

    ts = legacy_files.times(60)
    legacy_files.batch(tmp_path, "BTCUSDT", "a", ts, legacy_files.prices(60))
    migrate(root, tmp_path, "v")
    cut = ts[30] * 10**6
    rows = feature_store.polars(root, Query(LEGACY_GROUP, known_by=cut))
    late = rows.filter(pl.col("ts") + 60 * SECOND > cut)
    assert rows.height == 31
    assert late.select(pl.col("^(future|legacy)_(movement|direction)_60s$").count()).row(0) == (0,) * 4
    assert rows["future_movement_60s"].count() > 0
