"""Indicators of closed minutes the slow way: candles from whole windows of samples, textbook recursions."""

from itertools import pairwise

import numpy as np


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
        "atr_14_bps": (lambda b: 1e4 * atr(b)[-1] / b[-1]["close"], 59),
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


def wilder(values, n):
    """Wilder's average: the mean of the first n, then each new value weighs 1/n."""
    found = [sum(values[:n]) / n]
    for value in values[n:]:
        found.append((found[-1] * (n - 1) + value) / n)
    return found


def rsi(bars):
    closes = [b["close"] for b in bars]
    changes = np.diff(closes)
    up = wilder(np.maximum(changes, 0), 14)[-1]
    down = wilder(np.maximum(-changes, 0), 14)[-1]
    return 100 - 100 / (1 + up / down) if down else (100.0 if up else 50.0)


def true_ranges(bars):
    pairs = pairwise(bars)
    return [max(b["high"] - b["low"], abs(b["high"] - a["close"]), abs(b["low"] - a["close"])) for a, b in pairs]


def atr(bars):
    return wilder(true_ranges(bars), 14)


def ema(values, n, start):
    """From index `start` on, where it is the mean of the n values up to there."""
    found = [sum(values[start - n + 1 : start + 1]) / n]
    for value in values[start + 1 :]:
        found.append(found[-1] + 2 / (n + 1) * (value - found[-1]))
    return found


def macd(bars):
    closes = [b["close"] for b in bars]
    line = [f - s for f, s in zip(ema(closes, 12, 25), ema(closes, 26, 25), strict=True)]
    return ratio(line[-1] - ema(line, 9, 8)[-1], atr(bars)[-1])


def adx(bars):
    plus = []
    minus = []
    reach = true_ranges(bars)
    for a, b in pairwise(bars):
        up = b["high"] - a["high"]
        down = a["low"] - b["low"]
        plus.append(up if up > max(down, 0) else 0.0)
        minus.append(down if down > max(up, 0) else 0.0)
    smooth = []
    for moves in (plus, minus, reach):
        sums = [sum(moves[:13])]
        for move in moves[13:]:
            sums.append(sums[-1] - sums[-1] / 14 + move)
        smooth.append(sums[1:])
    indexes = []
    for p, m, r in zip(*smooth, strict=True):
        di_plus = ratio(100 * p, r)
        di_minus = ratio(100 * m, r)
        indexes.append(ratio(100 * abs(di_plus - di_minus), di_plus + di_minus))
    return wilder(indexes, 14)[-1]


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
