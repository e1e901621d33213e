"""What the mid price did next: movement, direction and volatility by horizon.

Here: labels of one stored day from its samples, and the class thresholds that a label spec applies to them.
Not here: fitting the thresholds (`ml.labels.spec`), joining with features (`ml.datasets`).

The book is a step function of time, so the mid at t + h is the state of a valid book at t + h: the sample with that
stamp. A label is null exactly if an invalid interval touches [t, t + h], or if t + h lies after the day or the capture.
"""

import numpy as np
import polars as pl

from ml.labels.kernel import future_rows
from ml.market import layout
from ml.market.day import bounds
from ml.schemas import HORIZONS, TABLES, NullReason

FIXED_THRESHOLD = 0.001
"""Ten basis points: the class threshold of the predecessor, kept for comparison."""
DOWN, NEUTRAL, UP = 0, 1, 2


def label(samples: np.ndarray, tail: np.ndarray, date: str) -> pl.DataFrame:
    """The table `future_labels` for samples i64 (n, columns); the tail before them serves the trailing volatility."""
    window = np.ascontiguousarray(np.concatenate([tail, samples]))
    first = len(tail)
    day_end = bounds(date)[1]
    columns: dict[str, np.ndarray] = {"ts": samples[:, layout.TS]}
    bid, ask = (samples[:, c].astype(np.float64) for c in (layout.BID_PRICE, layout.ASK_PRICE))
    known = (samples[:, layout.VALID] == 1) & (bid > 0) & (ask > 0)
    with np.errstate(invalid="ignore"):
        columns["mid_units"] = np.where(known, (bid + ask) / 2, np.nan)
        columns["half_spread"] = np.where(known, (ask - bid) / (ask + bid), np.nan)
    for h in HORIZONS:
        movement, sigma = np.empty(len(samples)), np.empty(len(samples))
        age, reason = np.empty(len(samples), np.int64), np.empty(len(samples), np.uint8)
        future_rows(window, first, h, day_end, movement, sigma, age, reason)
        columns |= {
            f"label_end_{h}s": samples[:, layout.TS] + h * layout.SECOND,
            f"movement_{h}s": movement,
            f"sigma_{h}s": sigma,
            f"age_at_target_{h}s": age,
            f"null_reason_{h}s": reason,
        }
    return _finish(pl.DataFrame(columns))


def directions(movement: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Classes from movements (fractions) and a threshold: DOWN below minus it, UP above it, else NEUTRAL."""
    return np.where(movement > threshold, UP, np.where(movement < -np.asarray(threshold), DOWN, NEUTRAL)).astype(
        np.int8
    )


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
