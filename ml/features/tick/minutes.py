"""Indicators of the last closed minutes: what a chart would show, from the samples' own trades.

Here: the candles of the last 59 minutes, and the indicators, computed when a minute closes.
Add here: an indicator, its line in `ml.features.tick.table`, and its oracle.
Not here: the stored candles (`ml.candles.from_trades`).

A minute without a trade stands at the close before it, with volume 0; before the first trade of the 59 minutes nothing
is known. Recursive averages (Wilder 1978; MACD) begin at the first of the 59 candles, as TA-Lib does with 59 rows.
"""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.time import MINUTE
from ml.features.tick.table import CANDLE_SPANS, KEPT
from ml.market.book import layout as at
from ml.market.book.compiled import njit_no_alloc
from ml.market.book.layout import I64

F64 = NDArray[np.float64]
HIGH, LOW, CLOSE, VOLUME, NOTIONAL = range(5)
_SPANS = np.array(list(CANDLE_SPANS.values()))


class Minutes(NamedTuple):
    """`candles` i64 (5, KEPT + 1): high, low, close, volume, notional; the last column is the open minute.

    `filled` f64 (5, KEPT): the closed ones with quiet minutes at the close before; `values` f64: the indicators.
    """

    candles: I64
    filled: F64
    values: F64


def empty_minutes() -> Minutes:
    """Minutes that have seen nothing."""
    return Minutes(np.zeros((5, KEPT + 1), np.int64), np.zeros((5, KEPT)), np.full(len(CANDLE_SPANS), np.nan))


@njit_no_alloc
def forget(minutes: Minutes) -> None:
    """Begin again."""
    minutes.candles[:, :] = 0
    minutes.values[:] = nan


@njit_no_alloc
def push(minutes: Minutes, row: I64) -> None:
    """Add a sample; on a full minute close the candle and compute the indicators."""
    candles = minutes.candles
    if row[at.TRADE_COUNT] + row[at.TRADE_COUNT + 1] > 0:
        high = row[at.TRADE_HIGH]
        low = row[at.TRADE_LOW]
        candles[HIGH, KEPT] = max(candles[HIGH, KEPT], high)
        candles[LOW, KEPT] = min(candles[LOW, KEPT], low) if candles[LOW, KEPT] > 0 else low
        candles[CLOSE, KEPT] = row[at.LAST_TRADE]
        candles[VOLUME, KEPT] += row[at.TRADE_VOLUME] + row[at.TRADE_VOLUME + 1]
        candles[NOTIONAL, KEPT] += row[at.TRADE_NOTIONAL] + row[at.TRADE_NOTIONAL + 1]
    if row[at.TS] % MINUTE == 0:
        for c in range(5):
            for k in range(KEPT):
                candles[c, k] = candles[c, k + 1]
            candles[c, KEPT] = 0
        _compute(minutes)


@njit_no_alloc
def _compute(minutes: Minutes) -> None:
    f = minutes.filled
    out = minutes.values
    first = _fill(minutes)
    if first == 0:
        atr = _atr(f)
        out[0] = _rsi(f[CLOSE])
        out[1] = _macd_histogram(f[CLOSE]) / atr if atr > 0 else 0.0
        out[4] = 1e4 * atr / f[CLOSE, KEPT - 1]
        out[5] = _adx(f)
    out[2], out[3] = _bollinger(f[CLOSE])
    out[6] = _stochastic(f)
    out[7] = _money_flow_index(f)
    out[8] = _chaikin(f)
    out[9] = _from_vwap(f)
    out[10] = _volume_score(f[VOLUME])
    out[11] = 1e4 * (f[CLOSE, KEPT - 1] / f[CLOSE, KEPT - 16] - 1.0)
    for k in range(out.size):
        if first > KEPT - _SPANS[k]:
            out[k] = nan


@njit_no_alloc
def _fill(minutes: Minutes) -> int:
    """Candles as floats, quiet minutes at the close before; returns the first that is known."""
    candles = minutes.candles
    filled = minutes.filled
    first = KEPT
    close = 0.0
    for k in range(KEPT):
        traded = candles[CLOSE, k] > 0
        if traded:
            first = min(first, k)
            close = float(candles[CLOSE, k])
        filled[HIGH, k] = candles[HIGH, k] if traded else close
        filled[LOW, k] = candles[LOW, k] if traded else close
        filled[CLOSE, k] = close
        filled[VOLUME, k] = candles[VOLUME, k]
        filled[NOTIONAL, k] = candles[NOTIONAL, k]
    return first


@njit_no_alloc
def _rsi(close: F64) -> float:
    gain = loss = 0.0
    for k in range(1, KEPT):
        change = close[k] - close[k - 1]
        up = max(change, 0.0)
        down = max(-change, 0.0)
        if k <= 14:
            gain = gain + up / 14
            loss = loss + down / 14
        else:
            gain = (13 * gain + up) / 14
            loss = (13 * loss + down) / 14
    return 100.0 * gain / (gain + loss) if gain + loss > 0 else 50.0


