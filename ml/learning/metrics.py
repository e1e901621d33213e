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


def confusion(direction: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Rows by true class and class predicted, i64 (3, 3)."""
    cells = direction.astype(np.int64) * CLASSES + predicted
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur or were predicted of 2 tp / (2 tp + fp + fn), f64 (...), NaN without rows.

    Args:
        counts: rows by true class and class predicted, (..., 3, 3).
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = np.divide(2.0 * hits, total, out=np.zeros(total.shape), where=total > 0)
    present = (total > 0).sum(axis=-1)
    return np.divide(f1.sum(axis=-1), present, out=np.full(present.shape, np.nan), where=present > 0)


def correlation(counts: np.ndarray) -> float:
    """Matthews correlation of three classes (Gorodkin 2004): 0 for chance, 1 for all right; 0 where it is undefined."""
    n = counts.sum()
    true, said = counts.sum(axis=1).astype(float), counts.sum(axis=0).astype(float)
    spread = (n**2 - (said**2).sum()) * (n**2 - (true**2).sum())
    return float((np.trace(counts) * n - true @ said) / np.sqrt(spread)) if spread > 0 else 0.0


def brier(direction: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of the probabilities from what happened, summed over classes: 0 to 2; NaN without rows."""
    if not len(direction):
        return float("nan")
    return float(((probabilities - np.eye(CLASSES)[direction]) ** 2).sum(axis=1).mean())


def transactions(direction: np.ndarray, predicted: np.ndarray) -> tuple[int, int]:
    """Whole transactions that predictions would have made, and how many of them were right at both ends.

    One opens at a prediction of up or down and closes at the next one of the other side, which opens the next; it is
    right if both classes came true (p_T of Briola, Bartolucci, Aste 2025).

    Args:
        direction: classes i8 in order of time, of one instrument.
        predicted: the classes predicted.
    """
    moved = np.flatnonzero(predicted != 1)
    turns = moved[np.concatenate([[True], np.diff(predicted[moved]) != 0])] if len(moved) else moved
    right = predicted[turns] == direction[turns]
    return max(len(turns) - 1, 0), int((right[:-1] & right[1:]).sum())


def log_loss(direction: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p of what happened, p at least 1e-9."""
    from sklearn import metrics

    return float(metrics.log_loss(direction, np.maximum(probabilities, 1e-9), labels=range(CLASSES)))


def block_log_losses(direction: np.ndarray, probabilities: np.ndarray, blocks: int) -> list[float]:
    """Mean of -ln p of what happened, p at least 1e-9, in blocks of equally many rows, in order."""
    losses = -np.log(np.maximum(probabilities[np.arange(len(direction)), direction], 1e-9))
    return [float(part.mean()) for part in np.array_split(losses, blocks) if len(part)]


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
    index = _block_of(ts, block_ns)
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


def bootstrap_macro_f1(
    direction: np.ndarray, predicted: np.ndarray, ts: np.ndarray, block_ns: int, draws: int = 2_000, seed: int = 1
) -> np.ndarray:
    """Draws of the macro-F1, by blocks of time resampled with replacement; NaN where a draw has no row."""
    index = _block_of(ts, block_ns)
    counts = np.zeros((int(index.max()) + 1, CLASSES, CLASSES), np.int64)
    np.add.at(counts, (index, direction, predicted), 1)
    picks = np.random.default_rng(seed).integers(0, len(counts), (draws, len(counts)))
    times = np.zeros((draws, len(counts)))
    np.add.at(times, (np.arange(draws)[:, None], picks), 1)
    return macro_f1(np.einsum("db,bij->dij", times, counts))


def _block_of(ts: np.ndarray, block_ns: int) -> np.ndarray:
    """Number of each row's block of time, counted without the empty ones."""
    return np.unique((ts - ts.min()) // block_ns, return_inverse=True)[1]
