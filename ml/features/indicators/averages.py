"""Recursive averages and what follows from them.

Here: EMA, Wilder's smoothing, MACD, PPO, TRIX.
Not here: windows (`rolling`), oscillators (`momentum`), settle times (`settle`).

Conventions of arrays: `ml.features.indicators.rolling`. A recursive average starts
with the mean of its first n values and remembers it for ever, ever less: `ml.features.indicators.settle`.
"""

from ml.features.indicators.rolling import F64, blank
from ml.market.book.compiled import njit_no_alloc


@njit_no_alloc
def smooth(x: F64, n: int, weight: float, first: int, out: F64) -> None:
    """Y = weight x + (1 - weight) y from row first + n - 1 on, which is the mean of the n values up to it.

    `out` may be x.
    """
    begun = x[first : first + n]
    y = 0.0
    for i in range(begun.size):
        y += begun[i]
    blank(out, first + n - 1)
    if begun.size == n:
        out[first + n - 1] = y / n
        follow(x[first + n :], weight, y / n, out[first + n :])


@njit_no_alloc
def follow(x: F64, weight: float, before: float, out: F64) -> None:
    """Y = weight x + (1 - weight) y, which is `before` in the row before the first.

    Four rows at a time, so that each waits for the one four rows before it alone: y_t+k is what the k values say by
    themselves, and (1 - weight)^k y_t.
    """
    rest = 1.0 - weight
    y = before
    whole = out.size // 4 * 4
    square = rest * rest
    cube = square * rest
    for i in range(0, whole, 4):
        a = weight * x[i]
        b = weight * x[i + 1] + rest * a
        c = weight * x[i + 2] + rest * b
        d = weight * x[i + 3] + rest * c
        out[i] = a + rest * y
        out[i + 1] = b + square * y
        out[i + 2] = c + cube * y
        y = d + cube * rest * y
        out[i + 3] = y
    own = 0.0
    power = 1.0
    for i in range(whole, out.size):
        own = weight * x[i] + rest * own
        power = power * rest
        out[i] = own + power * y


@njit_no_alloc
def ema(x: F64, n: int, out: F64) -> None:
    """Exponential moving average, weight 2 / (n + 1). Recursive, settles after `ema_settles(n)`. Source: TA-Lib EMA."""
    smooth(x, n, 2.0 / (n + 1), 0, out)


@njit_no_alloc
def wilder(x: F64, n: int, out: F64) -> None:
    """Wilder's smoothing, weight 1 / n. Recursive, settles after `wilder_settles(n)`. Source: Wilder 1978."""
    smooth(x, n, 1.0 / n, 0, out)


@njit_no_alloc
def macd(x: F64, fast: int, slow: int, signal: int, line: F64, trigger: F64, histogram: F64) -> None:
    """MACD: EMA fast - EMA slow, its EMA of `signal`, and the difference of both.

    Both averages begin in the row slow - 1. Recursive, settles after `ema_settles(slow) + ema_settles(signal)`. Source:
    Appel; TA-Lib MACD.
    """
    smooth(x, slow, 2.0 / (slow + 1), 0, trigger)
    smooth(x, fast, 2.0 / (fast + 1), slow - fast, line)
    for i in range(x.size):
        line[i] -= trigger[i]
    smooth(line, signal, 2.0 / (signal + 1), slow - 1, trigger)
    for i in range(x.size):
        histogram[i] = line[i] - trigger[i]


@njit_no_alloc
def ppo(x: F64, fast: int, slow: int, spare: F64, out: F64) -> None:
    """Percentage price oscillator: 100 (EMA fast / EMA slow - 1). Settles after `ema_settles(slow)`.

    Source: TA-Lib PPO, matype 1.
    """
    smooth(x, slow, 2.0 / (slow + 1), 0, spare)
    smooth(x, fast, 2.0 / (fast + 1), 0, out)
    for i in range(x.size):
        out[i] = 100.0 * (out[i] / spare[i] - 1.0)


@njit_no_alloc
def trix(x: F64, n: int, spare: F64, out: F64) -> None:
    """100 times the rate of change of an EMA of an EMA of an EMA of n.

    Recursive, settles after `3 ema_settles(n)`. Source: Hutson; TA-Lib TRIX.
    """
    weight = 2.0 / (n + 1)
    smooth(x, n, weight, 0, out)
    smooth(out, n, weight, n - 1, spare)
    smooth(spare, n, weight, 2 * n - 2, spare)
    blank(out, 1)
    now = spare[1:]
    kept = out[1:]
    for i in range(kept.size):
        kept[i] = 100.0 * (now[i] / spare[i] - 1.0)
