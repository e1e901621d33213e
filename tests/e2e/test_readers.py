"""Four libraries read a tree whose files are of three generations, and get the same frame, whichever way they go in."""

from glob import glob

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from ml.storage import commit

OLD = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]})
UNKNOWN = OLD.with_columns(pl.col("ts") + 2, future_direction=pl.lit(None, pl.Int8))
KNOWN = OLD.with_columns(pl.col("ts") + 4, future_direction=pl.Series([0, None], dtype=pl.Int8))
GENERATIONS = {"2025-01-01": OLD, "2025-01-02": UNKNOWN, "2025-01-03": KNOWN}
"""Before labels existed, with labels that are all null, and with some."""
WHOLE = pl.concat(list(GENERATIONS.values()), how="diagonal")
ARROW = pa.schema([("ts", pa.int64()), ("x", pa.float64()), ("future_direction", pa.int8())])
NAMES = ARROW.names


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The folder of a table with one partition of each generation, stored through the protocol."""
    root = commit.DataRoot(tmp_path_factory.mktemp("readers"))
    for date, frame in GENERATIONS.items():
        commit.publish(root, "features", root.partition("features", date, "sim.X"), frame, "v")
    return root.table("features")


def files(tree):
    return sorted(glob(f"{tree}/**/*.parquet", recursive=True))  # noqa: PTH207 - what a reader's user writes


def by_duckdb(relation):
    with duckdb.connect() as connection:
        return connection.sql(f"from {relation} select ts, x, future_direction").pl()


def in_duckdb(dataset):
    with duckdb.connect() as connection:
        return connection.from_arrow(dataset).select(*NAMES).pl()


def scanned(source):
    return pl.scan_parquet(
        source, schema=dict(WHOLE.schema), missing_columns="insert", hive_partitioning=False
    ).collect()


def as_dataset(tree):
    return ds.dataset(tree, schema=ARROW)


WAYS = {
    ("polars", "folder"): scanned,
    ("polars", "glob"): lambda tree: scanned(f"{tree}/**/*.parquet"),
    ("polars", "dataset"): lambda tree: pl.scan_pyarrow_dataset(as_dataset(tree)).collect(),
    ("pyarrow", "folder"): lambda tree: pl.from_arrow(pq.read_table(tree, schema=ARROW)),
    ("pyarrow", "glob"): lambda tree: pl.from_arrow(ds.dataset(files(tree), schema=ARROW).to_table()),
    ("pyarrow", "dataset"): lambda tree: pl.from_arrow(as_dataset(tree).to_table()),
    ("pandas", "folder"): lambda tree: pl.from_pandas(pd.read_parquet(tree, schema=ARROW, dtype_backend="pyarrow")),
    ("pandas", "glob"): lambda tree: pl.from_pandas(
        pd.concat(pd.read_parquet(one, schema=ARROW, dtype_backend="pyarrow") for one in files(tree))
    ),
    ("pandas", "dataset"): lambda tree: pl.from_pandas(
        as_dataset(tree).to_table().to_pandas(types_mapper=pd.ArrowDtype)
    ),
    ("duckdb", "folder"): lambda tree: by_duckdb(f"read_parquet({files(tree)}, union_by_name = true)"),
    ("duckdb", "glob"): lambda tree: by_duckdb(f"read_parquet('{tree}/**/*.parquet', union_by_name = true)"),
    ("duckdb", "dataset"): lambda tree: in_duckdb(as_dataset(tree)),
}


@pytest.mark.promise("B4")
@pytest.mark.parametrize("way", WAYS, ids=" by ".join)
def test_every_reader_gets_the_same_frame(tree, way):
    """Rows, dtypes and nulls of all generations; a label that was not yet made is null."""
    found = WAYS[way](tree).select(NAMES).sort("ts")
    assert_frame_equal(found, WHOLE)


@pytest.mark.promise("B4")
def test_a_tree_holds_parquet_alone(tree):
    """Nothing that a reader of a folder could stumble over."""
    assert {path.suffix for path in tree.rglob("*") if path.is_file()} == {".parquet"}
