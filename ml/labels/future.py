"""What the mid price did next: movement, direction and volatility by horizon.

Here: labels of one stored day from its samples.
Not here: the thresholds of classes (`ml.labels.spec`), joining with features (`ml.datasets`).

The book is a step function of time, so the mid at t + h is the state of a valid book at t + h: the sample with that
stamp. A label is null exactly if an invalid interval touches [t, t + h], or if t + h lies after the day or the capture.
"""

import numpy as np
import polars as pl

from ml.dates import bounds
from ml.labels.classes import DOWN, NEUTRAL, UP
from ml.labels.kernel import Quotes, empty_labels, future_rows
from ml.market.layout import SECOND
from ml.schemas import HORIZONS, SAMPLE_COLUMNS, TABLES, NullReason

FIXED_THRESHOLD = 0.001
"""Ten basis points: the class threshold of the predecessor, kept for comparison."""


def quotes(samples: pl.DataFrame, tail: np.ndarray) -> Quotes:
    """The columns that labels need, after those of the tail i64 (n, columns)."""
    dtypes = {"ts": np.int64, "bid_price_1": np.int64, "ask_price_1": np.int64, "valid": np.int8, "valid_run": np.int16}
    dtypes["book_age"] = np.int64
    columns: list[np.ndarray] = []
    for name, dtype in dtypes.items():
        filled = samples[name].cast(pl.Int64).fill_null(-1 if name == "book_age" else 0).to_numpy()
        columns.append(np.concatenate([tail[:, SAMPLE_COLUMNS.index(name)], filled]).astype(dtype))
    return Quotes(*columns)


def label(samples: pl.DataFrame, tail: np.ndarray, date: str) -> pl.DataFrame:
    """The table `future_labels` of a day from its samples and the tail of samples before them."""
    rows, first = quotes(samples, tail), len(tail)
    labels = empty_labels(samples.height, len(HORIZONS))
    future_rows(rows, first, np.array(HORIZONS), bounds(date)[1], labels)
    bid, ask = rows.bid[first:].astype(np.float64), rows.ask[first:].astype(np.float64)
    known = (rows.valid[first:] == 1) & (bid > 0) & (ask > 0)
    with np.errstate(invalid="ignore"):
        columns: dict[str, np.ndarray] = {
            "ts": rows.ts[first:],
            "mid_units": np.where(known, (bid + ask) / 2, np.nan),
            "half_spread": np.where(known, (ask - bid) / (ask + bid), np.nan),
        }
    for k, h in enumerate(HORIZONS):
        columns |= {
            f"label_end_{h}s": rows.ts[first:] + h * SECOND,
            f"movement_{h}s": labels.movement[k],
            f"sigma_{h}s": labels.volatility * np.sqrt(h),
            f"age_at_target_{h}s": labels.age[k],
            f"null_reason_{h}s": labels.reason[k],
        }
    return _finish(pl.DataFrame(columns))


def coverage(labels: pl.DataFrame) -> dict[str, float]:
    """Share of rows that have a label, by horizon (`10s`: 0.998); 0 where there are no rows."""
    return {f"{h}s": labels[f"movement_{h}s"].is_not_null().mean() or 0.0 for h in HORIZONS}  # type: ignore[misc]


def reasons(labels: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows without label by horizon and reason."""
    names = {int(reason): reason.name.lower() for reason in NullReason}
    found: dict[str, dict[str, int]] = {}
    for h in HORIZONS:
        codes = labels[f"null_reason_{h}s"].value_counts().sort(f"null_reason_{h}s")
        found[f"{h}s"] = {names[code]: count for code, count in codes.iter_rows() if code}
    return found


def _finish(frame: pl.DataFrame) -> pl.DataFrame:
    movements = [f"movement_{h}s" for h in HORIZONS]
    frame = frame.with_columns(
        pl.col("mid_units", "half_spread", *movements, *(f"sigma_{h}s" for h in HORIZONS)).fill_nan(None)
    )
    return frame.with_columns(
        *(
            pl.when(pl.col(m) > FIXED_THRESHOLD).then(UP).when(pl.col(m) < -FIXED_THRESHOLD).then(DOWN)
            .when(pl.col(m).is_not_null()).then(NEUTRAL).cast(pl.Int8).alias(m.replace("movement", "direction"))
            for m in movements
        ),
        *(pl.col(f"age_at_target_{h}s").replace(-1, None) for h in HORIZONS),
    ).select(TABLES["future_labels"].names())  # fmt: skip
