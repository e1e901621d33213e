"""What the mid price did next: movement, direction and volatility by horizon, and what a trade would have earned.

Here: labels of one stored day from its samples. Returns after costs are those of a taker of a small size, entered after
a latency, without impact and queues.
Not here: the thresholds of classes (`ml.labels.spec`), joining with features (`ml.learning.training_features`).

The book is a step function of time, so the mid at t + h is the state of a valid book at t + h: the sample with that
stamp. A label is null exactly if an invalid interval touches [t, t + h], or if t + h lies after the day or the capture.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ml.core.config import LabelPlan
from ml.core.time import SECOND, bounds
from ml.labels.classes import DOWN, NEUTRAL, UP, fixed_direction
from ml.labels.kernel import Quotes, empty_labels, future_rows
from ml.tables.schemas import SAMPLE_COLUMNS, NullReason, horizons_of, label_schema

PLAN = LabelPlan()


def quotes(samples: pl.DataFrame, tail: np.ndarray) -> Quotes:
    """The columns that labels need, after those of the tail i64 (n, columns)."""
    dtypes = {"ts": np.int64, "bid_price_1": np.int64, "ask_price_1": np.int64, "valid": np.int8, "valid_run": np.int16}
    dtypes["book_age"] = np.int64
    columns: list[np.ndarray] = []
    for name, dtype in dtypes.items():
        filled = samples[name].cast(pl.Int64).fill_null(-1 if name == "book_age" else 0).to_numpy()
        columns.append(np.concatenate([tail[:, SAMPLE_COLUMNS.index(name)], filled]).astype(dtype))
    return Quotes(*columns)


def label(samples: pl.DataFrame, tail: np.ndarray, date: str, plan: LabelPlan = PLAN) -> pl.DataFrame:
    """The table `future_labels` of a day from its samples and the tail of samples before them."""
    rows = quotes(samples, tail)
    first = len(tail)
    labels = empty_labels(samples.height, len(plan.horizons))
    future_rows(rows, first, np.array(plan.horizons), bounds(date)[1], labels)
    bid = rows.bid[first:].astype(np.float64)
    ask = rows.ask[first:].astype(np.float64)
    known = (rows.valid[first:] == 1) & (bid > 0) & (ask > 0)
    with np.errstate(invalid="ignore"):
        columns: dict[str, np.ndarray] = {
            "ts": rows.ts[first:],
            "mid_units": np.where(known, (bid + ask) / 2, np.nan),
            "half_spread": np.where(known, (ask - bid) / (ask + bid), np.nan),
        }
    for k, h in enumerate(plan.horizons):
        net = after_costs(bid, ask, labels.movement[k], h, plan)
        columns |= {
            f"label_end_{h}s": rows.ts[first:] + h * SECOND,
            f"movement_{h}s": labels.movement[k],
            f"net_long_{h}s": net[0],
            f"net_short_{h}s": net[1],
            f"sigma_{h}s": labels.volatility * np.sqrt(h),
            f"age_at_target_{h}s": labels.age[k],
            f"null_reason_{h}s": labels.reason[k],
        }
    return _finish(pl.DataFrame(columns), plan.horizons)


def after_costs(
    bid: np.ndarray, ask: np.ndarray, movement: np.ndarray, horizon: int, plan: LabelPlan
) -> tuple[np.ndarray, np.ndarray]:
    """Returns f64 (fractions of the entry price) of a long and of a short trade; NaN where there is no movement.

    Decided at t, entered at the touch at t + latency, left at the touch at t + h: long pays ask and gets bid, short the
    other way round, so that both halves of the spread are paid; the fee is paid twice.

    Args:
        bid: best bids f64, a row per second.
        ask: best asks f64, a row per second.
        movement: of the mid, f64, NaN where the book was not right from t to t + h.
        horizon: seconds.
        plan: fee and latency.
    """
    last = len(bid) - 1
    enter = np.minimum(np.arange(len(bid)) + plan.latency, last)
    leave = np.minimum(np.arange(len(bid)) + horizon, last)
    paid = 1 + plan.taker_fee
    got = 1 - plan.taker_fee
    with np.errstate(invalid="ignore", divide="ignore"):
        long = (bid[leave] * got - ask[enter] * paid) / ask[enter]
        short = (bid[enter] * got - ask[leave] * paid) / bid[enter]
    unknown = np.isnan(movement)
    return np.where(unknown, np.nan, long), np.where(unknown, np.nan, short)


def net_direction(horizon: int) -> pl.Expr:
    """The class i8 after costs: up or down only where that trade would have earned something; null stays null."""
    long = pl.col(f"net_long_{horizon}s")
    short = pl.col(f"net_short_{horizon}s")
    return pl.when(long > 0).then(UP).when(short > 0).then(DOWN).when(long.is_not_null()).then(NEUTRAL).cast(pl.Int8)


def coverage(labels: pl.DataFrame) -> dict[str, float]:
    """Share of rows that have a label, by horizon (`10s`: 0.998); 0 where there are no rows."""
    return {f"{h}s": labels[f"movement_{h}s"].is_not_null().mean() or 0.0 for h in horizons_of(labels.columns)}  # type: ignore[misc]


def class_shares(labels: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Shares of down, neutral and up among the labelled rows by horizon, for both kinds of direction."""
    return {
        f"{kind}_{h}s": {
            name: float((labels[f"{kind}_{h}s"].drop_nulls() == code).mean() or 0.0)  # type: ignore[arg-type]
            for name, code in (("down", DOWN), ("neutral", NEUTRAL), ("up", UP))
        }
        for h in horizons_of(labels.columns)
        for kind in ("direction", "net_direction")
    }


def reasons(labels: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows without label by horizon and reason."""
    names = {int(reason): reason.name.lower() for reason in NullReason}
    found: dict[str, dict[str, int]] = {}
    for h in horizons_of(labels.columns):
        codes = labels[f"null_reason_{h}s"].value_counts().sort(f"null_reason_{h}s")
        found[f"{h}s"] = {names[code]: count for code, count in codes.iter_rows() if code}
    return found


def _finish(frame: pl.DataFrame, horizons: Sequence[int]) -> pl.DataFrame:
    floats = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    frame = frame.with_columns(pl.col(floats).fill_nan(None))
    return frame.with_columns(
        *(fixed_direction(pl.col(f"movement_{h}s")).alias(f"direction_{h}s") for h in horizons),
        *(net_direction(h).alias(f"net_direction_{h}s") for h in horizons),
        *(pl.col(f"age_at_target_{h}s").replace(-1, None) for h in horizons),
    ).select(label_schema(horizons).names())
