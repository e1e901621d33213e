"""Prices as prices: both views scale alike, and no row is lost."""

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.catalog import views
from ml.core.addresses import duckdb_list
from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from ml.storage.commit import manifest, publish, read
from tests.support.scenario import INSTRUMENT

DAYS = ("2025-03-03", "2025-03-04")


def test_polars_and_duckdb_show_the_same(ingested):
    """Of every table that is stored by date and instrument: all dates, every column, in one order."""
    stored = [table for table in views.VIEWED if manifest(ingested, table)]
    assert {"raw_frames", "trades", "candles", "book_samples", "features", "training_features"} <= set(stored)
    with views.connect(ingested, INSTRUMENT) as connection:
        for table in stored:
            shown = views.frame(ingested, INSTRUMENT, table).collect()
            assert_frame_equal(connection.sql(f"from {table}").pl(), shown, check_exact=True)
            assert shown.height == sum(
                read(ingested.root / path).collect().height for path in manifest(ingested, table)
            )


def test_a_price_is_its_units_over_ten_to_the_decimals(ingested):
    """One decimal of price and three of size; a notional has both; counts and times stay whole."""
    units = read(ingested.partition("book_samples", DAYS[0], INSTRUMENT.id)).collect().row(-1, named=True)
    shown = views.frame(ingested, INSTRUMENT, "book_samples").collect().filter(ts=units["ts"]).row(0, named=True)
    assert shown["bid_price_1"] == units["bid_price_1"] / 10
    assert shown["bid_size_1"] == units["bid_size_1"] / 1_000
    assert shown["trade_notional_buy"] == units["trade_notional_buy"] / 10_000
    assert shown["last_trade_price"] == units["last_trade_price"] / 10
    assert (shown["n_updates"], shown["book_age"]) == (units["n_updates"], units["book_age"])


def test_candles_are_scaled_in_every_column(ingested):
    """Prices, volumes and turnover; counts and reasons stay as they are."""
    units = read(ingested.partition("candles", DAYS[1], INSTRUMENT.id)).collect().row(10, named=True)
    shown = views.frame(ingested, INSTRUMENT, "candles").collect().filter(ts=units["ts"]).row(0, named=True)
    scale = dict.fromkeys(("open", "high", "low", "close"), 10) | {
        "volume": 1_000,
        "buy_volume": 1_000,
        "notional": 10_000,
    }
    assert shown == {name: value / scale[name] if name in scale else value for name, value in units.items()}


def test_nothing_stored_is_said(root):
    """The message names the table and the instrument."""
    with pytest.raises(StoreError, match=r"trades has no rows of sim\.SIMUSDT"):
        views.frame(root, INSTRUMENT, "trades")


def test_a_path_is_no_pattern(tmp_path):
    """`run[1]` as a pattern is `run1`, which lies beside it; a question mark and a star are any characters."""
    names = ("run[1]", "run1", "a?'*", "ab'c")
    for size, name in enumerate(names, start=1):
        root = DataRoot(tmp_path / name)
        rows = pl.DataFrame({"ts": [1], "price": [10 * size], "size": [1_000]})
        publish(root, "trades", root.partition("trades", DAYS[0], INSTRUMENT.id), rows, "")
    for size, name in enumerate(names, start=1):
        root = DataRoot(tmp_path / name)
        assert views.frame(root, INSTRUMENT, "trades").collect()["price"].to_list() == [size]
        with duckdb.connect() as connection:
            files = duckdb_list([root.partition("trades", DAYS[0], INSTRUMENT.id)])
            assert connection.sql(f"from read_parquet({files})").pl()["price"].to_list() == [10 * size]
