"""The same indicators on candles of one and four hours, as of the last closed one.

Here: family `timeframes` of `unified_240`. A coarse candle counts from its close on, never while it is open, and exists
only where all its fine ones are known. No recursive indicator is among them: a settled RSI of Wilder over four-hour
candles would take two months without a gap.
Not here: candles of other lengths as a table (`ml.candles.from_trades.resample`).
"""

import numpy as np

from ml.candles.bars import Bars
from ml.features.candle import indicators as of
from ml.features.candle.columns import FRAMES, OWN
from ml.features.candle.indicators import bottom, mean, sd, top, total
from ml.features.candle.series import Columns, above, back, change, first_of


def compute(b: Bars, _done: Columns) -> Columns:
    """Columns by name."""
    out: Columns = {}
    for name, k in FRAMES.items():
        first = first_of(b.ts, k)
        coarse = coarser(b, first, k)
        closed = np.maximum((np.arange(b.ts.size) - first + 1) // k, 0)
        for own, values in _columns(coarse).items():
            known = np.append(np.nan, values)[closed]
            out[f"trend_{name}{own}" if own in ("", "_strength") else f"{own}_{name}"] = known
    return out


def coarser(b: Bars, first: int, k: int) -> Bars:
    """Candles of k candles each, the first of them in row `first`; what is left over at the end is not closed."""
    begun = slice(first, None)
    closes = slice(k - 1, None, k)
    windows = (
        back(b.open[begun], k - 1),
        top(b.high[begun], k),
        bottom(b.low[begun], k),
        b.close[begun],
        total(b.volume[begun], k),
        total(b.turnover[begun], k),
    )
    return Bars(b.ts[begun][closes], *(np.ascontiguousarray(x[closes]) for x in windows))


def _columns(b: Bars) -> Columns:
    if not b.ts.size:
        return dict.fromkeys(("", "_strength", *(own for own, *_ in OWN)), b.close)
    line = mean(b.close, 20)
    width = 2.0 * sd(b.close, 20)
    up, down = of.aroon(b, 25)
    return {
        "": np.sign(above(b.close, line)),
        "_strength": change(line, 5),
        "close_sma_20_ratio": b.close / line,
        "rsi": of.window_rsi(b.close, 14),
        "bb_position": (b.close - line + width) / (2.0 * width),
        "bb_width": 2.0 * width / line,
        "stoch_k": mean(of.stochastic(b, 14), 3),
        "cci": of.cci(b.typical, 20),
        "roc": 100.0 * change(b.close, 12),
        "atr_pct": mean(of.true_range(b), 14) / b.close,
        "aroon_oscillator": up - down,
        "efficiency_ratio": of.efficiency(b.close, 10),
        "cmf": of.cmf(b, 20),
        "mfi": of.mfi(b, 14),
        "volume_ratio": b.volume / mean(b.volume, 20),
        "close_position": (b.close - b.low) / (b.high - b.low),
        "volatility": sd(change(b.close, 1), 20),
    }
