"""Where in time the rows of a table lie: whether a partition has holes is seen before anything is computed from it.

Here: counting rows by minute of the UTC day, and the picture.
Not here: what makes a hole a gap (`ml.ledger`).
"""

import numpy as np
import polars as pl

from ml.dates import DAY_NS
from ml.figures import empty, png

MINUTE_NS = 60 * 10**9
MINUTES = DAY_NS // MINUTE_NS
TIMES = {
    "raw_frames": "recv_ts",
    "book_events": "event_ts",
    "trades": "event_ts",
    "training_features": "ts",
}
"""The column (ns UTC) by which a table's rows are counted, of those that have no picture of their own."""


def by_minute(rows: pl.LazyFrame, column: str) -> np.ndarray:
    """Rows in each minute of the day, i64 (1 440,); rows of several days are added up."""
    minute = (pl.col(column) % DAY_NS // MINUTE_NS).alias("minute")
    counted = rows.filter(pl.col(column) > 0).group_by(minute).len().collect()
    found = np.zeros(MINUTES, np.int64)
    found[counted["minute"].to_numpy()] = counted["len"].to_numpy()
    return found


def picture(counts: np.ndarray) -> bytes:
    """Rows by minute of the day as PNG."""
    figure, axes = empty(8, 2.2)
    axes.fill_between(np.arange(MINUTES) / 60, counts, step="pre", linewidth=0)
    axes.set(xlabel="hour (UTC)", ylabel="rows a minute", title="Rows", xlim=(0, 24), ylim=(0, None))
    return png(figure)
