"""Price and volatility: where the mid went and how roughly.

Here: compiled functions of the windows.
Add here: a function, its line in `fill` and in `ml.features.table`, and its oracle.
Not here: what drove it (`order_flow`, `trade_flow`), minutes (`candles`).
"""

from math import log, nan, pi, sqrt

from ml.features import windows as at_windows
from ml.features.windows import MID, SPLIT, UNIT, total
from ml.market import layout as at
from ml.market.compiled import hot

BARS = 5
MINUTE_ROWS = 60


@hot
def fill(windows, row, out):  # type: ignore[no-untyped-def]
    """Write the fifteen features in the table's order."""
    out[0], out[1], out[2] = change(windows, 1), change(windows, 5), change(windows, 10)
    out[3], out[4] = change(windows, 30), change(windows, 60)
    out[5], out[6], out[7] = volatility(windows, 10), volatility(windows, 60), volatility(windows, 300)
    out[8] = jump_share(windows, 300)
    out[9] = skewness(windows, 300)
    out[10], out[12], out[13] = reach(windows)
    out[11] = parkinson(windows)
    out[14] = last_trade_deviation(row)


@hot
def change(windows, span):  # type: ignore[no-untyped-def]
    """Return of the mid over a window, in basis points."""
    j = windows.meta[at_windows.COUNT] - 1
    now, before = windows.series[MID, j], windows.series[MID, max(j - span, 0)]
    return 1e4 * (now - before) / before


@hot
def volatility(windows, span):  # type: ignore[no-untyped-def]
    """Realised volatility over a window: root of the sum of squared one-second returns, in basis points."""
    return 1e4 * UNIT * sqrt(total(windows, span, at_windows.SQUARE))


@hot
def jump_share(windows, span):  # type: ignore[no-untyped-def]
    """1 - bipower variation / realised variance; Barndorff-Nielsen, Shephard (2004). 0 where the mid stood still."""
    variance = total(windows, span, at_windows.SQUARE)
    if variance == 0:
        return 0.0
    return 1.0 - pi / 2 * span / (span - 1) * total(windows, span - 1, at_windows.BIPOWER) / variance


@hot
def skewness(windows, span):  # type: ignore[no-untyped-def]
    """Realised skewness sqrt(n) sum r^3 / (sum r^2)^1.5; Amaya et al. (2015). 0 where the mid stood still."""
    variance = float(total(windows, span, at_windows.SQUARE))
    if variance == 0:
        return 0.0
    high, low = total(windows, span, at_windows.CUBE_HIGH), total(windows, span, at_windows.CUBE_LOW)
    return sqrt(span) * (float(high) * SPLIT + low) / (variance * sqrt(variance))


@hot
def reach(windows):  # type: ignore[no-untyped-def]
    """Range of the mid over 60 s, and distance to its highest and lowest, in basis points of the mid."""
    j = windows.meta[at_windows.COUNT] - 1
    high, low, mid = (
        windows.series[at_windows.HIGH, j],
        windows.series[at_windows.LOW, j],
        windows.series[MID, j],
    )
    return 1e4 * (high - low) / mid, 1e4 * (high - mid) / mid, 1e4 * (mid - low) / mid


@hot
def parkinson(windows):  # type: ignore[no-untyped-def]
    """Volatility over 300 s from the ranges of its five minutes, in basis points; Parkinson (1980)."""
    j, squares = windows.meta[at_windows.COUNT] - 1, 0.0
    for bar in range(BARS):
        k = max(j - MINUTE_ROWS * bar, 0)
        wide = log(windows.series[at_windows.HIGH, k] / windows.series[at_windows.LOW, k])
        squares += wide * wide
    return 1e4 * sqrt(squares / (4 * log(2.0)))


@hot
def last_trade_deviation(row):  # type: ignore[no-untyped-def]
    """Last print minus microprice over mid, in basis points; NaN if nothing traded for an hour."""
    bid, ask, price = row[at.BID_PRICE], row[at.ASK_PRICE], row[at.LAST_TRADE]
    bid_size, ask_size = row[at.BID_SIZE], row[at.ASK_SIZE]
    if price == 0:
        return nan
    # 2 (p - m) - (a - b) (B - A) / (B + A), over 2 m
    twice = (2 * price - bid - ask) - (ask - bid) * (bid_size - ask_size) / (bid_size + ask_size)
    return 1e4 * twice / (bid + ask)
