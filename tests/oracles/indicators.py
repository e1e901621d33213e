"""Indicators, written out: each value of a window from the window alone, each recursion from the first row.

Here: what TA-Lib has not.
"""

import itertools
from math import log, nan, sqrt


def windows(n, *columns):
    """The last n values of each column by row, None where there are fewer."""
    for i in range(len(columns[0])):
        yield tuple(c[i - n + 1 : i + 1] for c in columns) if i + 1 >= n else None


def over(n, value, *columns):
    """A function of the last n values of each column, by row."""
    return [nan if window is None else value(*window) for window in windows(n, *columns)]


def share(a, b):
    return a / b if b else nan


def window_rsi(close, n):
    def value(c):
        moves = [after - before for before, after in itertools.pairwise(c)]
        rises = sum(m for m in moves if m > 0)
        return 100 * share(rises, rises - sum(m for m in moves if m < 0))

    return over(n + 1, value, close)


def efficiency(close, n):
    def value(c):
        return share(abs(c[-1] - c[0]), sum(abs(b - a) for a, b in itertools.pairwise(c)))

    return over(n + 1, value, close)


def donchian(high, low, n):
    return over(n + 1, lambda h: max(h[:-1]), high), over(n + 1, lambda x: min(x[:-1]), low)


def parkinson(high, low, n):
    def value(h, x):
        return sqrt(sum(log(a / b) ** 2 for a, b in zip(h, x, strict=True)) / (4 * n * log(2)))

    return over(n, value, high, low)


def garman_klass(o, h, x, c, n):
    def value(*rows):
        terms = [
            log(high / low) ** 2 / 2 - (2 * log(2) - 1) * log(close / opened) ** 2
            for opened, high, low, close in zip(*rows, strict=True)
        ]
        return sqrt(sum(terms) / n) if sum(terms) >= 0 else nan

    return over(n, value, o, h, x, c)


def flows(high, low, close, volume):
    rows = zip(high, low, close, volume, strict=True)
    return [v * ((c - x) - (h - c)) / (h - x) if h > x else 0.0 for h, x, c, v in rows]


def cmf(high, low, close, volume, n):
    return over(n, lambda f, v: share(sum(f), sum(v)), flows(high, low, close, volume), volume)


def mfi(typical, volume, n):
    def value(p, v):
        up = sum(v[k] * p[k] for k in range(1, n + 1) if p[k] > p[k - 1])
        down = sum(v[k] * p[k] for k in range(1, n + 1) if p[k] < p[k - 1])
        return 100 * share(up, up + down)

    return over(n + 1, value, typical, volume)


def vwap(turnover, volume, n):
    return over(n, lambda q, v: share(sum(q), sum(v)), turnover, volume)


def pvt(close, volume):
    level = 0.0
    out = [0.0]
    for before, after, v in zip(close, close[1:], volume[1:], strict=False):
        level += v * (after - before) / before
        out.append(level)
    return out


def volume_index(close, volume, sign, start):
    out = [start]
    for i in range(1, len(close)):
        counts = volume[i] < volume[i - 1] if sign < 0 else volume[i] > volume[i - 1]
        out.append(out[-1] * (close[i] / close[i - 1] if counts else 1.0))
    return out


def force(close, volume, n):
    raw = [v * (b - a) for a, b, v in zip(close, close[1:], volume[1:], strict=False)]
    mean = sum(raw[:n]) / n
    out = [nan] * n
    for k, value in enumerate(raw[n - 1 :]):
        mean = mean if k == 0 else mean + 2 / (n + 1) * (value - mean)
        out.append(mean)
    return out


def ease(high, low, volume):
    out = [nan]
    for i in range(1, len(high)):
        out.append(((high[i] + low[i]) / 2 - (high[i - 1] + low[i - 1]) / 2) * (high[i] - low[i]) / volume[i])
    return out


def keltner(middle, atr, width):
    pairs = list(zip(middle, atr, strict=True))
    return [m + width * a for m, a in pairs], [m - width * a for m, a in pairs]
