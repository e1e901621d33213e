"""Feature rows of a stored day: the batch driver.

Here: the table `features` from samples.
Not here: one row (`ml.features.tick.row`), the live driver (`ml.features.tick.online`).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.features.tick.row import feature_rows
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import empty_windows
from ml.market.book import layout
from ml.tables.schemas import NullReason

NAMES = [feature.id for feature in FEATURES]
REASONS = [f"null_reason_{family}" for family in FAMILIES]


def build(samples: np.ndarray, tail: np.ndarray, instrument: Instrument) -> pl.DataFrame:
    """The table `features` for samples i64 (n, columns), with the samples before them to look back on."""
    window = np.ascontiguousarray(np.concatenate([tail, samples]))
    values = np.empty((len(samples), len(NAMES)))
    reasons = np.empty((len(samples), len(REASONS)), np.uint8)
    codes = np.zeros(len(NAMES), np.uint8)
    windows, (tick, stale_ns) = empty_windows(len(window)), (instrument.tick, instrument.stale_ns)
    feature_rows(windows, window, len(tail), tick, stale_ns, codes, values, reasons)
    return pl.DataFrame(
        {"ts": samples[:, layout.TS]}
        | {name: values[:, k] for k, name in enumerate(NAMES)}
        | {name: reasons[:, k] for k, name in enumerate(REASONS)}
    ).with_columns(pl.col(NAMES).fill_nan(None))


def coverage(features: pl.DataFrame) -> pl.DataFrame:
    """Share of rows in which each feature has a value: columns feature, family, share."""
    shares = [1 - features[name].null_count() / max(features.height, 1) for name in NAMES]
    return pl.DataFrame({"feature": NAMES, "family": [feature.family for feature in FEATURES], "share": shares})


def whole_rows(features: pl.DataFrame, columns: Sequence[str]) -> float:
    """Share of rows in which every one of these features has a value; 0 of no rows."""
    return float(features.select(pl.all_horizontal(pl.col(columns).is_not_null()).mean()).item() or 0.0)


def null_counts(features: pl.DataFrame) -> pl.DataFrame:
    """Rows by family and null reason: columns family, reason, rows."""
    parts = [
        features.group_by(pl.col(column).alias("code")).agg(rows=pl.len()).with_columns(family=pl.lit(family))
        for family, column in zip(FAMILIES, REASONS, strict=True)
    ]
    names = {int(reason): reason.name.lower() for reason in NullReason}
    return (
        pl.concat(parts)
        .with_columns(reason=pl.col("code").replace_strict(names, return_dtype=pl.String))
        .sort("family", "code")
        .select("family", "reason", "rows")
    )
