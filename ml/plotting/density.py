"""Where in time the rows of a table lie: whether a partition has holes is seen before anything is computed from it.

Here: counting rows by minute of the UTC day, and the picture.
Not here: what makes a hole a gap (`ml.market.gaps`).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from ml.core.time import DAY_NS, MINUTE
from ml.plotting.figures import empty, png

MINUTES = DAY_NS // MINUTE
TIMES = {
    "raw_frames": "recv_ts",
    "book_events": "event_ts",
    "trades": "event_ts",
    "training_features": "ts",
}
"""The column (ns UTC) by which a table's rows are counted, of those that have no picture of their own."""


def by_minute(parts: Iterable[pl.DataFrame], column: str) -> np.ndarray:
    """Rows in each minute of the day, i64 (1 440,); of several days together, without rows that have no time."""
    found = np.zeros(MINUTES, np.int64)
    for part in parts:
        times = part[column].to_numpy()
        found += np.bincount(times[times > 0] % DAY_NS // MINUTE, minlength=MINUTES)
    return found


def picture(counts: np.ndarray) -> bytes:
    """Rows by minute of the day as PNG."""
    figure, axes = empty(8, 2.2)
    axes.fill_between(np.arange(MINUTES) / 60, counts, step="pre", linewidth=0)
    axes.set(xlabel="hour (UTC)", ylabel="rows per minute", title="Rows", xlim=(0, 24), ylim=(0, None))
    return png(figure)
