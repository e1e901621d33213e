"""Windows and indicators over arrays of candles.

Here: windows by numpy, recursive averages and the indicators built on them by TA-Lib.
Not here: the formulas of the columns (by family), how candles become arrays (`ml.candles.bars`).

Arrays are f64 (rows,), oldest first, of candles that follow each other without a hole. A window reduces over its own
values alone; before it is full the value is NaN. TA-Lib's recursive averages remember every row since the first and
turn NaN for good after one NaN: they are called on one interval of known candles, and a column is used after its
declared settle time only (`ml.features.candle.build`).
"""

from collections.abc import Callable
from math import erf, log, sqrt

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import wilder_settles
from ml.features.candle.series import back

ROUNDING = 1e-13
"""Distances from a mean below this share of it are rounding: equal values deviate by 0, not by the last bit."""


def over(x: F64, n: int, reduce: Callable[[F64], F64]) -> F64:
    """A function of the last n values: of windows, f64 (rows - n + 1, n), to one value each."""
    out = np.full(x.size, np.nan)
    if x.size >= n:
        out[n - 1 :] = reduce(np.lib.stride_tricks.sliding_window_view(x, n))
    return out


def total(x: F64, n: int) -> F64:
    """Sum of the last n."""
    return over(x, n, lambda windows: windows.sum(axis=1))


def mean(x: F64, n: int) -> F64:
    """Mean of the last n."""
    return total(x, n) / n


def sd(x: F64, n: int) -> F64:
    """Population standard deviation of the last n."""
    return over(x, n, lambda windows: _above_rounding(windows.std(axis=1), windows))


def mean_deviation(x: F64, n: int) -> F64:
    """Mean of the last n |x - mean|."""
    return over(x, n, lambda windows: _above_rounding(np.abs(_centred(windows)).mean(axis=1), windows))


def top(x: F64, n: int) -> F64:
    """Largest of the last n."""
    return over(x, n, lambda windows: windows.max(axis=1))


def bottom(x: F64, n: int) -> F64:
    """Smallest of the last n."""
    return over(x, n, lambda windows: windows.min(axis=1))


def rank(x: F64, n: int) -> F64:
    """Share of the n values before that are smaller."""
    return over(x, n + 1, lambda windows: (windows[:, :-1] < windows[:, -1:]).mean(axis=1))


def smallest(x: F64, n: int, k: int) -> tuple[F64, F64]:
    """The k-th smallest of the last n, and the mean of the k smallest; NaN where one of the n is."""
    known = total(x, n) * 0.0
    return (
        over(x, n, lambda windows: np.sort(windows, axis=1)[:, k - 1]) + known,
        over(x, n, lambda windows: np.sort(windows, axis=1)[:, :k].mean(axis=1)) + known,
    )


def linearity(x: F64, n: int) -> F64:
    """R^2 of the last n values on their row number."""
    time = np.arange(n) - (n - 1) / 2.0
    covariance = over(x, n, lambda windows: _centred(windows) @ time)
    return covariance**2 / (n * sd(x, n) ** 2 * np.square(time).sum())


def normal_share(z: F64) -> F64:
    """Phi(z) - Phi(-z): the share of the standard normal distribution within |z|, with the sign of z."""
    return np.fromiter((erf(value) for value in (z / sqrt(2.0)).tolist()), np.float64, z.size)


def ema(x: F64, n: int) -> F64:
    """Exponential moving average, weight 2 / (n + 1), begun with the mean of n. Settles after `ema_settles(n)`."""
    import talib

    return talib.EMA(x, n)


def decayed(x: F64, decay: float) -> F64:
    """Recursive average y = (1 - decay) x + decay y, begun with the first value that is not NaN."""
    import polars as pl

    weighted = pl.Series(x).fill_nan(None).ewm_mean(alpha=1.0 - decay, adjust=False, ignore_nulls=True)
    return weighted.fill_null(float("nan")).to_numpy()


def macd(x: F64) -> tuple[F64, F64, F64]:
    """EMA 12 - EMA 26, its EMA 9, and the difference of both. Settle like these averages. Source: Appel."""
    import talib

    return talib.MACD(x, 12, 26, 9)


def trix(x: F64, n: int) -> F64:
    """100 times the change of an EMA of an EMA of an EMA of n. Settles after `3 ema_settles(n)`. Source: Hutson."""
    import talib

    return talib.TRIX(x, n)


def rsi(x: F64, n: int) -> F64:
    """Relative strength index. Settles after `wilder_settles(n) + 1`; NaN where nothing moved since. Wilder 1978."""
    import talib

    return talib.RSI(x, n) + _moved(x, x, wilder_settles(n) + 1)


def window_rsi(x: F64, n: int) -> F64:
    """RSI over a window: 100 rises / (rises + falls) of the last n changes; forgets all else. Source: Cutler."""
    return 50.0 * (1.0 + (x - back(x, n)) / way(x, n))


def efficiency(x: F64, n: int) -> F64:
    """Efficiency ratio: |x - x n rows ago| / sum of |changes| over n. Source: Kaufman 1995."""
    return np.abs(x - back(x, n)) / way(x, n)


