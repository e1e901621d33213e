"""The table `candle_targets`: its columns follow from the targets.

Here: the spec.
Not here: the targets (`ml.labels.targets`), `future_labels` (`ml.tables.schemas`).
"""

import polars as pl

from ml.labels.targets import HORIZONS, STEP, TARGETS
from ml.tables.rules import Rule, whole_steps_of
from ml.tables.schemas import null_reason
from ml.tables.spec import I64, Column, Partitioning, TableSpec

CANDLE_TARGETS = TableSpec(
    "candle_targets",
    f"the {len(TARGETS)} targets that follow a candle of 15 minutes, when each horizon ends, and one null reason per "
    "horizon",
    (
        Column("ts", I64, "ns UTC", "Close of the candle."),
        *(
            Column(
                target.id,
                target.dtype,
                "" if target.threshold else "fraction",
                f"{target.formula}; c close, H highest high and L lowest low up to {target.horizon} later.",
            )
            for target in TARGETS
        ),
        *(Column(f"label_end_{h}", I64, "ns UTC", f"ts + {h}: when its targets are known.") for h in HORIZONS),
        *(null_reason(f"null_reason_{h}", f"the targets of {h} are") for h in HORIZONS),
    ),
    Partitioning.MONTH,
    sources=("candles", "rest_candles"),
    rules=(
        Rule("one_row_per_candle", whole_steps_of(STEP), True, "Rows follow each other by whole quarters of an hour."),
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
)
SPECS = (CANDLE_TARGETS,)
