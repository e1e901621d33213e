"""How usual tools call drift: on all rows at once, as if they were independent, with a fixed limit."""

import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance


def stability_index(reference, current):
    """Population stability index over ten bins of the reference."""
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    p, q = (np.bincount(np.searchsorted(edges, rows), minlength=10) / len(rows) for rows in (current, reference))
    p, q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return float(((p - q) * np.log(p / q)).sum())


PEERS = {
    "KS, p < .1": lambda reference, current: ks_2samp(reference, current).pvalue < 0.1,
    "PSI > .2": lambda reference, current: stability_index(reference, current) > 0.2,
    "Wasserstein >= .1": lambda reference, current: wasserstein_distance(reference, current) / reference.std() >= 0.1,
}
