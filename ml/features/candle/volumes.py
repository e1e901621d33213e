"""Volume: how much was traded, on which side the price says, and what it moved.

Here: family `volume` of `unified_240`. Candles know no aggressor: sides are guessed from the price, as the
authors of the names did, and the formulas say so.
Not here: order flow of the book (`ml.features.tick.order_flow`).
"""

import numpy as np

from ml.candles.bars import F64, Bars
from ml.features.candle.columns import DAY, HOUR, WEEK, WINDOWS
from ml.features.candle.indicators import cmf, mean, normal_share, rank, sd, total
from ml.features.candle.series import Columns, back, flag, returns, signed_volume


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
    paid = total(b.turnover, 8 * HOUR)
    traded = total(b.volume, 8 * HOUR)
    usual = mean(b.turnover, WEEK)
    return out | {
        "dollar_volume": np.log1p(b.turnover),
        "funding_proxy": 1e4 * (b.close * traded / paid - 1.0),
        "liquidity_score": np.log(mean(b.turnover, 20) / usual),
        "liquidity_rank": rank(b.turnover, DAY),
    }


def _pressure(b: Bars) -> Columns:
    sided = signed_volume(b)
    obv = total(sided, DAY) / total(b.volume, DAY)
    recent = total(sided, 20) / total(b.volume, 20)
    smooth = mean(obv, 20)
    return {
        "accumulation_distribution": cmf(b, DAY),
        "cmf": cmf(b, 20),
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
    moved = np.abs(returns(b))
    spread = b.high - b.low
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
