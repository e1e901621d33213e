"""Numbers about predictions.

Here: scores of classes and probabilities (scikit-learn, imported on first use), the block bootstrap of a difference.
Not here: which number must be how large (`ml.evaluation.gates`).
"""

import numpy as np

CLASSES = 3
BINS = 10


def macro_accuracy(direction: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the classes present of the share predicted right (1/3: no skill of three), NaN without rows."""
    from sklearn.metrics import recall_score

    present = np.unique(direction)
    return float(recall_score(direction, predicted, labels=present, average="macro")) if present.size else float("nan")


def log_loss(direction: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p of what happened, p at least 1e-9."""
    from sklearn import metrics

    return float(metrics.log_loss(direction, np.maximum(probabilities, 1e-9), labels=range(CLASSES)))


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Chance that a positive row has the higher score (Mann-Whitney), ties half; NaN with one class."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score)) if 0 < positive.sum() < len(positive) else float("nan")


def direction_auc(direction: np.ndarray, probabilities: np.ndarray) -> float:
    """AUC of p(up) - p(down) for up against down; rows that are neutral do not count."""
    moved = direction != 1
    return auc(direction[moved] == 2, (probabilities[:, 2] - probabilities[:, 0])[moved])


def reliability(direction: np.ndarray, probabilities: np.ndarray) -> list[tuple[float, float, int]]:
    """Per bin of predicted probability, all classes together: mean probability, observed share, count."""
    p = probabilities.ravel()
    hit = np.eye(CLASSES, dtype=bool)[direction].ravel()
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        (float(p[index == b].mean()), float(hit[index == b].mean()), int((index == b).sum()))
        for b in range(BINS)
        if (index == b).any()
    ]


def calibration_error(direction: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error over all classes: mean |predicted - observed| weighted by count (Guo et al. 2017)."""
    bins = reliability(direction, probabilities)
    total = sum(count for _, _, count in bins)
    return sum(abs(p - observed) * count for p, observed, count in bins) / total if total else float("nan")


def bootstrap_difference(
    direction: np.ndarray,
    predicted: np.ndarray,
    other: np.ndarray,
    ts: np.ndarray,
    block_ns: int,
    draws: int = 2_000,
    seed: int = 1,
) -> np.ndarray:
    """Draws of macro_accuracy(predicted) - macro_accuracy(other), by blocks of time resampled with replacement.

    Rows of one block stay together, over all instruments, so overlapping labels do not count as independent.
    """
    block = (ts - ts.min()) // block_ns
    _, index = np.unique(block, return_inverse=True)
    n_blocks = int(index.max()) + 1
    right = np.zeros((2, n_blocks, CLASSES))
    total = np.zeros((n_blocks, CLASSES))
    np.add.at(total, (index, direction), 1)
    for row, answer in enumerate((predicted, other)):
        np.add.at(right[row], (index, direction), answer == direction)
    picks = np.random.default_rng(seed).integers(0, n_blocks, (draws, n_blocks))
    counts = total[picks].sum(axis=1)
    shares = [
        np.divide(r[picks].sum(axis=1), counts, out=np.full_like(counts, np.nan), where=counts > 0) for r in right
    ]
    return np.nanmean(shares[0], axis=1) - np.nanmean(shares[1], axis=1)
