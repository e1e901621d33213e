"""The hour and the weekday of the moment of decision, which is the close of the candle.

Here: family `calendar` of `unified_240`.
Not here: day of the month, month, year or anything else that tells one interval of history from another.
"""

import numpy as np
from numpy.typing import NDArray

from ml.candles.bars import Bars
from ml.features.candle.columns import SESSIONS, STEP, WEEK
from ml.features.candle.series import Columns


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    # candles follow each other, so that all repeats after a week
    return {name: np.resize(column, b.ts.size) for name, column in _week(b.ts[:WEEK]).items()}


def _week(ts: NDArray[np.int64]) -> Columns:
    minutes = ts // (STEP // 15) % (24 * 60)
    # 1970-01-01 was a Thursday
    hour = minutes // 60
    day = (ts // (24 * 4 * STEP) + 3) % 7
    turn = 2.0 * np.pi * minutes / (24 * 60)
    week = 2.0 * np.pi * day / 7
    out = {name: (hour >= start) & (hour < end) for name, (start, end) in SESSIONS.items()}
    out["session_overlap"] = out["european_session"] & out["american_session"]
    out["is_weekend"] = day >= 5
    return {name: inside.astype(np.float64) for name, inside in out.items()} | {
        "hour": hour.astype(np.float64),
        "minute": (minutes % 60).astype(np.float64),
        "hour_sin": np.sin(turn),
        "hour_cos": np.cos(turn),
        "dayofweek": day.astype(np.float64),
        "dow_sin": np.sin(week),
        "dow_cos": np.cos(week),
    }
