"""The predecessor's columns of one moment the slow way: lists of levels and candles, plain loops, no arrays of rows.

Here: every column that is available; in the plain form of arrays of 110 columns and the smoothed one of 112.
"""

from itertools import pairwise
from math import log, nan, sqrt
from statistics import fmean, median, pstdev

from ml.tables.schemas import SAMPLE_COLUMNS

AT = {name: k for k, name in enumerate(SAMPLE_COLUMNS)}


def snapshot(sample, instrument):
    """Bids and asks as (price, size) in currency, best first, levels that are not there left out."""
    p = 10.0**instrument.price_decimals
    q = 10.0**instrument.size_decimals
    return [
        [
            (sample[AT[f"{side}_price_{k}"]] / p, sample[AT[f"{side}_size_{k}"]] / q)
            for k in range(1, 21)
            if sample[AT[f"{side}_size_{k}"]] > 0
        ]
        for side in ("bid", "ask")
    ]


def size(levels, n):
    return sum(q for _, q in levels[:n])


def share(b, a):
    return (b - a) / (b + a)


def mid(snap):
    return (snap[0][0][0] + snap[1][0][0]) / 2


def spread(snap):
    return snap[1][0][0] - snap[0][0][0]


def depth(snap):
    return size(snap[0], 5) + size(snap[1], 5)


def orderbook(samples, i, instrument):
    """Columns 0 to 49 at sample i; None where the snapshots before are missing."""
    snaps = [snapshot(samples[k], instrument) for k in range(i, -1, -3)][:20][::-1]
    now = snaps[-1]
    bids, asks = now
    m, (b1, bq), (a1, aq) = mid(now), bids[0], asks[0]
    found = {
        "bid_ask_spread_abs": spread(now),
        "bid_ask_spread_rel": spread(now) / m * 100,
        "mid_price": m,
        "micro_price": (b1 * aq + a1 * bq) / (aq + bq),
        "effective_spread": spread(now) / m,
        "price_pressure": (size(bids, 5) * a1 - size(asks, 5) * b1) / depth(now),
        "liquidity_asymmetry": size(bids, 5) / size(asks, 5),
        "depth_imbalance_ratio": share(size(bids, 5), size(asks, 5)),
    }
    for name, levels in (("bid", bids), ("ask", asks)):
        found[f"liquidity_{name}_5"] = size(levels, 5)
        found[f"{name}_intensity"] = len(levels[:10]) / max(size(levels, 10) / len(levels[:10]), 0.001)
        for n in (5, 10):
            found[f"depth_{name}_{n}"] = size(levels, n)
            found[f"vwap_{name}_{n}"] = sum(p * q for p, q in levels[:n]) / size(levels, n)
    found |= {f"imbalance_{n}": share(size(bids, n), size(asks, n)) for n in (5, 10)}
    if len(snaps) > 1:
        found |= changes(snaps[-2], now)
    if len(snaps) >= 10:
        found["kyle_lambda"] = kyle(snaps[-10:])
    if len(snaps) >= 20:
        found |= over_twenty(snaps)
    if i >= 59:
        trade_rows = sum(samples[k][AT[f"trade_count_{who}"]] for k in range(i - 59, i + 1) for who in ("buy", "sell"))
        found["trade_arrival_rate"] = trade_rows / 60
    return found


def changes(before, now):
    net = [size(snap[0], 5) - size(snap[1], 5) for snap in (before, now)]
    flows = []
    for was, levels in zip(before, now, strict=True):
        known = dict(was[:10])
        flows.append(sum((q - known.get(p, 0.0)) / (1 + abs(p - mid(now)) / mid(now)) for p, q in levels[:10]))
    return {"volume_delta_5": net[1] - net[0], "order_flow_imbalance": flows[0] - flows[1]}


def kyle(snaps):
    steps = [
        abs(mid(b) - mid(a)) / abs(depth(b) - depth(a)) for a, b in pairwise(snaps) if abs(depth(b) - depth(a)) > 1e-9
    ]
    return median(steps) if steps else spread(snaps[-1]) / depth(snaps[-1])


