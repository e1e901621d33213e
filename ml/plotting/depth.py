"""Resting size by time and distance from the mid, for a picture.

Here: samples onto a grid.
Not here: drawing it (`ml.plotting.plots`).
"""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from ml.core.instruments import Instrument
from ml.tables.schemas import LEVELS

COLUMNS = 240
ROWS = 80


def depth_grid(samples: pl.DataFrame, instrument: Instrument) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours, distances (quote currency) and mean size; NaN where the book is unknown."""
    if samples.is_empty():
        return np.zeros(0), np.zeros(0), np.zeros((0, 0))
    step = max(samples.height // COLUMNS, 1)
    picked = samples.gather_every(step)
    # one unknown second makes its whole column white: a gap of seconds must show on a day's plot
    known = np.minimum.reduceat(samples["valid"].to_numpy(), np.arange(0, samples.height, step))
    prices, sizes = (
        np.hstack(
            [
                picked.select(f"{side}_{what}_{k}" for k in range(1, LEVELS + 1)).to_numpy().astype(float)
                for side in ("bid", "ask")
            ]
        )
        for what in ("price", "size")
    )
    mid = (picked["bid_price_1"] + picked["ask_price_1"]).to_numpy() / 2
    distance = prices - mid[:, None]
    reach = float(np.nanmax(np.abs(distance))) if np.isfinite(distance).any() else 1.0
    index = ((distance / reach + 1) / 2 * (ROWS - 1)).round()
    grid = np.zeros((ROWS, picked.height))
    row, column = np.nonzero(np.isfinite(index) & np.isfinite(sizes))
    np.add.at(grid, (index[row, column].astype(int), row), sizes[row, column])
    grid[:, ~known] = np.nan
    day = datetime.fromtimestamp(int(samples["ts"][0]) // 10**9, UTC).replace(hour=0, minute=0, second=0)
    hours = (picked["ts"].to_numpy() / 1e9 - day.timestamp()) / 3600
    return hours, np.linspace(-reach, reach, ROWS) / 10**instrument.price_decimals, grid
