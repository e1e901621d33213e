"""Indicators of closed minutes the slow way: candles from whole windows of samples, recursive averages by TA-Lib."""

from itertools import pairwise

import numpy as np
import talib


def ratio(top, bottom, otherwise=0.0):
    return top / bottom if bottom else otherwise


def candles(t):
    """Indicators over the last closed minutes; None where the first of the needed minutes has no price."""
    bars = minutes(t)
    spans = {
        "rsi_14": (rsi, 59),
        "macd_hist_atr": (macd, 59),
        "bb_position": (band_position, 20),
        "bb_width_bps": (band_width, 20),
        "atr_14_bps": (lambda b: 1e4 * atr(b) / b[-1]["close"], 59),
        "adx_14": (adx, 59),
        "stoch_k_14": (stochastic, 14),
        "mfi_14": (money_flow, 15),
        "cmf_20": (chaikin, 20),
        "close_vwap_20_bps": (from_vwap, 20),
        "volume_z_20": (volume_z, 20),
        "return_15m_bps": (long_return, 16),
    }
    return {
        name: f(bars[-n:]) if len(bars) >= n and bars[-n]["close"] is not None else None
        for name, (f, n) in spans.items()
    }


def minutes(t):
    """The last 59 whole minutes, quiet ones at the close before."""
    seconds = (t["ts"] / 1e9).round().astype(int)
    last = seconds[-1] // 60 * 60
    bars = []
    close = None
    for k in range(58, -1, -1):
        inside = (seconds > last - 60 * (k + 1)) & (seconds <= last - 60 * k)
        if inside.sum() < 60:
            continue
        bar = {name: values[inside] for name, values in t.items() if name.startswith(("trade_", "last_"))}
        traded = bar["trade_count_buy"] + bar["trade_count_sell"] > 0
        volume = float((bar["trade_volume_buy"] + bar["trade_volume_sell"]).sum())
        notional = float((bar["trade_notional_buy"] + bar["trade_notional_sell"]).sum())
        high = low = close
        if traded.any():
            high = bar["trade_price_high"][traded].max()
            low = bar["trade_price_low"][traded].min()
            close = bar["last_trade_price"][traded][-1]
        bars.append({"high": high, "low": low, "close": close, "volume": volume, "notional": notional})
    return bars


def arrays(bars, *names):
    return [np.array([bar[name] for bar in bars], float) for name in names]


def rsi(bars):
    (closes,) = arrays(bars, "close")
    return talib.RSI(closes, 14)[-1] if np.ptp(closes) else 50.0


def atr(bars):
    return talib.ATR(*arrays(bars, "high", "low", "close"), 14)[-1]


def macd(bars):
    (closes,) = arrays(bars, "close")
    return ratio(talib.MACD(closes, 12, 26, 9)[2][-1], atr(bars))


def adx(bars):
    return talib.ADX(*arrays(bars, "high", "low", "close"), 14)[-1]


def band_position(bars):
    closes = np.array([b["close"] for b in bars])
    upper = closes.mean() + 2 * closes.std()
    lower = closes.mean() - 2 * closes.std()
    return (closes[-1] - lower) / (upper - lower) if np.ptp(closes) else 0.5


def band_width(bars):
    closes = np.array([b["close"] for b in bars])
    return 1e4 * 4 * closes.std() / closes.mean()


def stochastic(bars):
    high = max(b["high"] for b in bars)
    low = min(b["low"] for b in bars)
    return ratio(100 * (bars[-1]["close"] - low), high - low, 50.0)


def money_flow(bars):
    gained = lost = 0.0
    for a, b in pairwise(bars):
        before, now = (x["high"] + x["low"] + x["close"] for x in (a, b))
        gained += now / 3 * b["volume"] * (now > before)
        lost += now / 3 * b["volume"] * (now < before)
    return ratio(100 * gained, gained + lost, 50.0)


def chaikin(bars):
    flow_ = sum(
        ratio((b["close"] - b["low"]) - (b["high"] - b["close"]), b["high"] - b["low"]) * b["volume"] for b in bars
    )
    return ratio(flow_, sum(b["volume"] for b in bars))


def from_vwap(bars):
    volume = sum(b["volume"] for b in bars)
    notional = sum(b["notional"] for b in bars)
    return 1e4 * (bars[-1]["close"] / (notional / volume) - 1) if volume else 0.0


def volume_z(bars):
    volumes = np.array([b["volume"] for b in bars])
    return float((volumes[-1] - volumes.mean()) / volumes.std()) if np.ptp(volumes) else 0.0


def long_return(bars):
    return 1e4 * (bars[-1]["close"] / bars[0]["close"] - 1)
