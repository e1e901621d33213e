"""What a table is: its columns with units and descriptions, partitions, clock, rules and sources.

Here: the classes, and the check that a frame passes before it is stored.
Not here: the specs (`ml.tables.schemas`, and beside each feature set), all of them together (`ml.catalog`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

import polars as pl

from ml.core.errors import StoreError
from ml.tables.rules import Rule

I64 = pl.Int64()
U8 = pl.UInt8()
F64 = pl.Float64()
TEXT = pl.String()


class Partitioning(StrEnum):
    """How a table is cut into files."""

    DATE = "date x instrument"
    MONTH = "month x instrument"
    WHOLE = "no"
    LEGACY = "date x instrument, all of them in one run"
    FILES = "a file per name"


class Column(NamedTuple):
    """One column. A unit of `1` is a pure number; no unit is text, a flag or a code."""

    name: str
    dtype: pl.DataType
    unit: str
    description: str


@dataclass(frozen=True)
class TableSpec:
    """What a stored table is.

    Args:
        name: of the table, its folder and its asset.
        row: what a row is.
        columns: in the order in which they are stored.
        partitioning: how it is cut into files.
        sources: the tables that it is made of.
        clock: the column by which rows are ordered in time, if there is one.
        rules: what its values must satisfy.
        lineage: columns that stand in another table as they are: column to (table, column there).
        by_horizon: the columns for other label horizons (s); None where columns do not depend on them.
        is_open: whether a frame may have columns besides these.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    partitioning: Partitioning = Partitioning.DATE
    sources: tuple[str, ...] = ()
    clock: str | None = "ts"
    rules: tuple[Rule, ...] = ()
    lineage: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    by_horizon: "Callable[[Sequence[int]], tuple[Column, ...]] | None" = None
    is_open: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Names and dtypes of the columns."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def null_reasons(self) -> tuple[str, ...]:
        """Columns that say why others are null."""
        return tuple(column.name for column in self.columns if "null_reason" in column.name)

    def with_horizons(self, horizons: Sequence[int]) -> "TableSpec":
        """The same table for label horizons in seconds."""
        return replace(self, columns=self.by_horizon(horizons)) if self.by_horizon else self

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with exactly the table's columns, in order; of an open table, as it is.

        Raises:
            StoreError: a column is missing, is extra or has another dtype; names the first.
        """
        return frame if self.is_open else conform(frame, self.schema, self.name)


def conform(frame: pl.DataFrame, schema: pl.Schema, table: str) -> pl.DataFrame:
    """Return the frame with exactly the schema's columns, in order.

    Raises:
        StoreError: a column is missing, is extra or has another dtype; names the first.
    """
    for name, dtype in schema.items():
        if name not in frame.columns:
            raise StoreError(f"{table}: column {name} is missing. The step that makes the table must give it.")
        if frame.schema[name] != dtype:
            raise StoreError(f"{table}: column {name} is {frame.schema[name]}, not {dtype}. Cast it where it is made.")
    extra = [name for name in frame.columns if name not in schema]
    if extra:
        raise StoreError(
            f"{table}: {len(extra)} columns are not in its schema (first {extra[0]}). Add them to the table's spec."
        )
    return frame.select(schema.names())