def over_twenty(snaps):
    moves = [mid(b) - mid(a) for a, b in pairwise(snaps)]
    returns = [(mid(b) - mid(a)) / mid(a) for a, b in pairwise(snaps)]
    late = moves[1:]
    early = moves[:-1]
    covariance = sum((x - fmean(late)) * (y - fmean(early)) for x, y in zip(late, early, strict=True)) / 17
    return {
        "amihud_illiquidity": fmean(
            abs(r) / ((depth(a) + depth(b)) / 2) for r, (a, b) in zip(returns, pairwise(snaps), strict=True)
        ),
        "roll_spread": 2 * sqrt(-covariance) if covariance < 0 else 2 * spread(snaps[-1]) / mid(snaps[-1]),
        "orderbook_volatility": pstdev(returns),
        "spread_volatility": pstdev([spread(snap) for snap in snaps]),
    }


def ratio(a, b, otherwise):
    return a / b if b else otherwise


def typical(x):
    return (x["high"] + x["low"] + x["close"]) / 3


def candle(bars):
    """Columns 50 to 74 of the last of at least twenty candles."""
    last = bars[-1]
    before = bars[-2]
    recent = bars[-20:]
    o, h, x, c, v = (last[name] for name in ("open", "high", "low", "close", "volume"))
    reach = h - x
    body = abs(c - o)
    wick = min(o, c) - x
    volume = sum(b["volume"] for b in recent)
    spreads = [log(b["high"] / b["low"]) ** 2 for b in recent]
    terms = [s / 2 - (2 * log(2) - 1) * log(b["close"] / b["open"]) ** 2 for s, b in zip(spreads, recent, strict=True)]
    return {
        **{name: last[name] for name in ("open", "high", "low", "close", "volume")},
        "typical_price": typical(last),
        "returns": (c - before["close"]) / before["close"],
        "log_returns": log(c / before["close"]),
        "high_low_range": reach / c,
        "close_open_diff": (c - o) / o,
        "upper_shadow": ratio(h - max(o, c), reach, 0.0),
        "lower_shadow": ratio(wick, reach, 0.0),
        "body_size": ratio(body, reach, 0.0),
        "realized_volatility": pstdev([(b["close"] - a["close"]) / a["close"] for a, b in pairwise(recent)]),
        "parkinson_volatility": sqrt(fmean(spreads) / (4 * log(2))),
        "garman_klass_volatility": sqrt(fmean(terms)) if fmean(terms) >= 0 else nan,
        "volume_ma_ratio": ratio(v, volume / 20, 1.0),
        "volume_change_rate": ratio(v - before["volume"], before["volume"], 0.0),
        "volume_weighted_price": ratio(sum(typical(b) * b["volume"] for b in recent), volume, c),
        "money_flow": typical(last) * v,
        "doji_strength": 1 - body / reach if reach else 0.0,
        "hammer_strength": wick / reach * (1 - body / reach) if reach else 0.0,
        "engulfing_strength": engulfing(before, last),
        "gap_size": (o - before["close"]) / before["close"],
    }


def engulfing(a, b):
    bodies = abs(b["close"] - b["open"]) / max(abs(a["close"] - a["open"]), 0.001)
    if b["close"] > b["open"] and a["close"] < a["open"]:
        return bodies if b["close"] > a["open"] and b["open"] < a["close"] else 0.0
    if b["close"] < b["open"] and a["close"] > a["open"]:
        return -bodies if b["close"] < a["open"] and b["open"] > a["close"] else 0.0
    return 0.0


def averages(values, n, weight):
    """Mean of the first n, then each value with its weight; from the n-th value on."""
    found = [fmean(values[:n])]
    for value in values[n:]:
        found.append(value * weight + found[-1] * (1 - weight))
    return found


def ema(values, n):
    return averages(values, n, 2 / (n + 1))


