"""Which cues to review next: those that the score leaves open, and unlike what was reviewed.

Here: the order.
Not here: votes (`ml.layering.labels`).
"""

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
SAMPLED = 200
"""Cues whose distances give the scale of the space."""


def next_to_review(
    scores: F64, features: F64, reviewed: NDArray[np.bool_], count: int, conflict: NDArray[np.bool_] | None = None
) -> list[int]:
    """Positions of the cues to review next, best first.

    Each is the one with the largest product of uncertainty, 1 - |2 score - 1|, and distance to the nearest cue that was
    reviewed or chosen before it, saturating at the median distance of the cues (uncertainty x diversity). Cues on which
    reviewers disagree come first.

    Args:
        scores: f64 (n), 0 to 1.
        features: f64 (n, k); columns are scaled by their median and quartiles.
        reviewed: bool (n).
        count: how many are wanted; fewer where fewer are left.
        conflict: bool (n), cues on which reviewers disagree.
    """
    if len(scores) == 0:
        return []
    disputed = np.zeros(len(scores), np.bool_) if conflict is None else conflict
    chosen = np.flatnonzero(disputed)[:count].tolist()
    space = _scaled(features)
    scale = _typical_distance(space)
    uncertainty = 1 - np.abs(2 * scores - 1)
    nearest = np.full(len(scores), np.inf)
    for k in np.flatnonzero(reviewed | disputed):
        nearest = np.minimum(nearest, np.linalg.norm(space - space[k], axis=1))
    open_ = ~reviewed & ~disputed
    while len(chosen) < count and open_.any():
        worth = np.where(open_, (uncertainty + 1e-9) * (1 - np.exp(-nearest / scale)), -1.0)
        best = int(np.argmax(worth))
        chosen.append(best)
        open_[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(space - space[best], axis=1))
    return chosen


def _scaled(features: F64) -> F64:
    filled = np.where(np.isfinite(features), features, np.nan)
    known = np.isfinite(filled).any(axis=0)
    filled = filled[:, known]
    if filled.shape[1] == 0:
        return np.zeros((len(features), 1))
    middle = np.nanmedian(filled, axis=0)
    spread = np.nanpercentile(filled, 75, axis=0) - np.nanpercentile(filled, 25, axis=0)
    return np.nan_to_num((filled - middle) / np.where(spread > 0, spread, 1.0))


def _typical_distance(space: F64) -> float:
    sample = space[:: max(len(space) // SAMPLED, 1)]
    distances = np.linalg.norm(sample[:, None] - sample[None], axis=2)
    apart = distances[distances > 0]
    return float(np.median(apart)) if len(apart) else 1.0
