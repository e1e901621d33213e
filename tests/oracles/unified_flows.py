"""The families `volume` and `risk` of `unified_240`, by pandas.

Here: a function frame -> columns each; the frame is that of `tests.oracles.unified`.
"""

from math import erf, log, pi

import numpy as np


def sign(x):
    return np.sign(x)


def flag(condition, *known):
    out = condition.astype(float)
    for term in known:
        out = out.where(term.notna())
    return out


def volume(f):
    h = f.high
    x = f.low
    c = f.close
    v = f.volume
    q = f.turnover
    r = c / c.shift(1) - 1
    s = v * sign(c.diff())
    flow = v * ((c - x) - (h - c)) / (h - x)
    ratio = v / v.rolling(20).mean()
    spread = h - x
    obv = s.rolling(96).sum() / v.rolling(96).sum()
    recent = s.rolling(20).sum() / v.rolling(20).sum()
    z = c.diff() / c.diff().rolling(50).std(ddof=0)
    bought = z.map(lambda z: (1 + erf(z / 2**0.5)) / 2)
    impact = 1e4 * r.abs() / (q / q.rolling(96).mean())
    dry = 1e6 * r.abs() / q
    slope = (r * s).rolling(20).sum() / (s * s).rolling(20).sum()
    out = {f"volume_cumsum_{n}h": v.rolling(4 * n).sum() for n in (4, 8, 12, 24)}
    out |= {f"volume_cumsum_{n}h_ratio": v.rolling(4 * n).mean() / v.rolling(672).mean() for n in (4, 8, 12, 24)}
    return out | {
        "volume": v,
        "turnover": q,
        "volume_ratio": ratio,
        "turnover_ratio": q / q.rolling(20).mean(),
        "volume_zscore": (v - v.rolling(20).mean()) / v.rolling(20).std(ddof=0),
        "volume_spike": flag(ratio > 2, ratio),
        "volume_spike_magnitude": (ratio - 2).clip(lower=0),
        "dollar_volume": np.log(1 + q),
        "accumulation_distribution": flow.rolling(96).sum() / v.rolling(96).sum(),
        "cmf": flow.rolling(20).sum() / v.rolling(20).sum(),
        "obv": obv,
        "obv_ema": obv.rolling(20).mean(),
        "obv_trend": obv - obv.rolling(20).mean(),
        "obv_normalized": recent,
        "obv_divergence": sign(recent) - sign(c - c.shift(20)),
        "price_direction": sign(c.diff()),
        "directed_volume": s,
        "volume_imbalance": s.rolling(10).sum() / v.rolling(10).sum(),
        "ofi_persistence": (s * s.shift(1)).rolling(20).sum() / (s * s).rolling(20).sum(),
        "vpin": (v * (2 * bought - 1).abs()).rolling(50).mean() / v.rolling(50).mean(),
        "price_impact": impact,
        "price_impact_log": np.log(1 + impact),
        "toxicity": impact.rolling(20).mean(),
        "amihud_illiquidity": dry,
        "amihud_ma": dry.rolling(20).mean(),
        "kyle_lambda": 1e4 * slope * v.rolling(20).mean(),
        "liquidity_adj_returns": r * ratio,
        "volume_volatility_ratio": ratio / (spread / spread.rolling(20).mean()),
        "volatility_volume_ratio": r.rolling(20).std(ddof=0) / ratio,
        "liquidity_score": np.log(q.rolling(20).mean() / q.rolling(672).mean()),
        "liquidity_rank": q.rolling(97).apply(lambda w: (w[:-1] < w[-1]).mean(), raw=True),
        "funding_proxy": 1e4 * (c * v.rolling(32).sum() / q.rolling(32).sum() - 1),
    }


def risk(f):
    h = f.high
    x = f.low
    c = f.close
    v = f.volume
    r = c.pct_change(fill_method=None)
    rms = (r * r).rolling(96).mean() ** 0.5
    per_candle = np.log(h / x) ** 2 / (4 * log(2))
    bipower = (pi / 2 * (r * r.shift(1)).abs().rolling(96).mean()) ** 0.5
    jump = r / bipower.shift(1)
    spread = h - x
    p = np.log(c)
    hurst = [((p - p.shift(n)) ** 2).rolling(96).sum() ** 0.5 for n in (16, 4)]
    bins = [r < -rms, (r >= -rms) & (r < 0), (r >= 0) & (r < rms), r >= rms]
    shares = [flag(b, rms).rolling(96).mean() for b in bins]
    return {
        "realized_vol_5m": (per_candle / 3) ** 0.5,
        "realized_vol_15m": per_candle.rolling(4).mean() ** 0.5,
        "realized_vol_1h": (r * r).rolling(4).sum() ** 0.5,
        "realized_vol_daily": (r * r).rolling(96).sum() ** 0.5,
        "realized_vol_annual": ((r * r).rolling(672).sum() * 365 / 7) ** 0.5,
        "realized_vol": r.rolling(20).std(ddof=0),
        "garch_vol": (r * r).ewm(alpha=0.06, adjust=False).mean() ** 0.5,
        "vol_regime": r.rolling(20).std(ddof=0) / rms,
        "var_95": -r.rolling(96).apply(lambda w: np.sort(w)[4], raw=True),
        "cvar_5pct": -r.rolling(96).apply(lambda w: np.sort(w)[:5].mean(), raw=True),
        "price_jump": jump,
        "jump_intensity": flag(jump.abs() > 4, jump).rolling(96).mean(),
        "cascade_risk": spread / spread.rolling(20).mean() * v / v.rolling(20).mean(),
        "hurst_exponent": np.log(hurst[0] / hurst[1]) / log(4),
        "return_entropy": -sum((s * np.log(s.where(s > 0))).fillna(0).where(s.notna()) for s in shares) / log(4),
        **{f"returns_ac_{k}": (r * r.shift(k)).rolling(96).sum() / (r * r).rolling(96).sum() for k in (1, 5, 10)},
    }
