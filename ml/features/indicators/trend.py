"""Trend: whether there is one, and which way.

Here: Wilder's directional movement, parabolic SAR, Ichimoku, the slope of a line.
Not here: averages (`averages`), oscillators (`momentum`).

Conventions of arrays: `ml.features.indicators.rolling`.
"""

import numpy as np

from ml.features.indicators.extremes import highest, lowest
from ml.features.indicators.rolling import F64, blank, scale, weighted
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def directional(high: F64, low: F64, close: F64, n: int, plus: F64, minus: F64, adx: F64) -> None:
    """+DI, -DI and ADX of Wilder's directional movement, percent.

    DI = 100 smoothed movement / smoothed true range; ADX = smoothed 100 |+DI - -DI| / (+DI + -DI). Recursive: DI settle
    after `wilder_settles(n) + 1`, ADX after twice that. Source: Wilder 1978; TA-Lib PLUS_DI, MINUS_DI, ADX.
    """
    blank(plus, n)
    blank(minus, n)
    blank(adx, 2 * n - 1)
    rest = 1.0 - 1.0 / n
    weight = 1.0 / n
    up = 0.0
    down = 0.0
    reach = 0.0
    strength = 0.0
    for i in range(1, close.size):
        rise = high[i] - high[i - 1]
        fall = low[i - 1] - low[i]
        if i >= n:
            up = rest * up
            down = rest * down
            reach = rest * reach
        up += rise if rise > 0.0 and rise > fall else 0.0
        down += fall if fall > 0.0 and fall > rise else 0.0
        reach += max(high[i], close[i - 1]) - min(low[i], close[i - 1])
        if i < n:
            continue
        plus[i] = 100.0 * up / reach
        minus[i] = 100.0 * down / reach
        if up + down > 0.0:
            part = 100.0 * abs(up - down) / (up + down)
            strength = strength + weight * part if i < 2 * n else weight * part + rest * strength
        if i >= 2 * n - 1:
            adx[i] = strength


@njit_no_alloc
def rated(adx: F64, n: int, out: F64) -> None:
    """ADXR: mean of ADX and of ADX n - 1 rows ago. Source: TA-Lib ADXR."""
    blank(out, n - 1)
    now = adx[n - 1 :]
    kept = out[n - 1 :]
    for i in range(kept.size):
        kept[i] = (now[i] + adx[i]) / 2.0


@njit_no_alloc
def parabolic(high: F64, low: F64, step: float, most: float, out: F64) -> None:
    """Parabolic stop and reverse: a stop that nears the trend's extreme by `step` more with each new one, up to `most`.

    Recursive without a settle time: it forgets at reversals only, so a caller chooses where it begins. Begins long
    unless the first row fell more than it rose. Source: Wilder 1978; TA-Lib SAR.
    """
    blank(out, 1)
    if high.size < 2:
        return
    long = not (low[0] - low[1] > 0.0 and low[0] - low[1] > high[1] - high[0])
    extreme, stop, pace = (high[1], low[0], step) if long else (low[1], high[0], step)
    top = high[1]
    bottom = low[1]
    for i in range(1, high.size):
        before_top = top
        before_bottom = bottom
        top = high[i]
        bottom = low[i]
        if (long and bottom <= stop) or (not long and top >= stop):
            long = not long
            stop = _within(extreme, long, max(before_top, top), min(before_bottom, bottom))
            out[i] = stop
            pace = step
            extreme = top if long else bottom
        else:
            out[i] = stop
            # no branch: whether there is a new extreme cannot be foreseen
            further = top > extreme if long else bottom < extreme
            pace = min(pace + step * np.float64(further), most)
            extreme = max(extreme, top) if long else min(extreme, bottom)
        stop = _within(stop + pace * (extreme - stop), long, max(before_top, top), min(before_bottom, bottom))


@njit_no_alloc
def _within(stop: float, long: bool, top: float, bottom: float) -> float:
    """A stop never lies inside the last two candles."""
    return min(stop, bottom) if long else max(stop, top)


@njit_no_alloc
def middle(high: F64, low: F64, n: int, spare: F64, out: F64) -> None:
    """(highest + lowest) / 2 of the last n rows: Ichimoku's lines, n = 9, 26, 52. Source: TA-Lib MIDPRICE."""
    highest(high, n, spare)
    lowest(low, n, out)
    for i in range(high.size):
        out[i] = (out[i] + spare[i]) / 2.0


@njit_no_alloc
def slope(x: F64, n: int, mean: F64, out: F64) -> None:
    """Least-squares slope of the last n values over their row number. Source: TA-Lib LINEARREG_SLOPE.

    With weights 1 to n, the covariance with the row number is (n + 1) / 2 (weighted mean - mean); `mean` is that of n.
    """
    weighted(x, n, out)
    for i in range(x.size):
        out[i] -= mean[i]
    scale(out, 6.0 / (n - 1))
