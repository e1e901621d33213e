"""Oscillators: strength and direction of the move, and where price and oscillator disagree.

Here: family `oscillators` of `unified_240`.
Not here: the same on coarser candles (`timeframes`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import APART
from ml.features.candle.series import Columns, back, flag, mean, room, sd
from ml.features.indicators import momentum, trend
from ml.features.indicators.averages import macd, trix
from ml.features.indicators.volume import mfi


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    out = _momentum(b) | _levels(b) | _trend(b)
    for name, above, below in (("rsi", 70, 30), ("mfi", 80, 20), ("cci", 100, -100)):
        out[f"{name}_overbought"] = flag(out[name] > above, out[name])
        out[f"{name}_oversold"] = flag(out[name] < below, out[name])
    for name in ("rsi", "macd"):
        out |= _divergences(b.close, out[name], name)
    return out


def _momentum(b: Bars) -> Columns:
    rsi, line, signal, histogram, spare, curve, roc = room(b.close, 7)
    momentum.rsi(b.close, 14, rsi)
    macd(b.close, 12, 26, 9, line, signal, histogram)
    trix(b.close, 15, spare, curve)
    momentum.roc(b.close, 12, roc)
    return {"rsi": rsi, "macd": line, "macd_signal": signal, "macd_diff": histogram, "trix": curve, "roc": roc}


def _levels(b: Bars) -> Columns:
    k, d, percent_r, flow, cci, ultimate, *spare = room(b.close, 10)
    momentum.stochastic(b.high, b.low, b.close, 14, 3, 3, k, d)
    momentum.williams_r(b.high, b.low, b.close, 14, spare[0], percent_r)
    mfi(b.typical, b.volume, 14, spare[0], spare[1], flow)
    momentum.cci(b.typical, 20, spare[0], cci)
    momentum.ultimate(b.high, b.low, b.close, 7, *spare, ultimate)
    names = ("stoch_k", "stoch_d", "williams_r", "mfi", "cci", "ultimate_oscillator")
    return dict(zip(names, (k, d, percent_r, flow, cci, ultimate), strict=True))


def _trend(b: Bars) -> Columns:
    plus, minus, adx, rated, up, down, efficiency, line, spare = room(b.close, 9)
    trend.directional(b.high, b.low, b.close, 14, plus, minus, adx)
    trend.rated(adx, 14, rated)
    momentum.aroon(b.high, b.low, 25, up, down)
    momentum.efficiency(b.close, 10, spare, efficiency)
    trend.slope(b.close, 20, mean(b.close, 20), line)
    # of 20 rows the variance of the row number is (20^2 - 1) / 12
    quality = line**2 * (20**2 - 1) / 12 / sd(b.close, 20) ** 2
    return {
        "adx": adx,
        "adx_pos": plus,
        "adx_neg": minus,
        "adxr": rated,
        "aroon_up": up,
        "aroon_down": down,
        "aroon_oscillator": up - down,
        "efficiency_ratio": efficiency,
        "trend_quality": quality,
    }


def _divergences(close: F64, oscillator: F64, name: str) -> Columns:
    price = np.sign(close - back(close, APART))
    strength = np.sign(oscillator - back(oscillator, APART))
    return {
        f"bearish_divergence_{name}": flag((price > 0) & (strength < 0), price, strength),
        f"bullish_divergence_{name}": flag((price < 0) & (strength > 0), price, strength),
    }
