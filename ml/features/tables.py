"""The tables of the feature sets: their columns and rules follow from the sets.

Here: `features`, `spoofing_pressure`, `candle_features`, `legacy_110` and `legacy_112`.
Not here: the features (`ml.features.tick.table`, `ml.features.candle.columns`), other tables (`ml.tables.schemas`).
"""

from collections.abc import Iterable

import polars as pl

from ml.features.candle.columns import FAMILIES as CANDLE_FAMILIES
from ml.features.candle.columns import STEP
from ml.features.candle.table import UNIFIED
from ml.features.legacy import feature as legacy
from ml.features.legacy.feature import LegacyFeature
from ml.features.legacy.table import ABSENT, LEGACY_SETS
from ml.features.pressure.table import FAMILY, PRESSURE, TABLE
from ml.features.sets import BASE, WHOLE, FeatureSet
from ml.features.tick.table import FAMILIES, FEATURES, Feature
from ml.tables.rules import Rule, feature_rules, whole_steps_of
from ml.tables.schemas import feature_columns, null_reason
from ml.tables.spec import F64, I64, Column, Partitioning, TableSpec


def _by_family(features: Iterable[Feature]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for feature in features:
        found.setdefault(feature.family, []).append(feature.id)
    return found


def column_of(feature: Feature) -> Column:
    """The column of a feature: its formula, and of the predecessor's what is wrong with it."""
    absent = isinstance(feature, LegacyFeature) and feature.absent
    fault = isinstance(feature, LegacyFeature) and feature.fault
    more = f" Always null: {absent}." if absent else f" Known fault: {fault}." if fault else ""
    return Column(feature.id, F64, feature.unit, f"{feature.formula}.{more}")


def _legacy(chosen: FeatureSet) -> TableSpec:
    return TableSpec(
        chosen.name,
        f"the predecessor's {len(chosen.columns)} columns of one second, for models that were trained on them",
        feature_columns([column_of(feature) for feature in chosen.features], legacy.FAMILIES),
        sources=("raw_frames", "book_samples", "candles"),
        rules=feature_rules(_by_family(feature for feature in chosen.features if feature.id not in ABSENT)),
    )


FEATURE_TABLE = TableSpec(
    "features",
    f"the {len(FEATURES)} features of one second, and one null reason per family",
    feature_columns([column_of(feature) for feature in WHOLE.features], FAMILIES),
    sources=("raw_frames", "book_samples"),
    rules=(
        *feature_rules(_by_family(FEATURES)),
        Rule(
            "covered",
            pl.any_horizontal(pl.col(BASE.columns).is_null()),
            False,
            f"At least 80 % of the rows have all features of {BASE.name}.",
            tolerated=0.2,
        ),
    ),
)
CANDLE_TABLE = TableSpec(
    "candle_features",
    f"the {len(UNIFIED.names)} features of a closed candle of 15 minutes (`{UNIFIED.name}`), and one null reason per "
    "family",
    (
        Column("ts", I64, "ns UTC", "Close of the candle."),
        *(Column(column.id, F64, column.unit, f"{column.formula}.") for column in UNIFIED.columns),
        *(null_reason(f"null_reason_{family}", f"features of {family} are") for family in CANDLE_FAMILIES),
    ),
    Partitioning.MONTH,
    sources=("candles", "rest_candles"),
    rules=(
        Rule("one_row_per_candle", whole_steps_of(STEP), True, "Rows follow each other by whole quarters of an hour."),
        Rule(
            "finite_or_null",
            ~pl.all_horizontal(pl.col(UNIFIED.names).is_finite().fill_null(value=True)),
            True,
            "Every feature is a finite number or null.",
        ),
        Rule(
            "reasons_given",
            pl.any_horizontal(
                pl.any_horizontal(pl.col([column.id for column in columns]).is_null())
                != (pl.col(f"null_reason_{family}") > 0)
                for family, columns in CANDLE_FAMILIES.items()
            ),
            True,
            "A null has a reason, and a row without one has all its values.",
        ),
        Rule(
            "covered",
            pl.any_horizontal(pl.col(UNIFIED.names).is_null()),
            False,
            "At least 80 % of the rows have all their features.",
            tolerated=0.2,
        ),
    ),
)
PRESSURE_TABLE = TableSpec(
    TABLE,
    "how much of each side is large and new, how much of that is pulled, and what the pulls tilt, once per second",
    feature_columns([column_of(feature) for feature in PRESSURE], [FAMILY]),
    sources=("raw_frames", "book_events", "trades", "book_samples"),
    rules=feature_rules(_by_family(PRESSURE)),
)
SPECS = (FEATURE_TABLE, PRESSURE_TABLE, CANDLE_TABLE, *(_legacy(chosen) for chosen in LEGACY_SETS.values()))
