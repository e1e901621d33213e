"""How much of a table is known: shares of rows by null reason, and by day.

Here: over the columns `null_reason_<of>` of a table, of being a family of features or a horizon.
Not here: which intervals of the book are known (`ml.market.gaps`), drawing (`ml.plotting.plots`).
"""

import polars as pl

from ml.tables.schemas import NullReason

PREFIX = "null_reason_"


def by_reason(frame: pl.DataFrame) -> pl.DataFrame:
    """Share of the rows without a null, and rows by reason: columns of, known, reasons."""
    names = {int(reason): reason.name.lower() for reason in NullReason if reason}
    rows: list[dict[str, object]] = []
    for column in _columns(frame):
        counts = frame[column].value_counts().sort(column).rows()
        reasons = ", ".join(f"{names[code]} {count}" for code, count in counts if code)
        known = sum(count for code, count in counts if not code)
        rows.append({"of": column.removeprefix(PREFIX), "known": known / max(frame.height, 1), "reasons": reasons})
    return pl.DataFrame(rows)


def by_day(frame: pl.DataFrame) -> pl.DataFrame:
    """Share of each UTC day's rows without a null: columns date, of, share. A row belongs to the day before its ts."""
    day = pl.from_epoch(pl.col("ts") - 1, time_unit="ns").dt.date().cast(pl.String).alias("date")
    shares = frame.group_by(day).agg((pl.col(column) == 0).mean() for column in _columns(frame)).sort("date")
    renamed = shares.rename({column: column.removeprefix(PREFIX) for column in _columns(frame)})
    return renamed.unpivot(index="date", variable_name="of", value_name="share")


def _columns(frame: pl.DataFrame) -> list[str]:
    return [column for column in frame.columns if column.startswith(PREFIX)]
