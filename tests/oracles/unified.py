"""`unified_240` once more, by pandas and TA-Lib, each column from the whole series.

Here: a function frame -> frame; columns open high low close volume turnover, index UTC close time of 15-minute candles.
"""

from math import log, pi

import numpy as np
import pandas as pd
import talib

from tests.oracles.timeframes import timeframes
from tests.oracles.unified_flows import flag, risk, sign, volume

STEP = pd.Timedelta("15min")


def unified(f):
    """All 240 columns."""
    out = {}
    for part in (price, oscillators, bands, volume, ranges, risk, calendar, timeframes):
        out |= part(f)
    return pd.DataFrame(out | consensus(f, out), index=f.index)


def price(f):
    c = f.close
    v = f.volume
    q = f.turnover
    out = {name: f[name] for name in ("open", "high", "low", "close")}
    out["returns"] = c.pct_change(fill_method=None)
    out |= {f"returns_{n}": c / c.shift(n) - 1 for n in (5, 10, 20)}
    for n in (5, 10, 20, 50):
        out[f"sma_{n}"] = c.rolling(n).mean()
    for n in (10, 20, 50):
        out[f"ema_{n}"] = talib.EMA(c, n)
    out |= {f"close_{k}_ratio": c / x for k, x in out.items() if k[:4] in ("sma_", "ema_")}
    spread = (f.high - f.low) / c
    vwap = q.rolling(20).sum() / v.rolling(20).sum()
    vwma = (c * v).rolling(20).sum() / v.rolling(20).sum()
    hour = c / c.shift(4) - 1
    days = f.groupby((f.index - STEP).floor("D"))

    daily = pd.DataFrame({"h": days.high.max(), "l": days.low.min(), "c": days.close.last(), "n": days.size()})
    daily = daily[["h", "l", "c"]].where(daily.n == 96).shift(1).reindex((f.index - STEP).floor("D")).set_axis(f.index)
    p = daily.sum(axis=1, skipna=False) / 3

    return out | {
        "high_low_ratio": f.high / f.low,
        "close_open_ratio": c / f.open,
        "close_position": (c - f.low) / (f.high - f.low),
        "vwap": vwap,
        "close_vwap_ratio": c / vwap,
        "vwap_extreme_deviation": (c - vwap) / c.rolling(20).std(ddof=0),
        "vwma_20": vwma,
        "close_vwma_ratio": c / vwma,
        "hl_spread": spread,
        "hl_spread_ma": spread.rolling(20).mean(),
        "momentum_1h": hour,
        "momentum_4h": c / c.shift(16) - 1,
        "momentum_24h": c / c.shift(96) - 1,
        "momentum_acceleration": hour - hour.shift(4),
        "pivot": p,
        "resistance1": 2 * p - daily.l,
        "support1": 2 * p - daily.h,
        "resistance2": p + daily.h - daily.l,
        "support2": p - daily.h + daily.l,
        "dist_to_resistance1": (2 * p - daily.l) / c - 1,
        "dist_to_support1": 1 - (2 * p - daily.h) / c,
    }


def oscillators(f):
    h = f.high
    x = f.low
    c = f.close
    v = f.volume
    line, signal, histogram = talib.MACD(c, 12, 26, 9)
    lowest = x.rolling(14).min()
    k = (100 * (c - lowest) / (h.rolling(14).max() - lowest)).rolling(3).mean()
    down, up = talib.AROON(h, x, 25)
    rsi = talib.RSI(c, 14)
    cci = talib.CCI(h, x, c, 20)
    mfi = talib.MFI(h, x, c, v * 1e9, 14)
    time = pd.Series(np.arange(len(c), dtype=float), c.index)
    out = {
        "rsi": rsi,
        "rsi_oversold": flag(rsi < 30, rsi),
        "rsi_overbought": flag(rsi > 70, rsi),
        "macd": line,
        "macd_signal": signal,
        "macd_diff": histogram,
        "stoch_k": k,
        "stoch_d": k.rolling(3).mean(),
        "adx": talib.ADX(h, x, c, 14),
        "adx_pos": talib.PLUS_DI(h, x, c, 14),
        "adx_neg": talib.MINUS_DI(h, x, c, 14),
        "adxr": talib.ADXR(h, x, c, 14),
        "mfi": mfi,
        "mfi_overbought": flag(mfi > 80, mfi),
        "mfi_oversold": flag(mfi < 20, mfi),
        "cci": cci,
        "cci_overbought": flag(cci > 100, cci),
        "cci_oversold": flag(cci < -100, cci),
        "williams_r": talib.WILLR(h, x, c, 14),
        "ultimate_oscillator": talib.ULTOSC(h, x, c),
        "aroon_up": up,
        "aroon_down": down,
        "aroon_oscillator": up - down,
        "roc": talib.ROC(c, 12),
        "trix": talib.TRIX(c, 15),
        "efficiency_ratio": (c - c.shift(10)).abs() / c.diff().abs().rolling(10).sum(),
        "trend_quality": c.rolling(20).corr(time) ** 2,
    }
    for name, x in (("rsi", rsi), ("macd", line)):
        rose = c - c.shift(14)
        stronger = x - x.shift(14)
        out[f"bearish_divergence_{name}"] = flag((rose > 0) & (stronger < 0), rose, stronger)
        out[f"bullish_divergence_{name}"] = flag((rose < 0) & (stronger > 0), rose, stronger)
    return out


