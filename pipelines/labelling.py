"""Recompute the labels of stored days: `lobforge label` and the predecessor's script names.

This module resolves a date range to partitions, runs their assets and verifies that only labels changed. Labels
belong to `ml.labels`, assets to `assets.labels` and `assets.datasets`, output to `cli.label`.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, FEATURE_GROUPS, LEGACY_GROUP, DataRoot, partition_of
from ml.labels.future import class_shares, coverage
from ml.legacy.labelling import relabel
from ml.storage import commit
from ml.tables.schemas import horizons_of, label_schema
from pipelines.progress import say, watch
from pipelines.setup import opened


@dataclass(frozen=True)
class Range:
    """Dates (YYYY-MM-DD, both ends included, None is open) and instruments (none: all)."""

    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] = ()

    def partitions(self, root: DataRoot, table: str) -> list[tuple[str, str]]:
        """Stored partitions of a table as (date, instrument), ascending.

        Raises:
            DatasetError: there is none.
        """
        keys = sorted(partition_of(path)[1:] for path in commit.manifest(root, table))
        found = [key for key in keys if self._holds(*key)]
        if not found:
            raise DatasetError(f"{table} has no rows for {self}. Materialize it first, or widen the dates.")
        return found

    def _holds(self, date: str, instrument: str) -> bool:
        inside = (self.start is None or date >= self.start) and (self.end is None or date <= self.end)
        return inside and (not self.instruments or instrument in self.instruments)


def label(root: DataRoot, group: str, wanted: Range) -> dict[str, Any]:
    """Make the labels of a feature group again, and say for each partition what changed.

    Raises:
        DatasetError: the group is unknown, or nothing of it is stored in the range.
    """
    if group == FEATURE_GROUP:
        return {"feature_group": group, "partitions": _ours(root, wanted)}
    if group == LEGACY_GROUP:
        return {"feature_group": group, "partitions": relabel(root, wanted.partitions(root, group))}
    raise DatasetError(f"Unknown feature group {group!r}. Available: {', '.join(FEATURE_GROUPS)}.")


def _ours(root: DataRoot, wanted: Range) -> dict[str, Any]:
    """Run the job `label` on every partition that has samples; the plan is that of `lobforge.toml`."""
    from pipelines.definitions import build_defs

    defs = build_defs(root)
    done: dict[str, Any] = {}
    with opened(root) as instance:
        for date, instrument in wanted.partitions(root, "book_samples"):
            before = _rows(root, date, instrument)
            say(f"label {date} {instrument}")
            watch(defs.resolve_job_def("label"), instance, partition_key=f"{date}|{instrument}")
            done[f"{date} {instrument}"] = _compared(before, _rows(root, date, instrument))
    return done


def _compared(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Any]:
    """Rows, coverage and class shares, and which columns are not what they were."""
    names = [*after.columns, *(name for name in before.columns if name not in after.columns)]
    changed = [n for n in names if n not in before.columns or n not in after.columns or not before[n].equals(after[n])]
    labels = set(label_schema(horizons_of(after.columns))) | set(label_schema(horizons_of(before.columns)))
    return {
        "rows": after.height,
        "coverage": coverage(after),
        "class_shares": class_shares(after),
        "changed_labels": [name for name in changed if name in labels],
        "changed_others": [name for name in changed if name not in labels] if before.height else [],
    }


def _rows(root: DataRoot, date: str, instrument: str) -> pl.DataFrame:
    path = root.partition(FEATURE_GROUP, date, instrument)
    return commit.load(path) if path.exists() else pl.DataFrame()
