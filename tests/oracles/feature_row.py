"""Every feature of one sample the slow way: whole windows, NumPy and plain loops, no running sum, no state.

Each takes `t`, the samples up to and with the one in question as a dictionary of columns.
"""

from math import cos, exp, log, log1p, pi, sin, sqrt

import numpy as np

from ml.tables.schemas import SAMPLE_COLUMNS
from tests.oracles.feature_minutes import candles, ratio

BANDS = ("touch", "2bps", "5bps", "10bps", "20bps")


def columns(samples, i):
    """Samples up to row i by column, as floats (integers below 2^53 are exact)."""
    return {name: samples[: i + 1, k].astype(float) for k, name in enumerate(SAMPLE_COLUMNS)}


def row(samples, i, tick):
    """Feature id to value; what has no value is None."""
    t = columns(samples, i)
    run = min(int(t["valid_run"][-1]), 1800, i + 1)
    best = np.concatenate([t["bid_size_1"][-run:], t["ask_size_1"][-run:]])
    s = float(np.median(best)) if run >= 60 else float("nan")
    traded = min(run, int(t["trades_run"][-1]))
    return book(t, s, tick) | flow(t, s, traded) | trades(t, s, traded) | price(t) | candles(t) | context(t)


# book ---------------------------------------------------------------------------------------------------------------
def ladder(t, side):
    pairs = [(t[f"{side}_price_{k}"][-1], t[f"{side}_size_{k}"][-1]) for k in range(1, 21)]
    return [(p, q) for p, q in pairs if q > 0]


def share(b, a):
    return (b - a) / (b + a)


def book(t, s, tick):
    sides = {side: ladder(t, side) for side in ("bid", "ask")}
    (b1, bq), (a1, aq) = sides["bid"][0], sides["ask"][0]
    m = (a1 + b1) / 2
    near = {
        (side, x): [(p, q) for k, (p, q) in enumerate(levels) if k == 0 or 1e4 * abs(p - m) <= x * m * (1 + 1e-15)]
        for side, levels in sides.items()
        for x in (2, 5, 10, 20)
    }
    size = {key: sum(q for _, q in levels) for key, levels in near.items()}
    first = {(side, n): sum(q for _, q in levels[:n]) for side, levels in sides.items() for n in (1, 3, 5, 10)}
    vwap = {side: sum(p * q for p, q in lv[:5]) / sum(q for _, q in lv[:5]) for side, lv in sides.items()}
    found = {
        "spread_ticks": (a1 - b1) / tick,
        "spread_bps": 1e4 * (a1 - b1) / m,
        "micro_dev_bps": 1e4 * ((b1 * aq + a1 * bq) / (aq + bq) - m) / m,
        "vwmid5_dev_bps": 1e4 * ((vwap["bid"] + vwap["ask"]) / 2 - m) / m,
        **{f"qi_{n}": share(first["bid", n], first["ask", n]) for n in (1, 3, 5, 10)},
        **{f"qi_{x}bps": share(size["bid", x], size["ask", x]) for x in (2, 5, 10, 20)},
    }
    for side, levels in sides.items():
        wall = max(q for _, q in near[side, 20])
        at = next(p for p, q in near[side, 20] if q == wall)
        shares = np.array([q for _, q in levels[:10]]) / sum(q for _, q in levels[:10])
        found |= {
            f"depth_{side}_5": log1p(first[side, 5] / s),
            f"depth_{side}_20bps": log1p(size[side, 20] / s),
            f"slope_{side}": slope(levels[:10], m),
            f"gap_{side}_ticks": abs(levels[1][0] - levels[0][0]) / tick if len(levels) > 1 else None,
            f"hhi_{side}_10": float((shares**2).sum()),
            f"wall_{side}": wall / s,
            f"wall_{side}_bps": 1e4 * abs(at - m) / m,
        }
    return found


def slope(levels, m):
    if len(levels) < 3 or any(p == m for p, _ in levels):
        return None
    x = np.log([2 * abs(p - m) for p, _ in levels])
    y = np.log(np.cumsum([q for _, q in levels]))
    return float(np.polyfit(x, y, 1)[0])


# flow ---------------------------------------------------------------------------------------------------------------
def band_sum(t, what, side, w):
    return sum(t[f"{what}_{side}_{band}"][-w:].sum() for band in BANDS)


