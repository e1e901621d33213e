"""The predecessor's indicators of closed minutes, plain as in arrays of 110 columns and smoothed as in those of 112.

Here: the thirty-two of them that candles allow.
Not here: what they are and what is wrong with them (`candle_columns`), indicators as they should be
(`ml.features.candle.indicators`), which serve where the formula is the same.
"""

from collections.abc import Sequence

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.indicators import cci, cmf, mean, mfi, sd, stochastic, true_range, window_rsi
from ml.features.candle.series import Columns, back, change
from ml.features.legacy.candles import otherwise

AROON = 25


@np.errstate(all="ignore")  # a formula that divides by nothing has no value
def compute(b: Bars, begun: int, smooth: bool) -> Columns:
    """Columns by name, f64 (rows,), of one interval of candles; averages begin `begun` candles back."""
    found = _averages(b.close, begun, smooth) | _levels(b) | _bands(b) | _aroon(b)
    found |= _smooth(b, begun) if smooth else _plain(b)
    k = found["stochastic_k"]
    for name, sign in (("upper", 2.0), ("lower", -2.0)):
        found[f"keltner_{name}"] = found["ema_20"] + sign * found["atr_14"]
    return found | {"stochastic_d": (k + back(k, 1) + back(k, 2)) / 3.0 if smooth else k}


def smoothed(values: Sequence[F64], n: int, weight: float) -> list[F64]:
    """Mean of the first n values, and from there y + weight (x - y): as many arrays as values from the n-th on."""
    y = sum(values[1:n], values[0]) / n
    found = [y]
    for x in values[n:]:
        y = y + weight * (x - y)
        found.append(y)
    return found


def window(x: F64, count: int) -> list[F64]:
    """The last values of each row, oldest first."""
    return [back(x, k) for k in range(count - 1, -1, -1)]


def _averages(close: F64, begun: int, smooth: bool) -> Columns:
    kept = window(close, begun)
    ema = {n: smoothed(kept, n, 2.0 / (n + 1)) for n in (10, 12, 20, 26, 50)}
    # both lines from the 26th of the kept candles on
    line = [fast - slow for fast, slow in zip(ema[12][26 - 12 :], ema[26], strict=True)]
    signal = smoothed(line, 9, 0.2)[-1] if smooth else sum(line[-8:], line[-9]) / 9.0
    found = {f"ema_{n}": ema[n][-1] for n in (10, 20, 50)}
    return (
        {f"sma_{n}": mean(close, n) for n in (10, 20, 50)}
        | found
        | {"macd": line[-1], "macd_signal": signal, "macd_histogram": line[-1] - signal}
    )


def _plain(b: Bars) -> Columns:
    plus, minus, reach = (mean(x, 14) for x in _directions(b))
    found = _indexes(plus, minus, reach)
    for n in (14, 28):
        found[f"rsi_{n}"] = otherwise(window_rsi(b.close, n), 100.0)
    return found | {"adx": found.pop("dx")}


def _smooth(b: Bars, begun: int) -> Columns:
    averages = [smoothed(window(x, begun - 1), 14, 1 / 14) for x in _directions(b)]
    steps = [_indexes(*step) for step in zip(*averages, strict=True)]
    found = steps[-1] | {"adx": smoothed([step["dx"] for step in steps], 14, 1 / 14)[-1]}
    moves = np.append(np.nan, np.diff(b.close))
    for n in (14, 28):
        up, down = (smoothed(window(x, begun - 1), n, 1 / n)[-1] for x in (np.maximum(moves, 0), np.maximum(-moves, 0)))
        found[f"rsi_{n}"] = otherwise(100.0 * up / (up + down), 100.0)
    return {name: column for name, column in found.items() if name != "dx"}


def _directions(b: Bars) -> tuple[F64, F64, F64]:
    """+DM, -DM and the true range of each candle; NaN in the first."""
    up = b.high - back(b.high, 1)
    down = back(b.low, 1) - b.low
    reach = true_range(b)
    first = reach * 0.0
    return (
        np.where((up > down) & (up > 0), up, 0.0) + first,
        np.where((down > up) & (down > 0), down, 0.0) + first,
        reach,
    )


def _indexes(plus: F64, minus: F64, reach: F64) -> Columns:
    up, down = (np.where(reach > 0, 100.0 * x / reach, 25.0) for x in (plus, minus))
    return {
        "plus_di": up,
        "minus_di": down,
        "dx": np.where(up + down > 0, 100.0 * np.abs(up - down) / (up + down), 25.0),
    }


def _levels(b: Bars) -> Columns:
    k = stochastic(b, 14)
    return {
        "stochastic_k": otherwise(k, 50.0),
        "williams_r": otherwise(k - 100.0, -50.0),
        "cci": otherwise(cci(b.typical, 20), 0.0),
        "momentum_10": change(b.close, 9),
        "roc": 100.0 * change(b.close, 11),
        "mfi": otherwise(mfi(b, 14), 100.0),
        "cmf": otherwise(cmf(b, 20), 0.0),
    }


def _bands(b: Bars) -> Columns:
    middle = mean(b.close, 20)
    deviation = sd(b.close, 20)
    upper = middle + 2.0 * deviation
    lower = middle - 2.0 * deviation
    return {
        "bollinger_upper": upper,
        "bollinger_middle": middle,
        "bollinger_lower": lower,
        "bollinger_width": (upper - lower) / middle,
        "bollinger_pct": otherwise((b.close - lower) / (upper - lower), 0.5),
        "atr_14": mean(true_range(b), 14),
    }


def _aroon(b: Bars) -> Columns:
    """The oldest of equal extremes counts, where the textbook takes the newest."""
    found: Columns = {}
    for name, x in (("aroon_up", b.high), ("aroon_down", -b.low)):
        since = np.full(x.size, np.nan)
        best = np.full(x.size, -np.inf)
        for k, value in zip(range(AROON - 1, -1, -1), window(x, AROON), strict=True):
            since = np.where(value > best, k, since)
            best = np.maximum(value, best)
        found[name] = 100.0 * (AROON - since) / AROON
    return found