def indicators(bars, smooth):
    """Columns 75 to 111 of the candles that the predecessor kept, the newest last."""
    c, h, x = ([b[name] for b in bars] for name in ("close", "high", "low"))
    line = [ema(c[: k + 1], 12)[-1] - ema(c[: k + 1], 26)[-1] for k in range(25, len(c))]
    signal = ema(line, 9)[-1] if smooth else fmean(line[-9:])
    ks = [
        ratio(100 * (c[k] - min(x[k - 13 : k + 1])), max(h[k - 13 : k + 1]) - min(x[k - 13 : k + 1]), 50.0)
        for k in range(len(c) - 3, len(c))
    ]
    deviation = pstdev(c[-20:])
    middle = fmean(c[-20:])
    atr = fmean(reaches(bars)[-14:])
    volume = sum(b["volume"] for b in bars[-20:])
    return {
        **{f"sma_{n}": fmean(c[-n:]) for n in (10, 20, 50)},
        **{f"ema_{n}": ema(c, n)[-1] for n in (10, 20, 50)},
        "macd": line[-1],
        "macd_signal": signal,
        "macd_histogram": line[-1] - signal,
        **directional(bars, smooth),
        **{f"rsi_{n}": rsi(c, n, smooth) for n in (14, 28)},
        "stochastic_k": ks[-1],
        "stochastic_d": fmean(ks) if smooth else ks[-1],
        "williams_r": ratio(-100 * (max(h[-14:]) - c[-1]), max(h[-14:]) - min(x[-14:]), -50.0),
        "cci": cci([typical(b) for b in bars[-20:]]),
        "momentum_10": (c[-1] - c[-10]) / c[-10],
        "roc": 100 * (c[-1] - c[-12]) / c[-12],
        "mfi": money(bars[-15:]),
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_middle": middle,
        "bollinger_lower": middle - 2 * deviation,
        "bollinger_width": 4 * deviation / middle,
        "bollinger_pct": ratio(c[-1] - middle + 2 * deviation, 4 * deviation, 0.5),
        "atr_14": atr,
        "keltner_upper": ema(c, 20)[-1] + 2 * atr,
        "keltner_lower": ema(c, 20)[-1] - 2 * atr,
        "vwap": ratio(sum(typical(b) * b["volume"] for b in bars[-20:]), volume, nan),
        "cmf": ratio(sum(flow(b) for b in bars[-20:]), volume, 0.0),
        "aroon_up": 100 * (1 + h[-25:].index(max(h[-25:]))) / 25,
        "aroon_down": 100 * (1 + x[-25:].index(min(x[-25:]))) / 25,
    }


def reaches(bars):
    return [
        max(b["high"] - b["low"], abs(b["high"] - a["close"]), abs(b["low"] - a["close"])) for a, b in pairwise(bars)
    ]


def directional(bars, smooth):
    plus = []
    minus = []
    for a, b in pairwise(bars):
        up = b["high"] - a["high"]
        down = a["low"] - b["low"]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    if smooth:
        smoothed = [averages(moves, 14, 1 / 14) for moves in (plus, minus, reaches(bars))]
        steps = [indexes(*step) for step in zip(*smoothed, strict=True)]
        return steps[-1][0] | {"adx": averages([dx for _, dx in steps], 14, 1 / 14)[-1]}
    found, dx = indexes(*(fmean(moves[-14:]) for moves in (plus, minus, reaches(bars))))
    return found | {"adx": dx}


def indexes(plus, minus, reach):
    up, down = (100 * moves / reach if reach > 0 else 25.0 for moves in (plus, minus))
    return {"plus_di": up, "minus_di": down}, ratio(100 * abs(up - down), up + down, 25.0)


def rsi(closes, n, smooth):
    moves = [b - a for a, b in pairwise(closes)]
    sides = [[max(sign * move, 0.0) for move in moves] for sign in (1, -1)]
    up, down = (averages(side, n, 1 / n)[-1] if smooth else fmean(side[-n:]) for side in sides)
    return 100 - 100 / (1 + up / down) if down else 100.0


def cci(prices):
    mean = fmean(prices)
    return ratio(prices[-1] - mean, 0.015 * fmean(abs(p - mean) for p in prices), 0.0)


def money(bars):
    up = sum(typical(b) * b["volume"] for a, b in pairwise(bars) if typical(b) > typical(a))
    down = sum(typical(b) * b["volume"] for a, b in pairwise(bars) if typical(b) < typical(a))
    return 100 - 100 / (1 + up / down) if down else 100.0


def flow(b):
    return ratio((b["close"] - b["low"]) - (b["high"] - b["close"]), b["high"] - b["low"], 0.0) * b["volume"]
