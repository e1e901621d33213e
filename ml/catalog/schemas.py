"""What a stored table must conform to, those made of feature sets included.

Here: the schema of a table by its name, derived from the sets where a set says its columns.
Add here: a table that a new set makes.
Not here: tables with columns of their own (`ml.tables.schemas`), what their values must satisfy (`ml.catalog.rules`).
"""

from collections.abc import Sequence

import polars as pl

from ml.core.paths import FEATURE_GROUP
from ml.features.candle.columns import FAMILIES as CANDLE_FAMILIES
from ml.features.candle.table import UNIFIED
from ml.features.legacy import feature as legacy
from ml.features.legacy.table import LEGACY_SETS
from ml.features.sets import WHOLE
from ml.features.tick.table import FAMILIES
from ml.labels import targets
from ml.tables import schemas
from ml.tables.schemas import feature_schema, horizons_of, label_schema

MADE_OF_SETS: dict[str, pl.Schema] = {
    "features": feature_schema(WHOLE.columns, FAMILIES),
    "candle_features": feature_schema(UNIFIED.names, tuple(CANDLE_FAMILIES)),
    "candle_targets": targets.SCHEMA,
    **{name: feature_schema(chosen.columns, legacy.FAMILIES) for name, chosen in LEGACY_SETS.items()},
}


def schema_of(table: str, columns: Sequence[str]) -> pl.Schema | None:
    """What a table with these columns must conform to; None if it has no fixed schema."""
    if table == FEATURE_GROUP:
        labels = label_schema(horizons_of(columns))
        return pl.Schema({"instrument": pl.String()} | MADE_OF_SETS["features"] | labels)
    return MADE_OF_SETS.get(table) or schemas.schema_of(table, columns)
