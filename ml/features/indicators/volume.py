"""Volume: whether it goes with the price.

Here: OBV, A/D, Chaikin oscillator and money flow, MFI, VWAP, VWMA, PVT, NVI, PVI, force index, ease of movement.
Not here: sums of any array (`rolling`).

Conventions of arrays: `ml.features.indicators.rolling`. OBV, A/D, PVT, NVI and PVI add up from the first row on: their
level means nothing, only their changes do, and no settle time makes it so. A feature takes a window of them.
"""

from ml.features.indicators.averages import smooth
from ml.features.indicators.rolling import F64, blank, total
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def obv(close: F64, volume: F64, out: F64) -> None:
    """On-balance volume: volume added where the close rose and taken where it fell, from that of row 0. TA-Lib OBV."""
    out[0] = volume[0]
    now = close[1:]
    traded = volume[1:]
    kept = out[1:]
    for i in range(kept.size):
        kept[i] = traded[i] if now[i] > close[i] else (-traded[i] if now[i] < close[i] else 0.0)
    add_up(out)


@njit_no_alloc
def add_up(out: F64) -> None:
    """Each row and all before it, in place."""
    level = 0.0
    for i in range(out.size):
        level += out[i]
        out[i] = level


@njit_no_alloc
def flow(high: F64, low: F64, close: F64, volume: F64, out: F64) -> None:
    """Money flow volume: volume ((close - low) - (high - close)) / (high - low), 0 without a range. Source: Chaikin."""
    for i in range(close.size):
        reach = high[i] - low[i]
        out[i] = volume[i] * (2.0 * close[i] - low[i] - high[i]) / reach if reach > 0.0 else 0.0


@njit_no_alloc
def accumulation(high: F64, low: F64, close: F64, volume: F64, out: F64) -> None:
    """A/D line: money flow volume added up from row 0. Source: Chaikin; TA-Lib AD."""
    flow(high, low, close, volume, out)
    add_up(out)


@njit_no_alloc
def chaikin_oscillator(line: F64, fast: int, slow: int, out: F64) -> None:
    """EMA fast - EMA slow of an A/D line, both beginning with its row 0.

    Recursive, settles after `ema_settles(slow)`. Source: Chaikin; TA-Lib ADOSC.
    """
    quick = line[0]
    quiet = line[0]
    a = 2.0 / (fast + 1)
    b = 2.0 / (slow + 1)
    blank(out, slow - 1)
    for i in range(1, line.size):
        quick = a * line[i] + (1.0 - a) * quick
        quiet = b * line[i] + (1.0 - b) * quiet
        if i >= slow - 1:
            out[i] = quick - quiet


@njit_no_alloc
def cmf(high: F64, low: F64, close: F64, volume: F64, n: int, spare: F64, out: F64) -> None:
    """Chaikin money flow: money flow volume / volume, each summed over n rows. Source: Chaikin."""
    flow(high, low, close, volume, out)
    total(out, n, spare)
    total(volume, n, out)
    for i in range(close.size):
        out[i] = spare[i] / out[i]


@njit_no_alloc
def mfi(typical: F64, volume: F64, n: int, rises: F64, moves: F64, out: F64) -> None:
    """Money flow index: 100 P / (P + N), sums over n rows of typical price x volume where it rose and where it fell.

    `rises` and `moves` are overwritten. Source: Quong & Soudack 1989; TA-Lib MFI, which gives 0 where P + N < 1.
    """
    moves[0] = 0.0
    now = typical[1:]
    traded = volume[1:]
    kept = moves[1:]
    for i in range(kept.size):
        kept[i] = now[i] * traded[i] if now[i] != typical[i] else 0.0
    total(moves, n, out)
    for i in range(kept.size):
        kept[i] = kept[i] if now[i] > typical[i] else 0.0
    total(moves, n, rises)
    for i in range(typical.size):
        out[i] = 100.0 * rises[i] / out[i]
    blank(out, n)


@njit_no_alloc
def vwap(turnover: F64, volume: F64, n: int, spare: F64, out: F64) -> None:
    """Volume-weighted average price: turnover / volume, each summed over n rows. VWMA for turnover = close x volume."""
    total(turnover, n, spare)
    total(volume, n, out)
    for i in range(volume.size):
        out[i] = spare[i] / out[i]


@njit_no_alloc
def pvt(close: F64, volume: F64, out: F64) -> None:
    """Price-volume trend: volume x return, added up from row 1. Source: as by StockCharts; VPT is the same."""
    out[0] = 0.0
    now = close[1:]
    traded = volume[1:]
    kept = out[1:]
    for i in range(kept.size):
        kept[i] = traded[i] * (now[i] / close[i] - 1.0)
    add_up(out)


@njit_no_alloc
def volume_index(close: F64, volume: F64, sign: float, start: float, out: F64) -> None:
    """Negative (sign -1) or positive (+1) volume index: compounds the return of rows whose volume fell or rose.

    Source: Fosback 1976 (NVI, PVI), from `start`.
    """
    level = out[0] = start
    for i in range(1, close.size):
        if sign * (volume[i] - volume[i - 1]) > 0.0:
            level *= close[i] / close[i - 1]
        out[i] = level


@njit_no_alloc
def force(close: F64, volume: F64, n: int, spare: F64, out: F64) -> None:
    """Force index: EMA of volume x change. Recursive, settles after `ema_settles(n) + 1`. Source: Elder 1993."""
    spare[0] = 0.0
    now = close[1:]
    traded = volume[1:]
    kept = spare[1:]
    for i in range(kept.size):
        kept[i] = traded[i] * (now[i] - close[i])
    smooth(spare, n, 2.0 / (n + 1), 1, out)


@njit_no_alloc
def ease(high: F64, low: F64, volume: F64, out: F64) -> None:
    """Ease of movement: change of the middle x range / volume, price^2 per volume. Source: Arms."""
    blank(out, 1)
    top = high[1:]
    bottom = low[1:]
    traded = volume[1:]
    kept = out[1:]
    for i in range(kept.size):
        moved = (top[i] + bottom[i] - high[i] - low[i]) / 2.0
        kept[i] = moved * (top[i] - bottom[i]) / traded[i]
