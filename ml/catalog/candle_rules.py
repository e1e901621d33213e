"""What the values of candle features and candle targets must satisfy.

Here: the rules of both tables.
Not here: those of other tables, and who evaluates them (`ml.catalog.rules`).
"""

import polars as pl

from ml.features.candle.columns import FAMILIES, STEP
from ml.features.candle.table import UNIFIED
from ml.labels.targets import TARGETS
from ml.tables.rules import Rule


def _uneven_quarters(frame: pl.DataFrame) -> int:
    steps = frame["ts"].diff().drop_nulls()
    return int(((steps <= 0) | (frame["ts"][1:] % STEP != 0)).sum())


CANDLE_RULES: dict[str, tuple[Rule, ...]] = {
    "candle_features": (
        Rule("one_row_a_candle", _uneven_quarters, True, "Rows follow each other by whole quarters of an hour."),
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
                for family, columns in FAMILIES.items()
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
    "candle_targets": (
        Rule("one_row_a_candle", _uneven_quarters, True, "Rows follow each other by whole quarters of an hour."),
        Rule(
            "reasons_given",
            pl.any_horizontal(
                pl.col(target.id).is_null() != (pl.col(f"null_reason_{target.horizon}") > 0) for target in TARGETS
            ),
            True,
            "A null has a reason, and a value none.",
        ),
        Rule(
            "reach_what_they_return",
            ((pl.col("future_return_4h") >= 0.011) & (pl.col("long_will_reach_1pct_4h") == 0))
            | ((pl.col("future_return_4h") <= -0.011) & (pl.col("short_will_reach_1pct_4h") == 0)),
            True,
            "A price that stands beyond a level has reached it.",
        ),
        Rule(
            "labelled",
            pl.col("future_return_4h").is_null(),
            False,
            "At least 80 % of the rows have targets at four hours.",
            tolerated=0.2,
        ),
    ),
}
