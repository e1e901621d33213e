"""Candles for tests: a random walk as arrays, and its columns by name."""

import numpy as np
import polars as pl

from ml.core.instruments import Instrument

PAIR = Instrument("sim.PAIR", price_decimals=6, size_decimals=6, tick=1, lot=1)


def walk(rows=3_000, seed=5):
    """Open, high, low, close, volume of a random walk with ranges and jumps, f64 (rows,) each; prices near 100."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(1.4e-3 * rng.standard_t(3, rows)))
    opened = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, 2e-4, rows))
    high = np.maximum(opened, close) * np.exp(rng.exponential(1e-3, rows))
    low = np.minimum(opened, close) * np.exp(-rng.exponential(1e-3, rows))
    return opened, high, low, close, rng.lognormal(3, 1, rows)


def candle_frame(rows=3_000, seed=5, first=1_735_700_400 * 10**9, step=15 * 60 * 10**9):
    """A random walk in the columns of the table `candles`: six decimals for prices and sizes, every candle known."""
    opened, high, low, close, volume = walk(rows, seed)
    units = {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
    frame = pl.DataFrame({"ts": np.arange(1, rows + 1) * step + first // step * step})
    whole = {name: pl.Series(np.rint(column * 1e6).astype(np.int64)) for name, column in units.items()}
    return frame.with_columns(**whole).with_columns(
        notional=pl.col("volume") * ((pl.col("high") + pl.col("low")) // 2),
        n_trades=pl.lit(10, pl.Int64),
        buy_volume=pl.col("volume") // 2,
        reason=pl.lit(None, pl.String),
    )
