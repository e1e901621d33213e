"""Every stored table is in the catalog, and what is stored has the columns that the catalog says."""

import polars as pl
import pytest

from ml.catalog.tables import RULES, TABLES, spec_of
from ml.core.errors import StoreError
from ml.core.versions import PARTS_OF
from ml.storage import verify
from ml.storage.commit import manifest, read
from ml.tables.rules import evaluate
from ml.tables.schemas import SPECS, label_schema
from ml.tables.spec import Partitioning

OF_SETS = ["features", "candle_features", "candle_targets", "legacy_110", "legacy_112", "training_features"]


def frame(spec):
    """Three rows of a table, all null but the time."""
    return pl.DataFrame({name: [None] * 3 for name in spec.schema}, spec.schema).with_columns(ts=pl.int_range(3))


@pytest.mark.parametrize("table", OF_SETS)
def test_a_wrong_type_is_refused(table):
    """A float of half the width, a time that is no integer: the table, the column, what it is and should be."""
    spec = TABLES[table]
    rows = frame(spec)
    assert spec.conform(rows).equals(rows)
    floats = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
    for name in (floats[0], floats[-1]):
        with pytest.raises(StoreError, match=f"{table}: column {name} is Float32, not Float64"):
            spec.conform(rows.with_columns(pl.col(name).cast(pl.Float32)))
    with pytest.raises(StoreError, match=f"{table}: column ts is Float64, not Int64"):
        spec.conform(rows.with_columns(pl.col("ts").cast(pl.Float64)))


@pytest.mark.parametrize("table", OF_SETS)
def test_a_missing_and_an_extra_column_are_refused(table):
    """A table is all of its set."""
    spec = TABLES[table]
    rows = frame(spec)
    with pytest.raises(StoreError, match=f"{table}: column {rows.columns[3]} is missing"):
        spec.conform(rows.drop(rows.columns[3]))
    with pytest.raises(StoreError, match=f"{table}: 1 columns are not in its schema"):
        spec.conform(rows.with_columns(more=1))


def test_labels_follow_their_horizons():
    """The feature store's rows have the label columns of the horizons that they have."""
    names = spec_of("training_features", ["movement_5s"]).schema.names()
    assert {"instrument", "qi_1", "null_reason_book", *label_schema((5,)).names()} <= set(names)
    assert "movement_10s" not in names


def test_a_table_that_is_not_in_the_catalog_has_no_spec():
    """Whoever stores it says what it is first."""
    with pytest.raises(StoreError, match=r"somebody's: the catalog has no such table\. Write a TableSpec"):
        spec_of("somebody's", [])


def test_what_a_pipeline_stores_is_in_the_catalog(ingested):
    """Each published table has a spec, and each of its files the columns of the spec."""
    stored = verify.tables(ingested)
    assert {"raw_frames", "book_samples", "features", "future_labels", "training_features"} <= set(stored)
    assert set(stored) <= TABLES.keys()
    for table in stored:
        for path in manifest(ingested, table):
            schema = read(ingested.root / path).collect_schema()
            spec = spec_of(table, schema.names())
            if not spec.is_open:
                assert list(schema.items()) == list(spec.schema.items()), path


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_a_spec_is_complete(spec):
    """Each column has a description, the clock and the lineage name columns, sources are tables, names stand once."""
    names = [column.name for column in spec.columns]
    assert len(names) == len(set(names))
    assert all(column.description.endswith(".") for column in spec.columns)
    assert spec.is_open or spec.clock is None or spec.clock in names
    assert set(spec.sources) <= TABLES.keys()
    assert set(spec.lineage) <= set(names)
    for column, (table, origin) in spec.lineage.items():
        assert table in spec.sources
        assert TABLES[table].schema[origin] == spec.schema[column]


def test_a_table_depends_on_the_versions_of_its_sources():
    """A change in a part makes all outdated that is made of it."""
    for table, parts in PARTS_OF.items():
        for source in TABLES[table].sources:
            assert set(PARTS_OF.get(source, ())) <= set(parts), (table, source)


def test_partitioned_tables_that_assets_make_are_versioned():
    """Only what is fetched, recorded or taken from old files depends on no version here."""
    partitioned = {s.name for s in TABLES.values() if s.partitioning in (Partitioning.DATE, Partitioning.MONTH)}
    assert partitioned - PARTS_OF.keys() == {"rest_candles"}


def test_rules_name_columns_that_their_tables_have():
    """An expression about a column that is gone would fail in the middle of a run."""
    for table in RULES.keys() & {spec.name for spec in SPECS}:
        evaluate(pl.DataFrame(schema=TABLES[table].schema), RULES[table])