def bands(f):
    h = f.high
    x = f.low
    c = f.close
    p = (h + x + c) / 3
    middle = p.rolling(20).mean()
    width = 2 * p.rolling(20).std(ddof=0)
    high = middle + width
    low = middle - width
    atr = talib.ATR(h, x, c, 14)
    line = talib.EMA(p, 20)
    stop = parabolic(f)
    lines = {n: (h.rolling(n).max() + x.rolling(n).min()) / 2 for n in (9, 26, 52)}
    a = ((lines[9] + lines[26]) / 2).shift(26)
    b = lines[52].shift(26)
    upper = h.rolling(20).max().shift(1)
    lower = x.rolling(20).min().shift(1)
    squeeze = flag((high < line + 2 * atr) & (low > line - 2 * atr), high, line, atr)
    return {
        "bb_middle": middle,
        "bb_high": high,
        "bb_low": low,
        "bb_width": (high - low) / middle,
        "bb_position": (c - low) / (high - low),
        "bb_breakout_upper": flag(c > high, high),
        "bb_breakout_lower": flag(c < low, low),
        "bb_breakout_strength": ((c - high).clip(lower=0) - (low - c).clip(lower=0)) / c,
        "atr": atr,
        "atr_pct": atr / c,
        "psar": stop,
        "psar_trend": sign(c - stop),
        "psar_distance": (c - stop) / c,
        "psar_distance_normalized": (c - stop) / atr,
        "ichimoku_conversion": lines[9],
        "ichimoku_base": lines[26],
        "ichimoku_span_a": a,
        "ichimoku_span_b": b,
        "ichimoku_cloud_thickness": (a - b) / c,
        "price_vs_cloud": c / ((a + b) / 2) - 1,
        "keltner_middle": line,
        "keltner_upper": line + 2 * atr,
        "keltner_lower": line - 2 * atr,
        "keltner_position": (c - line + 2 * atr) / (4 * atr),
        "donchian_upper": upper,
        "donchian_middle": (upper + lower) / 2,
        "donchian_lower": lower,
        "donchian_breakout": flag(c > upper, upper) - flag(c < lower, lower),
        "volatility_squeeze": squeeze,
        "volatility_squeeze_duration": squeeze.rolling(96).mean(),
    }


def parabolic(f):
    """TA-Lib's, started over at the start of the day before each day."""
    day = (f.index - STEP).floor("D")
    out = pd.Series(np.nan, f.index)
    for now in day.unique()[1:]:
        rows = f[(day == now) | (day == now - pd.Timedelta("1D"))]
        if (day == now - pd.Timedelta("1D")).sum() == 96:
            out[day == now] = talib.SAR(rows.high, rows.low, 0.02, 0.2)[96:]
    return out


def ranges(f):
    o = f.open
    h = f.high
    x = f.low
    c = f.close
    out = {}
    for n in (20, 50, 100):
        high = h.rolling(n).max()
        low = x.rolling(n).min()
        out |= {f"local_high_{n}": high, f"local_low_{n}": low}
        out |= {f"distance_from_high_{n}": c / high - 1, f"distance_from_low_{n}": c / low - 1}
        out[f"position_in_range_{n}"] = (c - low) / (high - low)
    high = h.rolling(96).max()
    low = x.rolling(96).min()
    top = h.rolling(20).max()
    floor = x.rolling(20).min()
    ten = h.rolling(10).max() - x.rolling(10).min()
    before = x.shift(1).rolling(20).min()
    return out | {
        "daily_high": high,
        "daily_low": low,
        "daily_range": (high - low) / c,
        "position_in_daily_range": (c - low) / (high - low),
        "near_daily_high": flag(c > 0.995 * high, high),
        "near_daily_low": flag(c < 1.005 * low, low),
        "uptrend_structure": flag((top > top.shift(20)) & (floor > floor.shift(20)), top.shift(20)),
        "downtrend_structure": flag((top < top.shift(20)) & (floor < floor.shift(20)), top.shift(20)),
        "spring_pattern": flag((x < before) & (c > before), before),
        "fractal_dimension": 1 + np.log((ten + ten.shift(10)) / (top - floor)) / log(2),
        "long_liquidation_risk": ((o - x) / o).rolling(96).max(),
        "short_liquidation_risk": ((h - o) / o).rolling(96).max(),
    }


def calendar(f):
    t = f.index
    turn = 2 * pi * (t.hour + t.minute / 60) / 24
    out = {
        "hour": t.hour,
        "minute": t.minute,
        "hour_sin": np.sin(turn),
        "hour_cos": np.cos(turn),
        "dayofweek": t.day_of_week,
        "is_weekend": t.day_of_week >= 5,
        "dow_sin": np.sin(2 * pi * t.day_of_week / 7),
        "dow_cos": np.cos(2 * pi * t.day_of_week / 7),
        "asian_session": t.hour < 8,
        "european_session": (t.hour >= 7) & (t.hour < 16),
        "american_session": (t.hour >= 13) & (t.hour < 22),
        "session_overlap": (t.hour >= 13) & (t.hour < 16),
    }
    return {name: pd.Series(np.asarray(values, float), t) for name, values in out.items()}


def consensus(f, done):
    pairs = [
        (done["rsi"], 50),
        (done["macd"], done["macd_signal"]),
        (f.close, done["sma_20"]),
        (f.close, done["ema_50"]),
        (done["adx_pos"], done["adx_neg"]),
        (done["stoch_k"], done["stoch_d"]),
        (done["cmf"], 0),
        (done["obv_normalized"], 0),
    ]
    long = sum((a > b).astype(float) for a, b in pairs)
    short = sum((a < b).astype(float) for a, b in pairs)
    return {
        "indicators_count_long": long,
        "indicators_count_short": short,
        "indicators_consensus_long": long.rolling(4).mean() / 8,
        "indicators_consensus_short": short.rolling(4).mean() / 8,
        "signal_strength": (long - short).abs() / 8,
    }
