"""The 20 targets of the unified model: what follows a candle of 15 minutes within 15 minutes, 1, 4 and 12 hours.

Here: their definitions and their computation from candles.
Not here: labels over samples of the book (`ml.labels.future`).

Prices after a candle are those of the candles after it, never of itself. A target is null where one of the candles up
to its horizon is not known or not there yet; it is neither guessed nor taken from a nearer candle.

Codes: a direction is 0 down, 1 flat, 2 up, as everywhere in lobforge (the unified model's old serving code read 0 as
LONG, 1 as SHORT, 2 as FLAT). `max_drawdown` is positive for a fall, as in the old tables: close / lowest low - 1, by
what the price must rise to come back; it is negative only if no later candle came down to the close.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.candles.bars import F64, Bars, intervals_of
from ml.candles.from_trades import TIMEFRAMES
from ml.core.instruments import Instrument
from ml.tables.schemas import NullReason

TIMEFRAME = "15m"
STEP = TIMEFRAMES[TIMEFRAME]


class Target(NamedTuple):
    """One target: name, horizon, formula (c close, H highest high and L lowest low after t up to t + h), threshold."""

    id: str
    horizon: str
    formula: str
    threshold: float = 0.0

    @property
    def dtype(self) -> pl.DataType:
        """Classes are int8, the rest float64."""
        return pl.Int8() if self.threshold else pl.Float64()


HORIZONS = {name: TIMEFRAMES[name] // STEP for name in ("15m", "1h", "4h", "12h")}
"""Candles by horizon."""
FLAT = {"15m": 0.0015, "1h": 0.003, "4h": 0.007, "12h": 0.01}
"""Returns within this are no direction."""
REACHES = ((1, "4h"), (2, "4h"), (3, "12h"), (5, "12h"))
"""Percent that the price may reach, and within what."""
TARGETS = (
    *(Target(f"future_return_{h}", h, "c_t+h / c - 1") for h in HORIZONS),
    *(
        Target(f"direction_{h}", h, f"2 if c_t+h / c - 1 > {FLAT[h]:g}, 0 if < -{FLAT[h]:g}, else 1", FLAT[h])
        for h in HORIZONS
    ),
    *(Target(f"long_will_reach_{x}pct_{h}", h, f"H >= c (1 + {x / 100:g})", x / 100) for x, h in REACHES),
    *(Target(f"short_will_reach_{x}pct_{h}", h, f"L <= c (1 - {x / 100:g})", x / 100) for x, h in REACHES),
    *(
        Target(f"max_{name}_{h}", h, formula)
        for h in ("1h", "4h")
        for name, formula in (("drawdown", "c / L - 1"), ("rally", "H / c - 1"))
    ),
)


def label(candles: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """The 20 targets of each candle, the time at which each horizon ends and why its targets are null.

    Args:
        candles: columns of the table `candles` of 15 minutes, ascending by `ts`; 48 and more after the rows that are
            wanted.
        instrument: decimals of prices.

    Raises:
        DatasetError: times are off the grid, repeat or go back.
    """
    ts = candles["ts"].to_numpy()
    values = {target.id: np.full(ts.size, np.nan) for target in TARGETS}
    known = np.zeros(ts.size, bool)
    for rows, bars in intervals_of(candles, instrument, STEP):
        known[rows] = True
        for name, column in _values(bars).items():
            values[name][rows] = column
    ends = {h: ts + n * STEP for h, n in HORIZONS.items()}
    reasons = {h: _reasons(values[f"future_return_{h}"], known, ends[h], ts) for h in HORIZONS}
    named = {f"label_end_{h}": end for h, end in ends.items()} | {f"null_reason_{h}": r for h, r in reasons.items()}
    return pl.DataFrame({"ts": ts} | values | named).with_columns(
        pl.col(target.id).fill_nan(None).cast(target.dtype) for target in TARGETS
    )


def classes(targets: pl.DataFrame) -> pl.DataFrame:
    """Share of each class among the known rows: columns target, 0, 1, 2."""
    shares = [
        {"target": target.id}
        | {str(code): float((targets[target.id].drop_nulls() == code).mean() or 0.0) for code in range(3)}  # type: ignore[arg-type]
        for target in TARGETS
        if target.threshold
    ]
    return pl.DataFrame(shares)


def _values(b: Bars) -> dict[str, F64]:
    """The targets over one interval, NaN where a horizon ends outside."""
    out = {target.id: np.full(b.close.size, np.nan) for target in TARGETS}
    for h, n in HORIZONS.items():
        if b.close.size <= n:
            continue
        now = b.close[:-n]
        top = _after(b.high, n).max(axis=1)
        bottom = _after(b.low, n).min(axis=1)
        change = b.close[n:] / now - 1.0
        found = {"future_return": change, "max_drawdown": now / bottom - 1.0, "max_rally": top / now - 1.0}
        found["direction"] = 1.0 + (change > FLAT[h]) - (change < -FLAT[h])
        for x in (x for x, within in REACHES if within == h):
            found[f"long_will_reach_{x}pct"] = top >= now * (1.0 + x / 100)
            found[f"short_will_reach_{x}pct"] = bottom <= now * (1.0 - x / 100)
        for name in found:
            if f"{name}_{h}" in out:
                out[f"{name}_{h}"][:-n] = found[name]
    return out


def _after(x: F64, n: int) -> F64:
    """The n values after each row, f64 (rows - n, n)."""
    return np.lib.stride_tricks.sliding_window_view(x[1:], n)


def _reasons(values: F64, known: NDArray[np.bool_], end: NDArray[np.int64], ts: NDArray[np.int64]) -> NDArray[np.uint8]:
    last = ts[-1] if ts.size else 0
    ahead = np.where(end > last, NullReason.CAPTURE_END, NullReason.HORIZON_INVALID)
    return np.where(~known, NullReason.NO_CANDLE, np.where(np.isnan(values), ahead, NullReason.NONE)).astype(np.uint8)
