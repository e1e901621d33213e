"""Oscillators: strength and direction of the move, and where price and oscillator disagree.

Here: family `oscillators` of `unified_240`.
Not here: the same on coarser candles (`timeframes`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle import indicators as of
from ml.features.candle.columns import APART
from ml.features.candle.series import Columns, back, change, flag


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
    line, signal, histogram = of.macd(b.close)
    return {
        "rsi": of.rsi(b.close, 14),
        "macd": line,
        "macd_signal": signal,
        "macd_diff": histogram,
        "trix": of.trix(b.close, 15),
        "roc": 100.0 * change(b.close, 12),
    }


def _levels(b: Bars) -> Columns:
    raw = of.stochastic(b, 14)
    k = of.mean(raw, 3)
    return {
        "stoch_k": k,
        "stoch_d": of.mean(k, 3),
        "williams_r": raw - 100.0,
        "mfi": of.mfi(b, 14),
        "cci": of.cci(b.typical, 20),
        "ultimate_oscillator": of.ultimate(b),
    }


def _trend(b: Bars) -> Columns:
    plus, minus, adx, rated = of.directional(b, 14)
    up, down = of.aroon(b, 25)
    return {
        "adx": adx,
        "adx_pos": plus,
        "adx_neg": minus,
        "adxr": rated,
        "aroon_up": up,
        "aroon_down": down,
        "aroon_oscillator": up - down,
        "efficiency_ratio": of.efficiency(b.close, 10),
        "trend_quality": of.linearity(b.close, 20),
    }


def _divergences(close: F64, oscillator: F64, name: str) -> Columns:
    price = np.sign(close - back(close, APART))
    strength = np.sign(oscillator - back(oscillator, APART))
    return {
        f"bearish_divergence_{name}": flag((price > 0) & (strength < 0), price, strength),
        f"bullish_divergence_{name}": flag((price < 0) & (strength > 0), price, strength),
    }
