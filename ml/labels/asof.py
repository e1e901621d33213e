"""Labels of sources without continuity: snapshots now and then, candles, quotes of whole seconds.

Here: movement and direction from the last price at or before t + h, if it is not too old.
Not here: labels from a book that is known at every moment (`ml.labels.future`).

The price at t + h is that of the last row at or before it, at most half a second or half the usual spacing of rows
older. A horizon is labelled only if rows usually stand no further apart than half of it: a price every 30 s cannot say
what happened in 10 s. The last h seconds of an interval have no label.
"""

from collections.abc import Sequence

import polars as pl

from ml.core.time import SECOND
from ml.labels.classes import fixed_direction
from ml.tables.schemas import NullReason

LEAST_TOLERANCE = SECOND // 2


def label(rows: pl.DataFrame, horizons: Sequence[int], end: int) -> pl.DataFrame:
    """Columns `future_{movement,direction,age,null_reason}_{h}s`, a row per row.

    Args:
        rows: columns ts (i64 ns, ascending, each once) and price (f64, null where unknown).
        horizons: seconds.
        end: ns UTC, the end of the interval that may be looked at.
    """
    spacing = int(rows["ts"].diff().median() or 0)  # type: ignore[arg-type]
    known = rows.drop_nulls("price").select(at="ts", later="price")
    columns = [_horizon(rows, known, h, end, spacing) for h in horizons]
    return pl.concat(columns, how="horizontal") if columns else pl.DataFrame()


def _horizon(rows: pl.DataFrame, known: pl.DataFrame, h: int, end: int, spacing: int) -> pl.DataFrame:
    target = pl.col("ts") + h * SECOND
    last = known["at"].max()
    found = rows.with_columns(target=target).join_asof(
        known, left_on="target", right_on="at", strategy="backward", tolerance=max(LEAST_TOLERANCE, spacing // 2)
    )
    reason = (
        pl.when(pl.col("price").is_null() | (spacing > h * SECOND // 2))
        .then(NullReason.UNDEFINED)
        .when(pl.col("target") > end)
        .then(NullReason.DAY_END)
        .when(pl.col("target") > pl.lit(last, pl.Int64))
        .then(NullReason.CAPTURE_END)
        .when(pl.col("later").is_null())
        .then(NullReason.STALE)
        .otherwise(NullReason.NONE)
    )
    movement = pl.when(pl.col("reason") == 0).then(pl.col("later") / pl.col("price") - 1)
    return (
        found.with_columns(reason=reason.cast(pl.UInt8))
        .with_columns(movement=movement)
        .select(
            pl.col("movement").alias(f"future_movement_{h}s"),
            fixed_direction(pl.col("movement")).alias(f"future_direction_{h}s"),
            pl.when(pl.col("reason") == 0).then(pl.col("target") - pl.col("at")).alias(f"future_age_{h}s"),
            pl.col("reason").alias(f"future_null_reason_{h}s"),
        )
    )
