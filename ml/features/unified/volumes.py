"""Volume: how much was traded, on which side the price says, and what it moved.

Here: family `volume` of `unified_240`. Candles know no aggressor: sides are guessed from the price, as the
authors of the names did, and the formulas say so.
Not here: order flow of the book (`ml.features.order_flow`).
"""

import numpy as np

from ml.bars import F64, Bars
from ml.features.indicators.volume import cmf
from ml.features.unified.series import (
    DAY,
    HOUR,
    WEEK,
    Column,
    Columns,
    back,
    flag,
    mean,
    normal_share,
    rank,
    returns,
    room,
    sd,
    signed_volume,
    total,
)

WINDOWS = (4, 8, 12, 24)
"""Hours over which volume is summed."""
COLUMNS = (
    Column("volume", "v", "base"),
    Column("turnover", "q", "quote"),
    Column("volume_ratio", "v / mean v, 20", "1", 20),
    Column("turnover_ratio", "q / mean q, 20", "1", 20),
    Column("volume_zscore", "(v - mean v) / sd v, 20", "1", 20),
    Column("volume_spike", "volume_ratio > 2", "flag", 20),
    Column("volume_spike_magnitude", "max(volume_ratio - 2, 0)", "1", 20),
    *(Column(f"volume_cumsum_{h}h", f"sum v, {h} h", "base", h * HOUR) for h in WINDOWS),
    *(Column(f"volume_cumsum_{h}h_ratio", f"mean v of {h} h / mean v of 7 days", "1", WEEK) for h in WINDOWS),
    Column("dollar_volume", "ln(1 + q)", "ln quote"),
    Column("accumulation_distribution", "sum of v ((c - l) - (h - c)) / (h - l) / sum v, 96", "1", DAY),
    Column("cmf", "sum of v ((c - l) - (h - c)) / (h - l) / sum v, 20", "1", 20),
    Column("obv", "sum s / sum v, 96, s = v sign(c - c_1)", "1", DAY + 1),
    Column("obv_ema", "mean obv, 20", "1", DAY + 20),
    Column("obv_trend", "obv - obv_ema", "1", DAY + 20),
    Column("obv_normalized", "sum s / sum v, 20", "1", 21),
    Column("obv_divergence", "sign(obv_normalized) - sign(c - c_20)", "1", 21),
    Column("price_direction", "sign(c - c_1)", "1", 2),
    Column("directed_volume", "s = v sign(c - c_1)", "base", 2),
    Column("volume_imbalance", "sum s / sum v, 10", "1", 11),
    Column("ofi_persistence", "sum s s_1 / sum s^2, 20", "1", 22),
    Column("vpin", "mean |B - S| / mean v, 50; B = v Phi((c - c_1) / sd of it, 50), S = v - B", "1", 100),
    Column("price_impact", "1e4 |r| / (q / mean q of 96)", "bps", DAY),
    Column("price_impact_log", "ln(1 + price_impact)", "1", DAY),
    Column("toxicity", "mean price_impact, 20", "bps", DAY + 19),
    Column("amihud_illiquidity", "1e6 |r| / q", "1 / M quote", 2),
    Column("amihud_ma", "mean amihud_illiquidity, 20", "1 / M quote", 21),
    Column("kyle_lambda", "1e4 sum r s / sum s^2 mean v, 20: slope of the return on the sided volume", "bps", 21),
    Column("liquidity_adj_returns", "r volume_ratio", "1", 20),
    Column("volume_volatility_ratio", "volume_ratio / ((h - l) / mean (h - l), 20)", "1", 20),
    Column("volatility_volume_ratio", "sd r, 20 / volume_ratio", "1", 21),
    Column("liquidity_score", "ln(mean q of 20 / mean q of 7 days)", "1", WEEK),
    Column("liquidity_rank", "share of the 96 candles before with less turnover", "1", DAY + 1),
    Column("funding_proxy", "1e4 (c sum v / sum q - 1), 8 h: premium over what was paid", "bps", 8 * HOUR),
)


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    usual = mean(b.volume, 20)
    ratio = b.volume / usual
    return (
        {
            "volume": b.volume,
            "turnover": b.turnover,
            "volume_ratio": ratio,
            "turnover_ratio": b.turnover / mean(b.turnover, 20),
            "volume_zscore": (b.volume - usual) / sd(b.volume, 20),
            "volume_spike": flag(ratio > 2, ratio),
            "volume_spike_magnitude": np.maximum(ratio - 2.0, 0.0),
        }
        | _sums(b)
        | _pressure(b)
        | _sides(b)
        | _impact(b, ratio)
    )


def _sums(b: Bars) -> Columns:
    out: Columns = {}
    week = mean(b.volume, WEEK)
    for h in WINDOWS:
        out[f"volume_cumsum_{h}h"] = total(b.volume, h * HOUR)
        out[f"volume_cumsum_{h}h_ratio"] = out[f"volume_cumsum_{h}h"] / (h * HOUR) / week
    paid, traded = total(b.turnover, 8 * HOUR), total(b.volume, 8 * HOUR)
    usual = mean(b.turnover, WEEK)
    return out | {
        "dollar_volume": np.log1p(b.turnover),
        "funding_proxy": 1e4 * (b.close * traded / paid - 1.0),
        "liquidity_score": np.log(mean(b.turnover, 20) / usual),
        "liquidity_rank": rank(b.turnover, DAY),
    }


def _pressure(b: Bars) -> Columns:
    line, short, spare = room(b.close, 3)
    cmf(b.high, b.low, b.close, b.volume, DAY, spare, line)
    cmf(b.high, b.low, b.close, b.volume, 20, spare, short)
    sided = signed_volume(b)
    obv, recent = total(sided, DAY) / total(b.volume, DAY), total(sided, 20) / total(b.volume, 20)
    smooth = mean(obv, 20)
    return {
        "accumulation_distribution": line,
        "cmf": short,
        "obv": obv,
        "obv_ema": smooth,
        "obv_trend": obv - smooth,
        "obv_normalized": recent,
        "obv_divergence": np.sign(recent) - np.sign(b.close - back(b.close, 20)),
    }


def _sides(b: Bars) -> Columns:
    sided = signed_volume(b)
    step = b.close - back(b.close, 1)
    lean = normal_share(step / sd(step, 50))
    squares = total(sided * sided, 20)
    return {
        "price_direction": np.sign(step),
        "directed_volume": sided,
        "volume_imbalance": total(sided, 10) / total(b.volume, 10),
        "ofi_persistence": total(sided * back(sided, 1), 20) / squares,
        "vpin": mean(b.volume * np.abs(lean), 50) / mean(b.volume, 50),
        "kyle_lambda": 1e4 * total(returns(b) * sided, 20) / squares * mean(b.volume, 20),
    }


def _impact(b: Bars, ratio: F64) -> Columns:
    moved, spread = np.abs(returns(b)), b.high - b.low
    impact = 1e4 * moved / (b.turnover / mean(b.turnover, DAY))
    illiquidity = 1e6 * moved / b.turnover
    return {
        "price_impact": impact,
        "price_impact_log": np.log1p(impact),
        "toxicity": mean(impact, 20),
        "amihud_illiquidity": illiquidity,
        "amihud_ma": mean(illiquidity, 20),
        "liquidity_adj_returns": returns(b) * ratio,
        "volume_volatility_ratio": ratio / (spread / mean(spread, 20)),
        "volatility_volume_ratio": sd(returns(b), 20) / ratio,
    }
