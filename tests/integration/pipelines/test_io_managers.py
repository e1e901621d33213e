"""Between assets and files."""

import json

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.catalog.tables import TABLES
from ml.core.errors import StoreError
from ml.storage.commit import manifest, read, sha256_file
from ml.storage.parquet import Parts, Stored
from ml.tables.schemas import SCHEMAS
from pipelines.definitions import resources_of

FRAME = pl.DataFrame({"ts": [1, 2], "x": [0.5, None]})
SOME_DAYS = dg.MultiPartitionsDefinition(
    {
        "date": dg.StaticPartitionsDefinition(["2025-03-03", "2025-03-04"]),
        "instrument": dg.StaticPartitionsDefinition(["sim.A", "sim.B"]),
    }
)
KEY = dg.MultiPartitionKey({"instrument": "sim.B", "date": "2025-03-04"})


def run(root, *assets, **options):
    given = {name: resources_of(root)[name] for name in ("parquet", "json")}
    return dg.materialize(list(assets), resources=given, **options)


def shown(result, name):
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key.path[-1] == name]
    return event.materialization.metadata


@pytest.mark.parametrize("key", [None, KEY], ids=["whole", "partitioned"])
def test_a_table_comes_back_as_it_was(root, key):
    """The follower reads a lazy frame of what was stored, from the place that the paths name."""
    received = []
    partitions = SOME_DAYS if key else None

    @dg.asset(io_manager_key="parquet", partitions_def=partitions, code_version="v7")
    def dataset_panel():
        return FRAME

    @dg.asset(partitions_def=partitions)
    def follower(dataset_panel: pl.LazyFrame) -> None:
        received.append(dataset_panel)

    run(root, dataset_panel, follower, partition_key=key)
    path = root.partition("dataset_panel", "2025-03-04", "sim.B") if key else root.whole("dataset_panel")
    assert isinstance(received[0], pl.LazyFrame)
    assert_frame_equal(received[0].collect(), FRAME)
    assert_frame_equal(read(path).collect(), FRAME)
    assert [e.code_version for e in manifest(root, "dataset_panel").values()] == ["v7"]


def test_a_person_sees_what_was_stored(root):
    """Rows, path, size and hash."""

    @dg.asset(io_manager_key="parquet")
    def dataset_panel():
        return FRAME

    metadata = shown(run(root, dataset_panel), "dataset_panel")
    assert "dagster/column_schema" not in metadata  # columns stand in the definition, once
    assert metadata["dagster/row_count"].value == 2
    path = root.root / metadata["path"].value
    assert metadata["sha256"].value == sha256_file(path)
    assert metadata["bytes"].value == path.stat().st_size


def test_a_table_that_does_not_conform_is_not_stored(root):
    """A documented table with another column type raises before anything is written."""

    @dg.asset(io_manager_key="parquet")
    def trades():
        return SCHEMAS["trades"].to_frame().with_columns(pl.col("price").cast(pl.Float64))

    with pytest.raises(StoreError, match="trades: column price is Float64, not Int64"):
        run(root, trades)
    assert manifest(root, "trades") == {}


def test_a_table_of_a_set_that_does_not_conform_is_not_stored(root):
    """Its columns follow from the set."""

    @dg.asset(io_manager_key="parquet")
    def candle_features():
        rows = TABLES["candle_features"].schema.to_frame()
        return rows.with_columns(pl.col("rsi").cast(pl.Float32))

    with pytest.raises(StoreError, match="candle_features: column rsi is Float32, not Float64"):
        run(root, candle_features)
    assert manifest(root, "candle_features") == {}


def test_a_table_that_the_catalog_does_not_know_is_not_stored(root):
    """No command would list, check or repair it."""

    @dg.asset(io_manager_key="parquet")
    def sizes():
        return FRAME

    with pytest.raises(StoreError, match="sizes: the catalog has no such table"):
        run(root, sizes)
    assert not (root.meta / "sizes").exists()


def test_a_table_goes_and_comes_in_parts(root):
    """Where the asset gives parts, and its follower asks for them; what was counted on the way is shown."""
    received = []
    counted = {}

    def frames():
        yield from FRAME.iter_slices(1)
        counted["slices"] = FRAME.height

    @dg.asset(io_manager_key="parquet")
    def dataset_panel():
        return Parts(FRAME.schema, frames(), counted)

    @dg.asset
    def follower(dataset_panel: Stored) -> None:
        received.extend(dataset_panel.parts())

    metadata = shown(run(root, dataset_panel, follower), "dataset_panel")
    assert (metadata["slices"].value, metadata["dagster/row_count"].value) == (2, 2)
    assert_frame_equal(pl.concat(received), FRAME)


def test_a_part_that_does_not_conform_leaves_nothing(root):
    """The parts before it were written, and are no table."""
    good = SCHEMAS["trades"].to_frame()

    @dg.asset(io_manager_key="parquet")
    def trades():
        return Parts(good.schema, [good, good.drop("price")])

    with pytest.raises(StoreError, match="trades: column price is missing"):
        run(root, trades)
    assert manifest(root, "trades") == {}
    assert not list((root.staging / "trades").iterdir())


def test_the_columns_are_stored_in_their_documented_order(root):
    """Whatever order the asset gives."""

    @dg.asset(io_manager_key="parquet")
    def trades():
        return SCHEMAS["trades"].to_frame().select(reversed(SCHEMAS["trades"].names()))

    run(root, trades)
    assert read(root.whole("trades")).collect_schema().names() == SCHEMAS["trades"].names()


def test_an_input_that_was_never_made_says_what_to_do(root):
    """No stack trace from parquet."""

    @dg.asset(io_manager_key="parquet")
    def dataset_panel():
        return FRAME

    @dg.asset
    def follower(dataset_panel: pl.LazyFrame) -> None: ...

    with pytest.raises(StoreError, match="Materialize its asset"):
        run(root, dataset_panel, follower, selection=["follower"])


def test_a_document_comes_back_as_it_was(root):
    """JSON with sorted keys, its path and hash shown; the same content is the same bytes."""
    content = {"b": [1, None], "a": {"x": 0.1}}
    received = []

    @dg.asset(io_manager_key="json")
    def report():
        return content

    @dg.asset
    def follower(report: dict) -> None:
        received.append(report)

    metadata = shown(run(root, report, follower), "report")
    assert received == [content] == [json.loads(root.document("report").read_text())]
    assert (root.root / metadata["path"].value) == root.document("report")
    assert metadata["sha256"].value == sha256_file(root.document("report"))
    content = {"a": {"x": 0.1}, "b": [1, None]}
    assert shown(run(root, report), "report")["sha256"] == metadata["sha256"]
