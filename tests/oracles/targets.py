"""The 20 targets, candle by candle.

Here: a function of lists of close, high, low, in which None stands for a candle that is not known.
"""

HORIZONS = {"15m": 1, "1h": 4, "4h": 16, "12h": 48}
FLAT = {"15m": 0.0015, "1h": 0.003, "4h": 0.007, "12h": 0.01}


def targets(close, high, low):
    """One dict a candle; a target that is not known is not in it."""
    return [one(close, high, low, i) for i in range(len(close))]


def one(close, high, low, i):
    found = {}
    for name, n in HORIZONS.items():
        after = range(i + 1, i + n + 1)
        if i + n >= len(close) or any(close[k] is None for k in (i, *after)):
            continue
        now = close[i]
        top = max(high[k] for k in after)
        bottom = min(low[k] for k in after)
        change = close[i + n] / now - 1
        found[f"future_return_{name}"] = change
        found[f"direction_{name}"] = 2 if change > FLAT[name] else 0 if change < -FLAT[name] else 1
        for x in {"4h": (1, 2), "12h": (3, 5)}.get(name, ()):
            found[f"long_will_reach_{x}pct_{name}"] = int(top / now - 1 >= x / 100)
            found[f"short_will_reach_{x}pct_{name}"] = int(1 - bottom / now >= x / 100)
        if name in ("1h", "4h"):
            found[f"max_drawdown_{name}"] = now / bottom - 1
            found[f"max_rally_{name}"] = top / now - 1
    return found
