"""Figures of returns, each from its definition, one number at a time.

Here: returns of UTC days, probabilistic and deflated Sharpe ratio, probability of backtest overfitting.
"""

import math
from datetime import UTC, datetime
from itertools import combinations
from statistics import NormalDist

NORMAL = NormalDist()


def daily_returns(marks):
    """Date and return of each UTC day from (ns, equity or None) in order of time; a mark at midnight ends a day."""
    known = [(ts, value) for ts, value in marks if value is not None]
    closes = {}
    for ts, value in known:
        closes[datetime.fromtimestamp((ts - 1) // 10**9, UTC).date().isoformat()] = value
    if len(known) < 2:
        return []
    found = []
    last = known[0][1]
    for day, value in closes.items():
        found.append((day, value / last - 1))
        last = value
    return found


def moments(returns):
    n = len(returns)
    mean = sum(returns) / n
    central = [sum((r - mean) ** k for r in returns) / n for k in (2, 3, 4)]
    sd = math.sqrt(central[0])
    ratio = mean / math.sqrt(central[0] * n / (n - 1))
    return n, ratio, central[1] / sd**3, central[2] / sd**4


def probabilistic(returns, benchmark):
    n, ratio, skewness, kurtosis = moments(returns)
    spread = math.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(n - 1) / spread)


def deflated(returns, trials, spread):
    a, b = NORMAL.inv_cdf(1 - 1 / trials), NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    gamma = 0.5772156649015329
    return probabilistic(returns, spread * ((1 - gamma) * a + gamma * b))


def overfitting(performance):
    """Share of splits whose logit of the relative rank is 0 or less; `performance` is a list of blocks of trials."""
    blocks, trials = len(performance), len(performance[0])
    bad = total = 0
    for chosen in combinations(range(blocks), blocks // 2):
        inside = [sum(performance[b][t] for b in chosen) for t in range(trials)]
        outside = [sum(performance[b][t] for b in range(blocks) if b not in chosen) for t in range(trials)]
        best = inside.index(max(inside))
        rank = sorted(outside).index(outside[best]) + 1
        relative = rank / (trials + 1)
        bad += math.log(relative / (1 - relative)) <= 1e-12
        total += 1
    return bad / total
