"""Rows of the feature store: any dates, instruments and columns of a group, as they could be known at a time.

Here: `polars`, `pandas` and `connect` (DuckDB) for a query, and features as of decisions.
Not here: writing the groups (`assets.datasets`, `ml.legacy.samples`), the rows a model trains on
(`ml.learning.dataset`).

    from ml.feature_store import rows
    from ml.feature_store.query import Query

    rows.polars(root, Query(start="2025-03-03", columns=("qi_1", "movement_300s")))

Features of a row are available at its `ts`; its label of h seconds is known at ts + h. Columns come and go with the
code that wrote a day: what a file lacks is null, and any label column may be asked for before it is made.
"""

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from ml.core.errors import DatasetError, StoreError
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.feature_store.query import Query
from ml.storage.commit import read
from ml.tables.schemas import NullReason, label_schema

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

KEYS = ("instrument", "ts")
_KINDS = {name.removesuffix("_1s"): dtype for name, dtype in label_schema((1,)).items() if name.endswith("_1s")}
_AT_ONCE = ("label_end", "sigma")
"""Of a label's columns those that are known at its start: when it ends, and the volatility before it."""
_LABEL = re.compile(rf"(?:future_|legacy_)?({'|'.join(_KINDS)}|age)_(\d+)s")


def polars(root: DataRoot, query: Query) -> pl.DataFrame:
    """Rows in order of time, then instrument.

    Raises:
        DatasetError: nothing matches, or a column is in no file and is no label.
        StoreError: two files have a column of one name with different types.
    """
    rows = pl.concat(_alike(root, query), how="diagonal").collect()
    rows = _with_asked(rows, query)
    if query.known_by is not None:
        rows = _cut(rows.filter(pl.col("ts") <= query.known_by), query.known_by)
    return rows.select(*KEYS, *(n for n in query.columns or rows.columns if n not in KEYS)).sort("ts", "instrument")


def pandas(root: DataRoot, query: Query) -> "pd.DataFrame":
    """The same rows as a pandas frame."""
    return polars(root, query).to_pandas()


def connect(root: DataRoot, query: Query) -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection in which the rows are a view named like the group."""
    import duckdb

    connection = duckdb.connect()
    connection.register(query.group, polars(root, query).to_arrow())
    return connection


def as_of(root: DataRoot, query: Query, decisions: pl.DataFrame, max_age: int) -> pl.DataFrame:
    """For each decision the newest features that were available, null where they are older than `max_age` ns.

    Args:
        root: where the store lies.
        query: which features; label columns are left out, since none was known at its decision.
        decisions: columns instrument and ts (i64 ns UTC), in any order.
        max_age: ns; the age counts from the decision.

    Returns:
        The decisions in their order, with `feature_ts` and the features.
    """
    rows = polars(root, query)
    features = rows.select(n for n in rows.columns if _LABEL.fullmatch(n) is None)
    numbered = decisions.with_row_index("number").sort("ts")
    found = numbered.join_asof(
        features.with_columns(feature_ts="ts").sort("ts"), on="ts", by="instrument", tolerance=max_age
    )
    return found.sort("number").drop("number")


def _alike(root: DataRoot, query: Query) -> list[pl.LazyFrame]:
    """The files of a query, whose columns of one name have one type."""
    frames = list[pl.LazyFrame]()
    types = dict[str, tuple[pl.DataType, str]]()
    for entry in query.entries(root):
        frames.append(read(root.root / entry.path))
        for name, dtype in frames[-1].collect_schema().items():
            first, path = types.setdefault(name, (dtype, entry.path))
            if first != dtype:
                raise StoreError(
                    f"{query.group}: column {name} is {first} in {path} and {dtype} in {entry.path}. Rebuild one."
                )
    return frames


def _with_asked(rows: pl.DataFrame, query: Query) -> pl.DataFrame:
    """Add labels that were asked for and that no file has yet, as nulls."""
    absent = [name for name in query.columns if name not in rows.columns]
    added: list[pl.Expr] = []
    for name in absent:
        dtype = _type_of(name)
        if dtype is None:
            near = get_close_matches(name, rows.columns, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise DatasetError(f"{query.group} has no column {name}.{hint} `lobforge features list` lists all columns.")
        added.append(pl.lit(None, dtype).alias(name))
    return rows.with_columns(added)


def _type_of(name: str) -> pl.DataType | None:
    label = _LABEL.fullmatch(name)
    return None if label is None else _KINDS.get(label[1], pl.Int64())


def _cut(rows: pl.DataFrame, known_by: int) -> pl.DataFrame:
    """Labels that end after a time are null, as if the capture had ended there."""
    columns: list[pl.Expr] = []
    for name in rows.columns:
        label = _LABEL.fullmatch(name)
        if label is None or label[1] in _AT_ONCE:
            continue
        late = pl.col("ts") + int(label[2]) * SECOND > known_by
        if label[1] == "null_reason":
            told_later = pl.col(name).is_in([NullReason.NONE, NullReason.HORIZON_INVALID, NullReason.STALE])
            ended = pl.lit(int(NullReason.CAPTURE_END), pl.UInt8)
            columns.append(pl.when(late & told_later).then(ended).otherwise(pl.col(name)).alias(name))
        else:
            columns.append(pl.when(~late).then(pl.col(name)).alias(name))
    return rows.with_columns(columns)
