"""The columns of `unified_240` over candles of one and four hours, by pandas and TA-Lib.

Here: a function frame -> columns; the frame is that of `tests.oracles.unified`.
"""

import numpy as np
import pandas as pd
import talib

STEP = pd.Timedelta("15min")


def timeframes(f):
    out = {}
    for name, k in (("1h", 4), ("4h", 16)):
        coarse = f.resample(k * STEP, closed="right", label="right").agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "turnover": "sum"}
        )
        counted = f.close.resample(k * STEP, closed="right", label="right").size()
        coarse = coarse[counted == k]
        columns = coarse_columns(coarse).reindex(f.index, method="ffill")
        renamed = {"trend": f"trend_{name}", "strength": f"trend_{name}_strength"}
        out |= {renamed.get(own, f"{own}_{name}"): columns[own] for own in columns}
    return out


def coarse_columns(f):
    h = f.high
    x = f.low
    c = f.close
    v = f.volume
    line = c.rolling(20).mean()
    width = c.rolling(20).std(ddof=0)
    rises = c.diff().clip(lower=0).rolling(14).sum()
    falls = (-c.diff()).clip(lower=0).rolling(14).sum()
    flow = v * ((c - x) - (h - c)) / (h - x)
    down, up = talib.AROON(h, x, 25)
    k = 100 * (c - x.rolling(14).min()) / (h.rolling(14).max() - x.rolling(14).min())
    return pd.DataFrame(
        {
            "trend": np.sign(c - line),
            "strength": line / line.shift(5) - 1,
            "close_sma_20_ratio": c / line,
            "rsi": 100 * rises / (rises + falls),
            "bb_position": (c - line + 2 * width) / (4 * width),
            "bb_width": 4 * width / line,
            "stoch_k": k.rolling(3).mean(),
            "cci": talib.CCI(h, x, c, 20),
            "roc": 100 * (c / c.shift(12) - 1),
            "atr_pct": talib.TRANGE(h, x, c).rolling(14).mean() / c,
            "aroon_oscillator": up - down,
            "efficiency_ratio": (c - c.shift(10)).abs() / c.diff().abs().rolling(10).sum(),
            "cmf": flow.rolling(20).sum() / v.rolling(20).sum(),
            "mfi": talib.MFI(h, x, c, v * 1e9, 14),
            "volume_ratio": v / v.rolling(20).mean(),
            "close_position": (c - x) / (h - x),
            "volatility": c.pct_change(fill_method=None).rolling(20).std(ddof=0),
        }
    )
