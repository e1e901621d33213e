"""Thirty common indicators of a million candles: ours against TA-Lib and `ta`, on the same candles.

TA-Lib and `ta` make new arrays in each run. Ours write into arrays that they are given: into new ones each time, and
into such as a loop over instruments would keep. Time is that of the processor, so that a busy machine counts less.
`ta` is given 20 000 of the candles: it needs half a minute for all.
"""

from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import talib

from ml.features.indicators import averages, extremes, momentum, rolling, trend, volatility, volume
from tests.benchmarks import peers
from tests.support.candles import walk

ROWS = 1_000_000
TA_ROWS = 20_000
RUNS = 5
ARRAYS = 30
NEW = "compiled indicators"
KEPT = "compiled indicators, arrays kept"
PEER = """
import json, sys, time, warnings
import numpy as np, pandas as pd
from ta import momentum as m, trend as t, volatility as v, volume as w
warnings.simplefilter("ignore")
o, h, l, c, q = (pd.Series(x) for x in np.load(sys.argv[1]))
def thirty():
    macd, adx = t.MACD(c), t.ADXIndicator(h, l, c)
    k, b, a = m.StochasticOscillator(h, l, c), v.BollingerBands(c), t.AroonIndicator(h, l)
    d = v.DonchianChannel(h, l, c)
    return [t.SMAIndicator(c, 20).sma_indicator(), t.EMAIndicator(c, 20).ema_indicator(), t.WMAIndicator(c, 20).wma(),
        m.RSIIndicator(c).rsi(), macd.macd(), macd.macd_signal(), macd.macd_diff(),
        v.AverageTrueRange(h, l, c).average_true_range(), adx.adx(), adx.adx_pos(), adx.adx_neg(),
        k.stoch(), k.stoch_signal(), m.WilliamsRIndicator(h, l, c).williams_r(), t.CCIIndicator(h, l, c).cci(),
        w.MFIIndicator(h, l, c, q).money_flow_index(), b.bollinger_hband(), b.bollinger_mavg(), b.bollinger_lband(),
        a.aroon_up(), a.aroon_down(), w.OnBalanceVolumeIndicator(c, q).on_balance_volume(),
        w.AccDistIndexIndicator(h, l, c, q).acc_dist_index(), m.ROCIndicator(c).roc(), c.diff(10),
        t.TRIXIndicator(c).trix(), m.UltimateOscillator(h, l, c).ultimate_oscillator(), t.PSARIndicator(h, l, c).psar(),
        d.donchian_channel_hband(), d.donchian_channel_lband()]
times = []
for _ in range(int(sys.argv[2])):
    started = time.process_time(); thirty(); times.append(time.process_time() - started)
print(json.dumps(times))
"""


def measure(rows: int = ROWS, runs: int = RUNS, with_ta: bool = True) -> dict[str, float]:
    """Rows per second of each contender, thirty arrays each, medians over interleaved runs; `ta` if it installs."""
    candles = walk(rows)
    ours(*walk(1_000))  # compiles
    kept = list(np.zeros((ARRAYS, rows)))
    contenders = {NEW: ours, KEPT: lambda *given: ours(*given, kept), "TA-Lib": theirs}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            started = process_time()
            contender(*candles)
            times[name].append(process_time() - started)
    check(walk(5_000))
    measured = {name: rows / float(np.median(taken)) for name, taken in times.items()}
    return measured | (_ta() if with_ta else {})


def _ta() -> dict[str, float]:
    """The rate of `ta`, in an environment of its own; nothing if it does not install."""
    try:
        python = peers.python_of("ta", "ta==0.11.0", "pandas<3")
        with TemporaryDirectory() as folder:
            np.save(f"{folder}/candles.npy", np.array(walk(TA_ROWS)))
            taken = peers.times(python, PEER, f"{folder}/candles.npy", "3")
    except peers.Unreachable as error:
        print(f"ta: skipped: {error}")
        return {}
    return {"ta": TA_ROWS / float(np.median(taken))}


def ours(o, h, x, c, v, kept=None) -> list[np.ndarray]:
    """Thirty arrays: kept ones, or new ones, each by itself as TA-Lib makes them.

    What is worked in are those that are written last.
    """
    r = [np.empty(c.size) for _ in range(ARRAYS)] if kept is None else kept
    spare = [r[25], r[27], r[28], r[29]]
    typical = np.add(h, x, out=r[29])
    typical += c
    typical /= 3
    rolling.sma(c, 20, r[0])
    averages.ema(c, 20, r[1])
    rolling.weighted(c, 20, r[2])
    momentum.rsi(c, 14, r[3])
    averages.macd(c, 12, 26, 9, r[4], r[5], r[6])
    volatility.atr(h, x, c, 14, spare[0], r[7])
    trend.directional(h, x, c, 14, r[9], r[10], r[8])
    momentum.stochastic(h, x, c, 14, 3, 3, r[11], r[12])
    momentum.williams_r(h, x, c, 14, spare[0], r[13])
    momentum.cci(typical, 20, spare[0], r[14])
    volume.mfi(typical, v, 14, spare[0], spare[1], r[15])
    volatility.bollinger(c, 20, 2.0, r[16], r[17], r[18])
    momentum.aroon(h, x, 25, r[19], r[20])
    volume.obv(c, v, r[21])
    volume.accumulation(h, x, c, v, r[22])
    momentum.roc(c, 12, r[23])
    momentum.momentum(c, 10, r[24])
    momentum.ultimate(h, x, c, 7, *spare, r[26])
    averages.trix(c, 15, r[27], r[25])
    trend.parabolic(h, x, 0.02, 0.2, r[27])
    extremes.highest(h, 20, r[28])
    extremes.lowest(x, 20, r[29])
    return r


def theirs(o, h, x, c, v) -> list[np.ndarray]:
    """The same by TA-Lib, in the same order."""
    down, up = talib.AROON(h, x, 25)
    out = [talib.SMA(c, 20), talib.EMA(c, 20), talib.WMA(c, 20), talib.RSI(c, 14), *talib.MACD(c)]
    out += [talib.ATR(h, x, c, 14), talib.ADX(h, x, c, 14), talib.PLUS_DI(h, x, c, 14), talib.MINUS_DI(h, x, c, 14)]
    out += [*talib.STOCH(h, x, c, 14, 3, 0, 3, 0), talib.WILLR(h, x, c, 14), talib.CCI(h, x, c, 20)]
    out += [talib.MFI(h, x, c, v, 14), *talib.BBANDS(c, 20, 2, 2), up, down, talib.OBV(c, v), talib.AD(h, x, c, v)]
    out += [talib.ROC(c, 12), talib.MOM(c, 10), talib.TRIX(c, 15), talib.ULTOSC(h, x, c), talib.SAR(h, x, 0.02, 0.2)]
    return [*out, talib.MAX(h, 20), talib.MIN(x, 20)]


def check(candles) -> None:
    """Both give the same."""
    for mine, other in zip(ours(*candles), theirs(*candles), strict=True):
        np.testing.assert_allclose(mine[100:], other[100:], rtol=1e-8, atol=1e-8)
