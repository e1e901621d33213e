"""Consensus: how many indicators say the same.

Here: family `consensus` of `unified_240`, from columns of other families.
Not here: those columns.
"""

import numpy as np

from ml.bars import Bars
from ml.features.unified.oscillators import MACD, MACD_LINE
from ml.features.unified.series import EMA_50, WILDER_14, Column, Columns, flag, mean

NEEDS = max(MACD, MACD_LINE, EMA_50, WILDER_14)
VOTES = "rsi > 50, macd > macd_signal, c > sma_20, c > ema_50, adx_pos > adx_neg, stoch_k > stoch_d, cmf > 0, obv_normalized > 0"  # noqa: E501
COLUMNS = (
    Column("indicators_count_long", f"how many of: {VOTES}", "1", NEEDS),
    Column("indicators_count_short", "how many conditions of indicators_count_long hold with < for >", "1", NEEDS),
    Column("indicators_consensus_long", "mean indicators_count_long / 8, 4", "1", NEEDS + 3),
    Column("indicators_consensus_short", "mean indicators_count_short / 8, 4", "1", NEEDS + 3),
    Column("signal_strength", "|indicators_count_long - indicators_count_short| / 8", "1", NEEDS),
)


def compute(b: Bars, done: Columns) -> Columns:
    """Columns by name."""
    leanings = [
        done["rsi"] - 50.0,
        done["macd_diff"],
        b.close - done["sma_20"],
        b.close - done["ema_50"],
        done["adx_pos"] - done["adx_neg"],
        done["stoch_k"] - done["stoch_d"],
        done["cmf"],
        done["obv_normalized"],
    ]
    long = np.sum([flag(leaning > 0, leaning) for leaning in leanings], axis=0)
    short = np.sum([flag(leaning < 0, leaning) for leaning in leanings], axis=0)
    return {
        "indicators_count_long": long,
        "indicators_count_short": short,
        "indicators_consensus_long": mean(long, 4) / len(leanings),
        "indicators_consensus_short": mean(short, 4) / len(leanings),
        "signal_strength": np.abs(long - short) / len(leanings),
    }
