"""Stored tables with prices as prices and sizes as sizes, for people and notebooks.

Here: one view a table, in Polars and in DuckDB.
Not here: anything the pipeline computes with; that stays in whole units, which are exact.
"""

from typing import TYPE_CHECKING

import polars as pl

from ml.errors import StoreError
from ml.instruments import Instrument
from ml.paths import DataRoot
from ml.schemas import TABLES
from ml.store import manifest

if TYPE_CHECKING:
    import duckdb

VIEWED = ("book_events", "trades", "validity", "candles", "rest_candles", "book_samples", "future_labels")
_PRICES = ("open", "high", "low", "close", "mid_units")
_SIZES = (
    "size",
    "volume",
    "buy_volume",
    "bid_size_",
    "ask_size_",
    "ofi_",
    "added_",
    "cancelled_",
    "traded_",
    "trade_volume_",
    "trade_largest",
)


def frame(root: DataRoot, instrument: Instrument, table: str) -> pl.LazyFrame:
    """All stored dates of a table, by date; prices in quote currency and sizes in base currency or contracts, float64.

    Raises:
        StoreError: nothing of the table is stored for the instrument.
    """
    # Polars divides by multiplying with the inverse: rounding takes the noise away again (a mid has one decimal more)
    scaled = [(pl.col(name) / 10**k).round(k + 1) for name, k in _decimals(instrument, table).items()]
    files = [pl.scan_parquet(file) for file in _files(root, instrument, table)]
    return pl.concat(files, how="diagonal").with_columns(scaled)


def connect(root: DataRoot, instrument: Instrument) -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection in which each stored table of an instrument is a view of its own name, scaled alike."""
    import duckdb

    connection = duckdb.connect()
    for table in VIEWED:
        try:
            files = _files(root, instrument, table)
        except StoreError:
            continue  # not materialized yet: no view
        scaled = ", ".join(
            f"{name} / 1e{decimals} as {name}" for name, decimals in _decimals(instrument, table).items()
        )
        columns = f"* replace ({scaled})" if scaled else "*"
        source = (
            "["
            + ", ".join("'" + file.replace("'", "''") + "'" for file in files)
            + "], hive_partitioning = false, union_by_name = true"
        )
        connection.execute(f"create view {table} as select {columns} from read_parquet({source})")  # noqa: S608
    return connection


def _files(root: DataRoot, instrument: Instrument, table: str) -> list[str]:
    """Published files of a table and instrument, by date."""
    found = sorted(path for path in manifest(root, table) if path.endswith(f"_{instrument.id}.parquet"))
    if not found:
        raise StoreError(f"{table} holds nothing of {instrument.id}. Materialize it first.")
    return [str(root.root / path) for path in found]


def _decimals(instrument: Instrument, table: str) -> dict[str, int]:
    """Column to the decimals by which it is to be divided."""
    found: dict[str, int] = {}
    for name in TABLES[table].names():
        if "notional" in name:
            found[name] = instrument.price_decimals + instrument.size_decimals
        elif name in _PRICES or "price" in name:
            found[name] = instrument.price_decimals
        elif name.startswith(_SIZES):
            found[name] = instrument.size_decimals
    return found
