"""Stored tables with decimal prices and sizes, for users and notebooks: one view per table, in Polars and DuckDB.

The pipeline itself computes in integer units, which are exact.
"""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ml.catalog.tables import TABLES
from ml.core import config
from ml.core.addresses import duckdb_list, scan
from ml.core.errors import StoreError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot, partition_of
from ml.storage.commit import manifest
from ml.tables.schemas import NOTIONAL, PRICE, SIZE
from ml.tables.spec import Partitioning

if TYPE_CHECKING:
    import duckdb

_UNPARTITIONED = (Partitioning.WHOLE, Partitioning.FILES)
VIEWED = tuple(spec.name for spec in TABLES.values() if spec.partitioning not in _UNPARTITIONED)
"""The tables of a date or month and an instrument."""


def frame(root: DataRoot, instrument: Instrument, table: str) -> pl.LazyFrame:
    """All stored dates of a table, by date; prices in quote currency and sizes in base currency or contracts, float64.

    Raises:
        StoreError: nothing of the table is stored for the instrument.
    """
    # Polars divides by multiplying with the inverse: rounding takes the noise away again (a mid has one decimal more)
    parts = [
        pl.concat(map(scan, files), how="diagonal").with_columns(
            [(pl.col(name) / 10**k).round(k + 1) for name, k in _decimals(entry, table).items()]
        )
        for entry, files in _files(root, instrument, table)
    ]
    return pl.concat(parts, how="diagonal")


def connect(root: DataRoot, instrument: Instrument) -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection in which each stored table of an instrument is a view of its own name, scaled alike."""
    import duckdb

    connection = duckdb.connect()
    for table in VIEWED:
        try:
            parts = _files(root, instrument, table)
        except StoreError:
            continue  # not materialized yet: no view
        query = " union all by name ".join(_query(table, entry, files) for entry, files in parts)
        connection.execute(f"create view {table} as {query}")
    return connection


def files(root: DataRoot, instrument: Instrument) -> list[str]:
    """The files that the views of an instrument read."""
    tables = (name for name in VIEWED if manifest(root, name))
    return [
        str(root.root / path)
        for table in tables
        for path in sorted(manifest(root, table))
        if partition_of(path).instrument == instrument.id
    ]


def _query(table: str, entry: Instrument, files: list[Path]) -> str:
    scaled = ", ".join(f"{name} / 1e{decimals} as {name}" for name, decimals in _decimals(entry, table).items())
    columns = f"* replace ({scaled})" if scaled else "*"
    options = "hive_partitioning = false, union_by_name = true"
    return f"select {columns} from read_parquet({duckdb_list(files)}, {options})"  # noqa: S608


def _files(root: DataRoot, instrument: Instrument, table: str) -> list[tuple[Instrument, list[Path]]]:
    """Published files of a table and instrument by date, with the entry of the instrument that holds for them."""
    found = sorted(path for path in manifest(root, table) if partition_of(path).instrument == instrument.id)
    if not found:
        raise StoreError(f"{table} has no rows of {instrument.id}. Materialize it first.")
    configuration = config.load(root) if root.config.exists() else None
    dated = configuration if configuration is not None and instrument.id in configuration.ids else None

    def entry(path: str) -> Instrument:
        return instrument if dated is None else dated.instrument(instrument.id, partition_of(path).date)

    return [(one, [root.root / path for path in paths]) for one, paths in groupby(found, key=entry)]


def _decimals(instrument: Instrument, table: str) -> dict[str, int]:
    """Column to the decimals by which it is to be divided."""
    of_units = {
        PRICE: instrument.price_decimals,
        SIZE: instrument.size_decimals,
        NOTIONAL: instrument.price_decimals + instrument.size_decimals,
    }
    return {column.name: of_units[column.unit] for column in TABLES[table].columns if column.unit in of_units}
