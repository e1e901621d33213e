"""The paired block test, one block and one draw at a time.

Here: the moving-block bootstrap in loops, and the chance of crossing as a volume under a multivariate normal.
"""

import math
from itertools import pairwise

import numpy as np
from scipy.stats import multivariate_normal, norm


def standard_error(ts, values, block_ns, draws, seed):
    """`ml.evaluation.ab_test.standard_error`; the draws are the same, what is done with them is spelled out."""
    times = sorted(set(ts))
    step = min(b - a for a, b in pairwise(times))
    starts = [t for t in times if t + block_ns <= max(ts) + step]
    blocks = round((max(ts) - min(ts)) / block_ns)
    means = []
    for row in np.random.default_rng(seed).integers(0, len(starts), (draws, blocks)):
        drawn = [v for k in row for t, v in zip(ts, values, strict=True) if starts[k] <= t < starts[k] + block_ns]
        means.append(sum(drawn) / len(drawn))
    centre = sum(means) / draws
    spread = math.sqrt(sum((m - centre) ** 2 for m in means) / draws)
    return spread * math.sqrt(blocks / (blocks - 1))


def crossing_probability(fractions, limits):
    """Chance that the statistic is beyond +-limit at some look; two looks correlate by sqrt(t_j / t_k)."""
    covariance = [[math.sqrt(min(a, b) / max(a, b)) for b in fractions] for a in fractions]
    if len(limits) == 1:
        return 2 * norm.sf(limits[0])
    inside = multivariate_normal(np.zeros(len(limits)), covariance, seed=1, abseps=1e-7, maxpts=1_000_000)
    return 1 - inside.cdf(np.array(limits), lower_limit=-np.array(limits))


def spent(fraction, alpha):
    """O'Brien-Fleming spending of Lan and DeMets, half of alpha on each side."""
    side = alpha / 2
    return 2 * (2 - 2 * norm.cdf(norm.ppf(1 - side / 2) / math.sqrt(fraction)))
