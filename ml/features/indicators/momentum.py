"""Momentum: how far and how steadily the price went.

Here: momentum, ROC, RSI, stochastic, Williams %R, CCI, Aroon, ultimate oscillator, balance of power, efficiency ratio.
Not here: averages and MACD (`averages`), direction of the trend (`trend`).

Conventions of arrays: `ml.features.indicators.rolling`. Where a formula divides by nothing the value is NaN.
"""

from ml.features.indicators.distances import mean_deviation
from ml.features.indicators.extremes import highest, lowest, since_highest, since_lowest
from ml.features.indicators.rolling import F64, blank, sma, total
from ml.features.indicators.volatility import true_range
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def momentum(x: F64, n: int, out: F64) -> None:
    """X - x n rows ago. Source: TA-Lib MOM."""
    blank(out, n)
    now = x[n:]
    kept = out[n:]
    for i in range(kept.size):
        kept[i] = now[i] - x[i]


@njit_no_alloc
def roc(x: F64, n: int, out: F64) -> None:
    """Rate of change in percent: 100 (x / x n rows ago - 1). Source: TA-Lib ROC."""
    blank(out, n)
    now = x[n:]
    kept = out[n:]
    for i in range(kept.size):
        kept[i] = 100.0 * (now[i] / x[i] - 1.0)


@njit_no_alloc
def rsi(x: F64, n: int, out: F64) -> None:
    """Relative strength index: 100 U / (U + D), U and D rises and falls smoothed by Wilder.

    Recursive, settles after `wilder_settles(n) + 1`. Source: Wilder 1978; TA-Lib RSI.
    """
    blank(out, n)
    if x.size <= n:
        return
    up = down = 0.0
    for i in range(1, n + 1):
        change = x[i] - x[i - 1]
        up += max(change, 0.0)
        down += max(-change, 0.0)
    up = up / n
    down = down / n
    weight = 1.0 / n
    out[n] = 100.0 * up / (up + down)
    rest = 1.0 - weight
    for i in range(n + 1, x.size):
        change = x[i] - x[i - 1]
        up = weight * max(change, 0.0) + rest * up
        down = weight * max(-change, 0.0) + rest * down
        out[i] = 100.0 * up / (up + down)


@njit_no_alloc
def window_rsi(x: F64, n: int, spare: F64, out: F64) -> None:
    """RSI over a window: 100 rises / (rises + falls) of the last n changes; forgets all else. Source: Cutler."""
    way(x, n, spare, out)
    now = x[n:]
    kept = out[n:]
    for i in range(kept.size):
        # rises - falls is the change over the window
        kept[i] = 50.0 * (1.0 + (now[i] - x[i]) / kept[i])


@njit_no_alloc
def raw_stochastic(high: F64, low: F64, close: F64, n: int, spare: F64, out: F64) -> None:
    """100 (close - lowest) / (highest - lowest) of the last n rows. Source: Lane; TA-Lib STOCHF."""
    highest(high, n, spare)
    lowest(low, n, out)
    for i in range(close.size):
        out[i] = 100.0 * (close[i] - out[i]) / (spare[i] - out[i])


@njit_no_alloc
def stochastic(high: F64, low: F64, close: F64, n: int, slow: int, signal: int, k: F64, d: F64) -> None:
    """%K, the mean of `slow` raw values, and %D, the mean of `signal` %K. Source: Lane; TA-Lib STOCH.

    A row in which nothing moved has no raw value, and so have all means over it.
    """
    raw_stochastic(high, low, close, n, k, d)
    sma(d[n - 1 :], slow, k[n - 1 :])
    blank(k, n - 1)
    sma(k[n + slow - 2 :], signal, d[n + slow - 2 :])
    blank(d, n + slow - 2)


@njit_no_alloc
def williams_r(high: F64, low: F64, close: F64, n: int, spare: F64, out: F64) -> None:
    """Williams %R: 100 (close - highest) / (highest - lowest) of the last n rows. Source: TA-Lib WILLR."""
    raw_stochastic(high, low, close, n, spare, out)
    for i in range(close.size):
        out[i] -= 100.0


@njit_no_alloc
def cci(typical: F64, n: int, spare: F64, out: F64) -> None:
    """Commodity channel index: (p - mean) / (0.015 mean |p - mean|) over n rows, p the typical price.

    Source: Lambert 1980; TA-Lib CCI.
    """
    sma(typical, n, spare)
    mean_deviation(typical, n, spare, out)
    for i in range(typical.size):
        out[i] = (typical[i] - spare[i]) / (0.015 * out[i])


@njit_no_alloc
def aroon(high: F64, low: F64, n: int, up: F64, down: F64) -> None:
    """100 (n - rows since the extreme) / n over n + 1 rows, the newest of equal extremes. Source: TA-Lib AROON."""
    since_highest(high, n + 1, up)
    since_lowest(low, n + 1, down)
    for i in range(up.size):
        up[i] = 100.0 * (n - up[i]) / n
    for i in range(down.size):
        down[i] = 100.0 * (n - down[i]) / n


@njit_no_alloc
def ultimate(
    high: F64, low: F64, close: F64, n: int, pressure: F64, reach: F64, bought: F64, moved: F64, out: F64
) -> None:
    """Ultimate oscillator: 100 (4 a_n + 2 a_2n + a_4n) / 7, a = buying pressure / true range, each summed.

    The four arrays before `out` are overwritten. Source: Williams 1985; TA-Lib ULTOSC 7, 14, 28 for n = 7.
    """
    true_range(high, low, close, reach)
    blank(pressure, 1)
    now = close[1:]
    bottom = low[1:]
    kept = pressure[1:]
    for i in range(kept.size):
        kept[i] = now[i] - min(bottom[i], close[i])
    total(pressure, n, bought)
    total(reach, n, moved)
    blank(out, 4 * n)
    a = bought[4 * n :]
    b = bought[3 * n :]
    c = bought[2 * n :]
    d = bought[n:]
    e = moved[4 * n :]
    f = moved[3 * n :]
    g = moved[2 * n :]
    h = moved[n:]
    kept = out[4 * n :]
    for i in range(kept.size):
        up = a[i]
        way = e[i]
        shares = 4.0 * up / way
        up = up + b[i]
        way = way + f[i]
        shares += 2.0 * up / way
        kept[i] = 100.0 * (shares + (up + c[i] + d[i]) / (way + g[i] + h[i])) / 7.0


@njit_no_alloc
def balance_of_power(opened: F64, high: F64, low: F64, close: F64, out: F64) -> None:
    """(close - open) / (high - low). Source: TA-Lib BOP."""
    for i in range(close.size):
        out[i] = (close[i] - opened[i]) / (high[i] - low[i])


@njit_no_alloc
def efficiency(x: F64, n: int, spare: F64, out: F64) -> None:
    """Efficiency ratio: |x - x n rows ago| / sum of |changes| over n. Source: Kaufman 1995."""
    way(x, n, spare, out)
    now = x[n:]
    kept = out[n:]
    for i in range(kept.size):
        kept[i] = abs(now[i] - x[i]) / kept[i]


@njit_no_alloc
def way(x: F64, n: int, spare: F64, out: F64) -> None:
    """Sum of |changes| over n."""
    momentum(x, 1, spare)
    spare[0] = 0.0
    for i in range(spare.size):
        spare[i] = abs(spare[i])
    total(spare, n, out)
    blank(out, n)