def flow(t, s, run):
    weights = {"1": [1.0], "5": [1.0] * 5, "10": [1.0] * 10}
    weights["weighted"] = [1 / k / sum(1 / j for j in range(1, 11)) for k in range(1, 11)]
    found = {}
    for w in (1, 5, 30):
        for name, weight in weights.items():
            total = sum(v * t[f"ofi_{k}"][-w:].sum() for k, v in enumerate(weight, start=1))
            found[f"ofi_{name}_{w}s"] = total / (s * sqrt(w))
        a, c, p = (
            {side: band_sum(t, what, side, w) for side in ("bid", "ask")} for what in ("added", "cancelled", "traded")
        )
        found[f"add_imb_{w}s"] = ratio(a["bid"] - a["ask"], a["bid"] + a["ask"])
        found[f"cancel_imb_{w}s"] = ratio(c["bid"] - c["ask"], c["bid"] + c["ask"])
        everything = sum(a.values()) + sum(c.values())
        found[f"net_imb_{w}s"] = ratio(a["bid"] - c["bid"] - (a["ask"] - c["ask"]), everything)
        for side in ("bid", "ask"):
            long_c = band_sum(t, "cancelled", side, run)
            long_p = band_sum(t, "traded", side, run)
            gone = c[side] + p[side]
            found[f"cancel_share_{side}_{w}s"] = c[side] / gone - long_c / (long_c + long_p) if gone else 0.0
            if w > 1:
                found[f"fleeting_{side}_{w}s"] = ratio(sum(fleeting(t, side, band, w) for band in BANDS), a[side])
    found["update_rate_5s"] = log1p(t["n_updates"][-5:].sum() / 5)
    return found


def fleeting(t, side, band, w):
    """Cancellations matched with additions of their own second first, then with what the second before left over."""
    a = t[f"added_{side}_{band}"]
    c = t[f"cancelled_{side}_{band}"]
    matched = 0.0
    for k in range(len(a) - w, len(a)):
        same = min(a[k], c[k])
        matched += same
        if k > 0:
            matched += min(c[k] - same, a[k - 1] - min(a[k - 1], c[k - 1]))
    return matched


# trades -------------------------------------------------------------------------------------------------------------
def trades(t, s, run):
    buy, sell, nb, ns = (t[f"trade_{what}_{who}"] for what in ("volume", "count") for who in ("buy", "sell"))
    found = {}
    for w in (1, 5, 30, 60):
        found[f"volume_imb_{w}s"] = ratio(buy[-w:].sum() - sell[-w:].sum(), buy[-w:].sum() + sell[-w:].sum())
        found[f"trade_rate_{w}s"] = log1p((nb + ns)[-w:].sum() / w)
    for w in (5, 30):
        found[f"count_imb_{w}s"] = ratio(nb[-w:].sum() - ns[-w:].sum(), nb[-w:].sum() + ns[-w:].sum())
        usual = (buy + sell)[-run:].mean() * w
        found[f"volume_ratio_{w}s"] = log1p((buy + sell)[-w:].sum() / usual) if usual else 0.0
    mean30 = ratio((buy + sell)[-30:].sum(), (nb + ns)[-30:].sum())
    found["print_size_30s"] = log(mean30 / ((buy + sell)[-run:].sum() / (nb + ns)[-run:].sum())) if mean30 else 0.0
    found["largest_share_60s"] = ratio(t["trade_largest"][-60:].max(), (buy + sell)[-60:].sum())
    hour = min(int(t["valid_run"][-1]), 3600)
    found["vpin"] = vpin(buy[-hour:], sell[-hour:])
    found["kyle_60s"] = kyle(t) * sqrt(s)
    found["amihud_60s"] = amihud(t) * s
    found["roll_60s"] = roll(t)
    paid = t["trade_spread_notional"][-30:].sum()
    notional = sum(t[f"trade_notional_{w}"][-30:].sum() for w in BUYERS)
    found["effective_spread_30s"] = 1e4 * ratio(paid, notional)
    for who, n in (("buy", nb), ("sell", ns)):
        weights = [exp(-k) for k in range(10)]
        now = sum(w * n[-1 - k] for k, w in enumerate(weights) if k < len(n)) / sum(weights)
        found[f"hawkes_{who}"] = ratio(now, n[-run:].mean())
    return found


BUYERS = ("buy", "sell")


