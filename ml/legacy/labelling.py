"""Labels of migrated samples: recomputed by day, and how often they agree with the stored ones.

Here: the label columns of a partition of `legacy_samples`, from prices at irregular times; which code the directions of
a source have (-1, 0, 1 by one script, 0, 1, 2 by another); agreement; relabelling.
Not here: the rows (`ml.legacy.samples`), labels of our own samples (`ml.labels.future`).
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ml.core.errors import StoreError
from ml.core.paths import LEGACY_GROUP, DataRoot
from ml.core.time import SECOND, bounds
from ml.labels.classes import fixed_direction
from ml.legacy.columns import FUTURE, HORIZONS, ROWS, SAMPLES, STORED
from ml.storage import commit
from ml.tables.schemas import NullReason
from ml.tables.spec import conform

TABLE = LEGACY_GROUP
CODES = {"-1/0/1": 1, "0/1/2": 0}
"""What is to be added to a code to make it ours."""
LEAST_TOLERANCE = SECOND // 2


def relabel(root: DataRoot, partitions: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Compute the `future_*` columns of stored partitions (date, instrument) again; no other column changes.

    Raises:
        StoreError: a partition is not stored.
    """
    entries = commit.manifest(root, TABLE)
    done = dict[str, Any]()
    for date, instrument in partitions:
        path = root.partition(TABLE, date, instrument)
        entry = entries.get(str(path.relative_to(root.root)))
        if entry is None:
            raise StoreError(f"{TABLE} has no rows of {date} {instrument}. Migrate it first.")
        rows = labelled(commit.load(path).select(ROWS.names()), date)
        commit.publish(root, TABLE, path, rows, entry.code_version)
        done[f"{date} {instrument}"] = agreement(rows)
    return done


def labelled(rows: pl.DataFrame, date: str) -> pl.DataFrame:
    """Rows of an instrument's day (columns `ROWS`, ascending ts) with the columns `FUTURE`."""
    labels = label(rows.select("ts", price="current_mid_price"), HORIZONS, bounds(date)[1])
    return conform(rows.hstack(labels.select(*FUTURE)), SAMPLES, TABLE)


def agreement(rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    """By horizon: rows with a label, rows that also have a stored direction, and rows where both agree."""
    return {
        f"{h}s": rows.select(
            labelled=pl.col(f"future_direction_{h}s").count(),
            compared=(pl.col(f"future_direction_{h}s") == pl.col(f"legacy_direction_{h}s")).count(),
            agree=(pl.col(f"future_direction_{h}s") == pl.col(f"legacy_direction_{h}s")).sum(),
        ).row(0, named=True)
        for h in HORIZONS
    }


def summed(parts: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, Any]]:
    """Totals over days, and the share that agrees, None where nothing was compared."""
    found: dict[str, dict[str, Any]] = {}
    for h in HORIZONS:
        total = {name: sum(part[f"{h}s"][name] for part in parts) for name in ("labelled", "compared", "agree")}
        found[f"{h}s"] = total | {"agreement": total["agree"] / total["compared"] if total["compared"] else None}
    return found


def label(rows: pl.DataFrame, horizons: Sequence[int], end: int) -> pl.DataFrame:
    """Columns `future_{movement,direction,age,null_reason}_{h}s`, a row per row.

    The price at t + h is that of the last row at or before it, at most half a second or half the usual spacing of rows
    older. A horizon is labelled only if rows usually stand no further apart than half of it: a price every 30 s cannot
    say what happened in 10 s. The last h seconds of an interval have no label.

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


def normal_codes(raw: pl.DataFrame) -> tuple[dict[str, pl.Series], str]:
    """Columns of `STORED`, and the code: `-1/0/1`, `0/1/2`, `ambiguous`, `bad` or `none`.

    Stored movements decide the code of a file that holds no other codes than 0 and 1. Directions are null where the
    code is ambiguous or bad: they are computed from prices in any case, and the sources stay.

    Args:
        raw: the columns `LABELS`, float64 without NaN.
    """
    movements = {h: raw[f"future_movement_{h}s"] for h in HORIZONS}
    codes = {h: raw[f"future_direction_{h}s"] for h in HORIZONS}
    code = _code(codes, movements)
    columns: dict[str, pl.Series] = {}
    for h in HORIZONS:
        shifted = codes[h] + CODES[code] if code in CODES else pl.repeat(None, raw.height, dtype=pl.Float64, eager=True)
        columns[f"legacy_movement_{h}s"] = movements[h]
        columns[f"legacy_direction_{h}s"] = shifted.cast(pl.Int8, strict=False)
    return {name: columns[name] for name in STORED}, code


def _code(codes: dict[int, pl.Series], movements: dict[int, pl.Series]) -> str:
    seen = set(pl.concat(list(codes.values())).drop_nulls().to_list())
    if not seen:
        return "none"
    if not seen <= {-1.0, 0.0, 1.0, 2.0} or {-1.0, 2.0} <= seen:
        return "bad"
    if -1.0 in seen:
        return "-1/0/1"
    if 2.0 in seen:
        return "0/1/2"
    fitting = [code for code, shift in CODES.items() if _fits(codes, movements, shift)]
    return fitting[0] if len(fitting) == 1 else "ambiguous"


def _fits(codes: dict[int, pl.Series], movements: dict[int, pl.Series], shift: int) -> bool:
    """Whether every direction is what its stored movement says."""
    expected = fixed_direction(pl.col("movement"))
    both = [pl.DataFrame({"code": codes[h], "movement": movements[h]}) for h in HORIZONS]
    known = pl.concat(both).drop_nulls()
    return known.height > 0 and bool(known.select((pl.col("code") + shift == expected).all()).item())
