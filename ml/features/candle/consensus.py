"""Consensus: how many indicators say the same.

Here: family `consensus` of `unified_240`, from columns of other families.
Not here: those columns.
"""

import numpy as np

from ml.candles.bars import Bars
from ml.features.candle.indicators import mean
from ml.features.candle.series import Columns, above, flag


def compute(b: Bars, done: Columns) -> Columns:
    """Columns by name."""
    leanings = [
        done["rsi"] - 50.0,
        above(b.close + done["macd_diff"], b.close),
        above(b.close, done["sma_20"]),
        above(b.close, done["ema_50"]),
        done["adx_pos"] - done["adx_neg"],
        done["stoch_k"] - done["stoch_d"],
        done["cmf"],
        done["obv_normalized"],
    ]
    long = np.zeros_like(b.close)
    short = np.zeros_like(b.close)
    for leaning in leanings:
        long += flag(leaning > 0, leaning)
        short += flag(leaning < 0, leaning)
    return {
        "indicators_count_long": long,
        "indicators_count_short": short,
        "indicators_consensus_long": mean(long, 4) / len(leanings),
        "indicators_consensus_short": mean(short, 4) / len(leanings),
        "signal_strength": np.abs(long - short) / len(leanings),
    }