def way(x: F64, n: int) -> F64:
    """Sum of |changes| over n."""
    return total(np.abs(x - back(x, 1)), n)


def directional(b: Bars, n: int) -> tuple[F64, F64, F64, F64]:
    """+DI, -DI, ADX and ADXR of Wilder's directional movement, percent; NaN where nothing moved.

    DI settle after `wilder_settles(n) + 1`, ADX after twice that, ADXR n - 1 rows later. Source: Wilder 1978.
    """
    import talib

    settles = wilder_settles(n) + 1
    moved = _moved(b.high, b.low, settles)
    columns = b.high, b.low, b.close, n
    adx = talib.ADX(*columns) + _moved(b.high, b.low, 2 * settles)
    return talib.PLUS_DI(*columns) + moved, talib.MINUS_DI(*columns) + moved, adx, (adx + back(adx, n - 1)) / 2.0


def true_range(b: Bars) -> F64:
    """max(high, close before) - min(low, close before); NaN in the first row. Source: Wilder 1978."""
    before = back(b.close, 1)
    return np.maximum(b.high, before) - np.minimum(b.low, before)


def atr(b: Bars, n: int) -> F64:
    """Average true range, smoothed by Wilder. Settles after `wilder_settles(n) + 1`. Source: Wilder 1978."""
    import talib

    return talib.ATR(b.high, b.low, b.close, n)


def parabolic(high: F64, low: F64) -> F64:
    """Parabolic stop and reverse, 0.02 and 0.2. It forgets at reversals only: a caller chooses where it begins.

    Source: Wilder 1978.
    """
    import talib

    return talib.SAR(high, low, 0.02, 0.2)


def stochastic(b: Bars, n: int) -> F64:
    """100 (close - lowest) / (highest - lowest) of the last n rows. Source: Lane."""
    low = bottom(b.low, n)
    return 100.0 * (b.close - low) / (top(b.high, n) - low)


def cci(x: F64, n: int) -> F64:
    """Commodity channel index: (x - mean) / (0.015 mean |x - mean|) over n rows. Source: Lambert 1980."""
    return (x - mean(x, n)) / (0.015 * mean_deviation(x, n))


def aroon(b: Bars, n: int) -> tuple[F64, F64]:
    """Up and down: 100 (n - rows since the highest high or lowest low of n + 1 rows) / n; of equal ones the newest."""
    import talib

    down, up = talib.AROON(b.high, b.low, n)
    return up, down


def ultimate(b: Bars) -> F64:
    """Ultimate oscillator 7, 14, 28: buying pressure / true range; NaN where nothing moved. Source: Williams 1985."""
    import talib

    moved = np.where(total(true_range(b), 7) == 0.0, np.nan, 0.0)
    return talib.ULTOSC(b.high, b.low, b.close) + moved


def money_flow(b: Bars) -> F64:
    """Volume ((close - low) - (high - close)) / (high - low), 0 without a range. Source: Chaikin."""
    reach = b.high - b.low
    return np.where(reach > 0.0, b.volume * (2.0 * b.close - b.low - b.high) / reach, 0.0)


def cmf(b: Bars, n: int) -> F64:
    """Chaikin money flow: money flow / volume, each summed over n rows. Source: Chaikin."""
    return total(money_flow(b), n) / total(b.volume, n)


def mfi(b: Bars, n: int) -> F64:
    """Money flow index: 100 P / (P + N), typical price x volume over n rows where it rose and where it fell.

    Source: Quong & Soudack 1989. TA-Lib's gives 0 where P + N < 1, which is common where volume counts whole coins.
    """
    step = b.typical - back(b.typical, 1)
    paid = b.typical * b.volume
    moves = total(np.where(step != 0.0, paid, 0.0) + 0.0 * step, n)
    return 100.0 * total(np.where(step > 0.0, paid, 0.0), n) / moves


def parkinson(b: Bars, n: int) -> F64:
    """sqrt(sum of ln(high / low)^2 / (4 n ln 2)), per row. Source: Parkinson 1980."""
    return np.sqrt(total(np.log(b.high / b.low) ** 2, n) / (4.0 * n * log(2.0)))


def garman_klass(b: Bars, n: int) -> F64:
    """sqrt(mean of ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2), per row. Source: Garman & Klass 1980."""
    spread = np.log(b.high / b.low)
    change = np.log(b.close / b.open)
    return np.sqrt(mean(0.5 * spread**2 - (2.0 * log(2.0) - 1.0) * change**2, n))


def _centred(windows: F64) -> F64:
    return windows - windows.mean(axis=1, keepdims=True)


def _above_rounding(deviation: F64, windows: F64) -> F64:
    return np.where(deviation > ROUNDING * np.abs(windows.mean(axis=1)), deviation, deviation * 0.0)


def _moved(high: F64, low: F64, n: int) -> F64:
    """NaN where nothing moved in the last n rows, else 0.

    TA-Lib gives 0 there, which would be a strong signal.
    """
    return np.where(top(high, n) == bottom(low, n), np.nan, 0.0)