@njit_no_alloc
def _macd_histogram(close: F64) -> float:
    """EMA 12 less EMA 26, less its own EMA 9; each begins with the mean of its first values, both EMAs at the 26th."""
    fast = slow = signal = macd = 0.0
    for k in range(26):
        slow += close[k] / 26
        fast += close[k] / 12 if k >= 14 else 0.0
    for k in range(25, KEPT):
        if k > 25:
            fast += 2 / 13 * (close[k] - fast)
            slow += 2 / 27 * (close[k] - slow)
        macd = fast - slow
        signal += macd / 9 if k <= 33 else 2 / 10 * (macd - signal)
    return macd - signal


@njit_no_alloc
def _true_range(f: F64, k: int) -> float:
    return max(f[HIGH, k], f[CLOSE, k - 1]) - min(f[LOW, k], f[CLOSE, k - 1])


@njit_no_alloc
def _atr(f: F64) -> float:
    atr = 0.0
    for k in range(1, KEPT):
        atr = atr + _true_range(f, k) / 14 if k <= 14 else (13 * atr + _true_range(f, k)) / 14
    return atr


@njit_no_alloc
def _adx(f: F64) -> float:
    """Wilder's average directional index, with TA-Lib's start: 13 candles summed, 14 averaged."""
    plus = minus = reach = adx = 0.0
    for k in range(1, KEPT):
        up = f[HIGH, k] - f[HIGH, k - 1]
        down = f[LOW, k - 1] - f[LOW, k]
        keep = 13 / 14 if k > 13 else 1.0
        plus = keep * plus + (up if up > down and up > 0 else 0.0)
        minus = keep * minus + (down if down > up and down > 0 else 0.0)
        reach = keep * reach + _true_range(f, k)
        if k <= 13:
            continue
        index = 100.0 * abs(plus - minus) / (plus + minus) if plus + minus > 0 else 0.0
        adx = adx + index / 14 if k <= 27 else (13 * adx + index) / 14
    return adx


@njit_no_alloc
def _bollinger(close: F64) -> tuple[float, float]:
    """Where the close stands between the bands, 0 to 1, and the bands' distance in bps of their middle."""
    mean = square = 0.0
    for k in range(KEPT - 20, KEPT):
        mean += close[k] / 20
    for k in range(KEPT - 20, KEPT):
        square += (close[k] - mean) ** 2 / 20
    deviation = sqrt(square)
    width = 1e4 * 4 * deviation / mean
    return (0.5 + (close[KEPT - 1] - mean) / (4 * deviation) if width > 1e-6 else 0.5), width


@njit_no_alloc
def _stochastic(f: F64) -> float:
    high = f[HIGH, KEPT - 1]
    low = f[LOW, KEPT - 1]
    for k in range(KEPT - 14, KEPT):
        high = max(high, f[HIGH, k])
        low = min(low, f[LOW, k])
    return 100.0 * (f[CLOSE, KEPT - 1] - low) / (high - low) if high > low else 50.0


@njit_no_alloc
def _money_flow_index(f: F64) -> float:
    """Typical prices are compared as sums of three, which is exact."""
    gained = lost = 0.0
    for k in range(KEPT - 14, KEPT):
        typical = f[HIGH, k] + f[LOW, k] + f[CLOSE, k]
        before = f[HIGH, k - 1] + f[LOW, k - 1] + f[CLOSE, k - 1]
        gained += typical * f[VOLUME, k] if typical > before else 0.0
        lost += typical * f[VOLUME, k] if typical < before else 0.0
    return 100.0 * gained / (gained + lost) if gained + lost > 0 else 50.0


@njit_no_alloc
def _chaikin(f: F64) -> float:
    flow = volume = 0.0
    for k in range(KEPT - 20, KEPT):
        reach = f[HIGH, k] - f[LOW, k]
        flow += (2 * f[CLOSE, k] - f[HIGH, k] - f[LOW, k]) / reach * f[VOLUME, k] if reach > 0 else 0.0
        volume += f[VOLUME, k]
    return flow / volume if volume > 0 else 0.0


@njit_no_alloc
def _from_vwap(f: F64) -> float:
    notional = volume = 0.0
    for k in range(KEPT - 20, KEPT):
        notional = notional + f[NOTIONAL, k]
        volume = volume + f[VOLUME, k]
    return 1e4 * (f[CLOSE, KEPT - 1] * volume / notional - 1.0) if notional > 0 else 0.0


@njit_no_alloc
def _volume_score(volume: F64) -> float:
    mean = square = 0.0
    for k in range(KEPT - 20, KEPT):
        mean += volume[k] / 20
    for k in range(KEPT - 20, KEPT):
        square += (volume[k] - mean) ** 2 / 20
    return (volume[KEPT - 1] - mean) / sqrt(square) if square > 1e-18 * mean * mean else 0.0