def mids(t):
    return (t["bid_price_1"] + t["ask_price_1"]) / 2


def returns(t, w):
    """The last w one-second returns, to nine decimals, at most a tenth."""
    m = mids(t)
    return np.array([float(np.clip(round(m[k] / m[k - 1] - 1, 9), -0.1, 0.1)) for k in range(len(m) - w, len(m))])


def net_roots(t, w):
    net = t["trade_volume_buy"][-w:] - t["trade_volume_sell"][-w:]
    return np.sign(net) * np.sqrt(np.abs(net))


def kyle(t):
    """Least squares by numpy's solver, return in bps = a + lambda x."""
    x = net_roots(t, 60)
    y = 1e4 * returns(t, 60)
    if np.ptp(x) == 0:
        return 0.0
    return float(np.linalg.lstsq(np.column_stack([np.ones(60), x]), y, rcond=None)[0][1])


def amihud(t):
    volume = (t["trade_volume_buy"] + t["trade_volume_sell"])[-60:]
    traded = volume > 0
    return float((1e4 * np.abs(returns(t, 60))[traded] / volume[traded]).mean()) if traded.any() else 0.0


def roll(t):
    trade_rows = t["last_trade_price"][-60:][(t["trade_count_buy"] + t["trade_count_sell"])[-60:] > 0]
    changes = np.diff(trade_rows)
    if len(changes) < 2:
        return 0.0
    covariance = np.cov(changes[1:], changes[:-1], ddof=0)[0, 1]
    return 1e4 * 2 * sqrt(max(-covariance, 0.0)) / mids(t)[-1]


def vpin(buy, sell):
    """Buckets filled second by second; what does not fit goes on into the next."""
    size = (buy.sum() + sell.sum()) / 50
    if size == 0:
        return 0.0
    bought = np.zeros(51)
    sold = np.zeros(51)
    filled = 0.0
    for b, q in zip(buy, sell, strict=True):
        left = b + q
        while left > 0:
            bucket = min(int(filled / size + 1e-9), 50)
            part = min(left, (bucket + 1) * size - filled)
            bought[bucket] += part * b / (b + q)
            sold[bucket] += part * q / (b + q)
            filled = filled + part
            left = left - part
            left = 0.0 if left < 1e-7 else left
    return float(np.abs(bought - sold).sum() / (50 * size))


# price --------------------------------------------------------------------------------------------------------------
def price(t):
    m = mids(t)
    found = {f"return_{w}s": 1e4 * (m[-1] / m[-1 - w] - 1) for w in (1, 5, 10, 30, 60) if w < len(m)}
    found |= {f"rv_{w}s": 1e4 * sqrt((returns(t, w) ** 2).sum()) for w in (10, 60, 300) if w < len(m)}
    if len(m) > 300:
        r = returns(t, 300)
        variance = (r**2).sum()
        bipower = pi / 2 * 300 / 299 * (np.abs(r[1:]) * np.abs(r[:-1])).sum()
        found["jump_300s"] = 1 - bipower / variance if variance else 0.0
        found["skew_300s"] = sqrt(300) * (r**3).sum() / variance**1.5 if variance else 0.0
        bars = m[-300:].reshape(5, 60)
        found["parkinson_300s"] = 1e4 * sqrt(sum(log(b.max() / b.min()) ** 2 for b in bars) / (4 * log(2)))
    high = m[-60:].max()
    low = m[-60:].min()
    found |= {
        "range_60s": 1e4 * (high - low) / m[-1],
        "to_high_60s": 1e4 * (high - m[-1]) / m[-1],
        "to_low_60s": 1e4 * (m[-1] - low) / m[-1],
    }
    b, a, bq, aq = (t[n][-1] for n in ("bid_price_1", "ask_price_1", "bid_size_1", "ask_size_1"))
    last = t["last_trade_price"][-1]
    found["last_trade_dev_bps"] = 1e4 * (last - (b * aq + a * bq) / (aq + bq)) / m[-1] if last else None
    return found


# context ------------------------------------------------------------------------------------------------------------
def context(t):
    second = t["ts"][-1] / 1e9
    angle = 2 * pi * (second % 86_400) / 86_400
    return {
        "day_sin": sin(angle),
        "day_cos": cos(angle),
        "funding_hours": 8 - (second / 3600) % 8,
        "book_age_ms": t["book_age"][-1] / 1e6,
    }
