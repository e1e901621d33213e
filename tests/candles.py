"""Candles for tests: a random walk as arrays, and its columns by name."""

import numpy as np


def walk(rows=3_000, seed=5):
    """Open, high, low, close, volume of a random walk with ranges, f64 (rows,) each; prices near 100."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 2e-3, rows)))
    opened = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, 2e-4, rows))
    high = np.maximum(opened, close) * np.exp(rng.exponential(1e-3, rows))
    low = np.minimum(opened, close) * np.exp(-rng.exponential(1e-3, rows))
    return opened, high, low, close, rng.lognormal(3, 1, rows)
