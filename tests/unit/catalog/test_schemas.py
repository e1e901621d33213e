"""Tables made of feature sets have the columns that their sets say, and no other type."""

import polars as pl
import pytest

from ml.catalog.rules import RULES
from ml.catalog.schemas import MADE_OF_SETS, schema_of
from ml.core.errors import StoreError
from ml.tables.schemas import TABLES, conform, label_schema

WITHOUT = {"dataset_panel"}
"""Its columns are those of the set that is trained on, which a model's card names."""
TABLES_OF_SETS = [*MADE_OF_SETS, "training_features"]


def frame(table):
    """Three rows of the table, all null but the time."""
    schema = schema_of(table, ["movement_10s", "movement_60s"])
    return pl.DataFrame({name: [None] * 3 for name in schema}, schema).with_columns(ts=pl.int_range(3))


@pytest.mark.parametrize("table", TABLES_OF_SETS)
def test_a_wrong_type_is_refused(table):
    """A float of half the width, a time that is no integer: the table, the column, what it is and should be."""
    rows = frame(table)
    assert conform(rows, schema_of(table, rows.columns), table).equals(rows)
    floats = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
    for name in (floats[0], floats[-1]):
        wrong = rows.with_columns(pl.col(name).cast(pl.Float32))
        with pytest.raises(StoreError, match=f"{table}: column {name} is Float32, not Float64"):
            conform(wrong, schema_of(table, wrong.columns), table)
    late = rows.with_columns(pl.col("ts").cast(pl.Float64))
    with pytest.raises(StoreError, match=f"{table}: column ts is Float64, not Int64"):
        conform(late, schema_of(table, late.columns), table)


@pytest.mark.parametrize("table", TABLES_OF_SETS)
def test_a_missing_and_an_extra_column_are_refused(table):
    """A table is all of its set."""
    rows = frame(table)
    with pytest.raises(StoreError, match=f"{table}: column {rows.columns[3]} is missing"):
        conform(rows.drop(rows.columns[3]), schema_of(table, rows.columns), table)
    with pytest.raises(StoreError, match=f"{table}: 1 columns are not in its schema"):
        conform(rows.with_columns(more=1), schema_of(table, rows.columns), table)


def test_labels_follow_their_horizons():
    """The feature store's rows have the label columns of the horizons that they have."""
    names = schema_of("training_features", ["movement_5s"]).names()
    assert {"instrument", "qi_1", "null_reason_book", *label_schema((5,)).names()} <= set(names)
    assert "movement_10s" not in names


def test_every_table_with_rules_has_a_schema():
    """What must satisfy rules must first have the columns."""
    assert {table for table in RULES if schema_of(table, ["movement_10s"]) is None} == WITHOUT


def test_other_tables_have_their_own():
    """As written down, or none."""
    assert schema_of("trades", []) is TABLES["trades"]
    assert schema_of("somebody's", []) is None
