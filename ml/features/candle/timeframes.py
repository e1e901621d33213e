"""The same indicators on candles of one and four hours, as of the last closed one.

Here: family `timeframes` of `unified_240`. A coarse candle counts from its close on, never while it is open, and exists
only where all its fine ones are known. No recursive indicator is among them: a settled RSI of Wilder over four-hour
candles would take two months without a gap.
Not here: candles of other lengths as a table (`ml.candles.from_trades.resample`).
"""

import numpy as np

from ml.candles.bars import Bars
from ml.features.candle.columns import FRAMES, OWN
from ml.features.candle.series import Columns, above, back, bottom, change, first_of, mean, room, sd, top, total
from ml.features.indicators import momentum
from ml.features.indicators.volatility import bollinger, true_range
from ml.features.indicators.volume import cmf, mfi


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
    rsi, high, low, k, d, cci, roc, reach, up, down, ratio, flow, index, spare, third = room(b.close, 15)
    line = mean(b.close, 20)
    momentum.window_rsi(b.close, 14, spare, rsi)
    bollinger(b.close, 20, 2.0, high, third, low)
    momentum.stochastic(b.high, b.low, b.close, 14, 3, 3, k, d)
    momentum.cci(b.typical, 20, spare, cci)
    momentum.roc(b.close, 12, roc)
    true_range(b.high, b.low, b.close, reach)
    momentum.aroon(b.high, b.low, 25, up, down)
    momentum.efficiency(b.close, 10, spare, ratio)
    cmf(b.high, b.low, b.close, b.volume, 20, spare, flow)
    mfi(b.typical, b.volume, 14, spare, third, index)
    return {
        "": np.sign(above(b.close, line)),
        "_strength": change(line, 5),
        "close_sma_20_ratio": b.close / line,
        "rsi": rsi,
        "bb_position": (b.close - low) / (high - low),
        "bb_width": (high - low) / line,
        "stoch_k": k,
        "cci": cci,
        "roc": roc,
        "atr_pct": mean(reach, 14) / b.close,
        "aroon_oscillator": up - down,
        "efficiency_ratio": ratio,
        "cmf": flow,
        "mfi": index,
        "volume_ratio": b.volume / mean(b.volume, 20),
        "close_position": (b.close - b.low) / (b.high - b.low),
        "volatility": sd(change(b.close, 1), 20),
    }
