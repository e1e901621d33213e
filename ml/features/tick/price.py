"""Price and volatility: where the mid went and how roughly.

Here: compiled functions of running sums and of what is kept per second.
Add here: a function, its line in `fill` and in `ml.features.tick.table`, and its oracle.
Not here: what drove it (`order_flow`, `trade_flow`), minutes (`candles`).
"""

from math import log, nan, pi, sqrt

from ml.features.tick import windows as of
from ml.features.tick.windows import SPLIT, UNIT
from ml.market.book import layout as at
from ml.market.book.compiled import njit_no_alloc

RETURNS = (1, 5, 10, 30, 60)
VOLATILITIES = (10, 60, 300)
LONG = 300
BARS = 5
BAR = 60


@njit_no_alloc
def fill(sums, series, end, row, out):  # type: ignore[no-untyped-def]
    """Write the fifteen features in the table's order."""
    mids = series[of.MID]
    now = sums[end]
    mid = mids[end - 1]
    for k in range(5):
        before = mids[max(end - 1 - RETURNS[k], 0)]
        out[k] = 1e4 * (mid - before) / before
    for k in range(3):
        out[5 + k] = volatility(now, sums[max(end - VOLATILITIES[k], 0)])
    out[8] = jump_share(now, sums[max(end - LONG, 0)], sums[max(end - LONG + 1, 0)])
    out[9] = skewness(now, sums[max(end - LONG, 0)])
    high = series[of.HIGH, end - 1]
    low = series[of.LOW, end - 1]
    out[10] = 1e4 * (high - low) / mid
    out[12] = 1e4 * (high - mid) / mid
    out[13] = 1e4 * (mid - low) / mid
    out[11] = parkinson(series, end)
    out[14] = last_trade_deviation(row)


@njit_no_alloc
def volatility(now, before):  # type: ignore[no-untyped-def]
    """Realised volatility over a window: root of the sum of squared one-second returns, in basis points."""
    return 1e4 * UNIT * sqrt(now[of.SQUARE] - before[of.SQUARE])


@njit_no_alloc
def jump_share(now, before, second):  # type: ignore[no-untyped-def]
    """1 - bipower variation / realised variance; Barndorff-Nielsen, Shephard (2004). 0 where the mid stood still.

    `second` is the row of running sums after the window's first: a pair needs two returns.
    """
    variance = now[of.SQUARE] - before[of.SQUARE]
    if variance == 0:
        return 0.0
    return 1.0 - pi / 2 * LONG / (LONG - 1) * (now[of.BIPOWER] - second[of.BIPOWER]) / variance


@njit_no_alloc
def skewness(now, before):  # type: ignore[no-untyped-def]
    """Realised skewness sqrt(n) sum r^3 / (sum r^2)^1.5; Amaya et al. (2015). 0 where the mid stood still."""
    variance = float(now[of.SQUARE] - before[of.SQUARE])
    if variance == 0:
        return 0.0
    cubes = float(now[of.CUBE_HIGH] - before[of.CUBE_HIGH]) * SPLIT + (now[of.CUBE_LOW] - before[of.CUBE_LOW])
    return sqrt(LONG) * cubes / (variance * sqrt(variance))


@njit_no_alloc
def parkinson(series, end):  # type: ignore[no-untyped-def]
    """Volatility over 300 s from the ranges of its five minutes, in basis points; Parkinson (1980)."""
    squares = 0.0
    for bar in range(BARS):
        k = max(end - 1 - BAR * bar, 0)
        wide = log(series[of.HIGH, k] / series[of.LOW, k])
        squares += wide * wide
    return 1e4 * sqrt(squares / (4 * log(2.0)))


@njit_no_alloc
def last_trade_deviation(row):  # type: ignore[no-untyped-def]
    """Last trade price minus microprice over mid, in basis points; NaN if nothing traded for an hour."""
    bid = row[at.BID_PRICE]
    ask = row[at.ASK_PRICE]
    price = row[at.LAST_TRADE]
    bid_size = row[at.BID_SIZE]
    ask_size = row[at.ASK_SIZE]
    if price == 0:
        return nan
    # 2 (p - m) - (a - b) (B - A) / (B + A), over 2 m
    twice = (2 * price - bid - ask) - (ask - bid) * (bid_size - ask_size) / (bid_size + ask_size)
    return 1e4 * twice / (bid + ask)
