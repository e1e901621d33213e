"""Labels of migrated samples: recomputed by day, and how often they agree with the stored ones.

Here: the label columns of a partition of `legacy_samples`, its agreement, doing it again.
Not here: how a label is made (`ml.labels.asof`), the rows (`ml.legacy.samples`).
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ml.core.errors import StoreError
from ml.core.paths import LEGACY_GROUP, DataRoot
from ml.core.time import bounds
from ml.labels import asof
from ml.legacy.columns import FUTURE, HORIZONS, ROWS, SAMPLES
from ml.storage import commit
from ml.tables.spec import conform

TABLE = LEGACY_GROUP


def relabel(root: DataRoot, partitions: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Compute the `future_*` columns of stored partitions (date, instrument) again; no other column changes.

    Raises:
        StoreError: a partition is not stored.
    """
    listed = commit.manifest(root, TABLE)
    done = dict[str, Any]()
    for date, instrument in partitions:
        path = root.partition(TABLE, date, instrument)
        entry = listed.get(str(path.relative_to(root.root)))
        if entry is None:
            raise StoreError(f"{TABLE} has no rows of {date} {instrument}. Migrate it first.")
        rows = labelled(commit.load(path).select(ROWS.names()), date)
        commit.publish(root, TABLE, path, rows, entry.code_version)
        done[f"{date} {instrument}"] = agreement(rows)
    return done


def labelled(rows: pl.DataFrame, date: str) -> pl.DataFrame:
    """Rows of an instrument's day (columns `ROWS`, ascending ts) with the columns `FUTURE`."""
    labels = asof.label(rows.select("ts", price="current_mid_price"), HORIZONS, bounds(date)[1])
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
