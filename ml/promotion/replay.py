"""Stored feature rows as a live runner meets them: one by one, in order of time, unknown values with their reason.

Here: rows of `training_features` with all features, why some are null, and their labels.
Not here: who serves them (`ml.promotion.rollout`), how they were computed (`ml.features`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from ml.features.sets import WHOLE
from ml.features.tick.table import FAMILIES, FEATURES
from ml.labels.spec import LabelSpec
from ml.promotion.rollout import Label
from ml.tables.schemas import NullReason


class StoredRow(NamedTuple):
    """One row: all features f64 (NaN where null), null reasons u8 by family, and its label if it has one."""

    instrument: str
    ts: int
    values: np.ndarray
    reasons: np.ndarray
    label: Label | None

    def withheld(self, positions: Sequence[int]) -> str | None:
        """The first reason for which one of some features is null; None if all are known."""
        unknown = [k for k in positions if np.isnan(self.values[k])]
        if not unknown:
            return None
        codes = [int(self.reasons[FAMILIES.index(FEATURES[k].family)]) for k in unknown]
        known = [code for code in codes if code]
        return NullReason(min(known)).name.lower() if known else NullReason.UNDEFINED.name.lower()


def columns(horizon: int) -> list[str]:
    """The columns of `training_features` that a replay at a horizon (s) needs."""
    labels = [f"{name}_{horizon}s" for name in ("movement", "sigma", "label_end")]
    return [
        "instrument",
        "ts",
        *WHOLE.columns,
        *(f"null_reason_{family}" for family in FAMILIES),
        "half_spread",
        *labels,
    ]


def stored_rows(rows: pl.DataFrame, spec: LabelSpec, horizon: int) -> Iterator[StoredRow]:
    """The rows in order of time, then instrument.

    Args:
        rows: `training_features`, at least `columns(horizon)`.
        spec: the thresholds of classes.
        horizon: seconds; a row's label is known at its end.
    """
    ordered = rows.sort("ts", "instrument")
    movement, sigma = (ordered[f"{name}_{horizon}s"].to_numpy().astype(np.float64) for name in ("movement", "sigma"))
    known = ~(np.isnan(movement) | np.isnan(sigma))
    half_spread = ordered["half_spread"].to_numpy().astype(np.float64)
    directions = spec.apply(np.nan_to_num(movement), half_spread, np.nan_to_num(sigma)).tolist()
    ends = ordered[f"label_end_{horizon}s"].to_list()
    values = ordered.select(WHOLE.columns).to_numpy().astype(np.float64)
    reasons = ordered.select(f"null_reason_{family}" for family in FAMILIES).to_numpy()
    for k, (instrument, ts) in enumerate(ordered.select("instrument", "ts").iter_rows()):
        label = Label(directions[k], ends[k]) if known[k] else None
        yield StoredRow(instrument, ts, values[k], reasons[k], label)
