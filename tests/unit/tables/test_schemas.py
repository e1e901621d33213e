"""The tables' columns, and that a frame has exactly them before it is stored."""

import polars as pl
import pytest

from ml.core.errors import StoreError
from ml.tables.schemas import LEVELS, SAMPLE_COLUMNS, SCHEMAS, NullReason
from ml.tables.spec import conform

SCHEMA = pl.Schema({"ts": pl.Int64(), "price": pl.Int64(), "side": pl.Int8()})
FRAME = pl.DataFrame({"ts": [1], "price": [2], "side": [1]}, schema=SCHEMA)


def test_a_fitting_frame_is_returned_in_the_order_of_the_schema():
    """The order of columns in a file does not depend on how the frame was made."""
    assert conform(FRAME.select("side", "ts", "price"), SCHEMA, "t").columns == list(SCHEMA)
    assert conform(FRAME, SCHEMA, "t").equals(FRAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("price"), "t: column price is missing"),
        (lambda f: f.with_columns(pl.col("price").cast(pl.Float64)), "t: column price is Float64, not Int64"),
        (lambda f: f.with_columns(x=1, y=2), r"t: 2 columns are not in its schema \(first x\)"),
        (lambda f: f.drop("ts").with_columns(pl.col("side").cast(pl.Int64)), "t: column ts is missing"),
    ],
    ids=["missing", "dtype", "extra", "first of two"],
)
def test_an_invalid_frame_is_refused(change, message):
    """The first culprit is named, and what it should be."""
    with pytest.raises(StoreError, match=message):
        conform(change(FRAME), SCHEMA, "t")


@pytest.mark.parametrize("table", SCHEMAS)
def test_prices_sizes_and_times_are_exact(table):
    """What the market said is kept as integers, never as floats."""
    exact = {
        name: dtype
        for name, dtype in SCHEMAS[table].items()
        if name == "ts" or name.endswith("_ts") or "price" in name or "size" in name
    }
    assert set(exact.values()) <= {pl.Int64()}


def test_the_ladder_has_all_levels_of_both_sides():
    """Price and size of each level, best first, next to each other in the kernel's order."""
    for side in ("bid", "ask"):
        for what in ("price", "size"):
            names = [f"{side}_{what}_{k}" for k in range(1, LEVELS + 1)]
            first = SAMPLE_COLUMNS.index(names[0])
            assert list(SAMPLE_COLUMNS[first : first + LEVELS]) == names
    assert len(set(SAMPLE_COLUMNS)) == len(SAMPLE_COLUMNS)


def test_null_reasons_fit_their_column():
    """One byte each, and 0 means that the value is there."""
    assert NullReason.NONE == 0
    assert pl.Series([int(reason) for reason in NullReason], dtype=pl.UInt8).n_unique() == len(NullReason)
