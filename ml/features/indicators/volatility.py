"""Volatility: how far the price swings, and bands as wide as that.

Here: true range, ATR, Bollinger, Keltner, Donchian, Parkinson, Garman-Klass.
Not here: deviations of any array (`distances`).

Conventions of arrays: `ml.features.indicators.rolling`.
"""

from math import log, nan, sqrt

from ml.features.indicators.averages import smooth
from ml.features.indicators.distances import deviation
from ml.features.indicators.extremes import highest, lowest
from ml.features.indicators.rolling import F64, blank, sma, total
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def true_range(high: F64, low: F64, close: F64, out: F64) -> None:
    """max(high, close before) - min(low, close before); NaN in the first row. Source: Wilder; TA-Lib TRANGE."""
    blank(out, 1)
    top = high[1:]
    bottom = low[1:]
    kept = out[1:]
    for i in range(kept.size):
        kept[i] = max(top[i], close[i]) - min(bottom[i], close[i])


@njit_no_alloc
def atr(high: F64, low: F64, close: F64, n: int, spare: F64, out: F64) -> None:
    """Average true range, smoothed by Wilder.

    Recursive, settles after `wilder_settles(n) + 1`. Source: Wilder 1978; TA-Lib ATR.
    """
    true_range(high, low, close, spare)
    smooth(spare, n, 1.0 / n, 1, out)


@njit_no_alloc
def bollinger(x: F64, n: int, width: float, upper: F64, middle: F64, lower: F64) -> None:
    """Mean of n rows, and the same plus and minus `width` population deviations. Source: Bollinger; TA-Lib BBANDS."""
    sma(x, n, middle)
    deviation(x, n, middle, lower)
    keltner(middle, lower, width, upper, lower)


@njit_no_alloc
def keltner(middle: F64, atr: F64, width: float, upper: F64, lower: F64) -> None:
    """A line plus and minus `width` average true ranges, which `lower` may hold.

    Source: Keltner 1960, as by Raschke with EMA and ATR.
    """
    for i in range(upper.size):
        upper[i] = middle[i] + width * atr[i]
    for i in range(lower.size):
        lower[i] = middle[i] - width * atr[i]


@njit_no_alloc
def donchian(high: F64, low: F64, n: int, upper: F64, lower: F64) -> None:
    """Highest high and lowest low of the n rows before this one, so that this one can break out. Source: Donchian."""
    highest(high[:-1], n, upper[1:])
    lowest(low[:-1], n, lower[1:])
    blank(upper, 1)
    blank(lower, 1)


@njit_no_alloc
def parkinson(high: F64, low: F64, n: int, spare: F64, out: F64) -> None:
    """sqrt(sum of ln(high / low)^2 / (4 n ln 2)), per row. Source: Parkinson 1980."""
    for i in range(high.size):
        spare[i] = log(high[i] / low[i]) ** 2
    total(spare, n, out)
    for i in range(high.size):
        out[i] = sqrt(out[i] / (4.0 * n * log(2.0)))


@njit_no_alloc
def garman_klass(opened: F64, high: F64, low: F64, close: F64, n: int, spare: F64, out: F64) -> None:
    """sqrt(mean of ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2), per row. Source: Garman & Klass 1980."""
    for i in range(high.size):
        spread = log(high[i] / low[i])
        change = log(close[i] / opened[i])
        spare[i] = 0.5 * spread * spread - (2.0 * log(2.0) - 1.0) * change * change
    total(spare, n, out)
    for i in range(high.size):
        out[i] = sqrt(out[i] / n) if out[i] >= 0.0 else nan
