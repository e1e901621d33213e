"""What a trade would have earned: movements net of spread and fees, entered after a latency.

Here: returns after costs of a trade in either direction, and the class that follows.
Not here: movements of the mid (`ml.labels.future`), impact and queues (a taker of a small size is assumed).
"""

import numpy as np
import polars as pl

from ml.core.config import LabelPlan
from ml.labels.classes import DOWN, NEUTRAL, UP


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
