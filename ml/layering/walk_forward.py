"""What models say of cues that lie after all they were trained on, and how good it is.

Here: the table `layering_predictions`, and its scores.
Not here: training (`ml.layering.adaptive`), verdicts (`ml.layering.gates`).
"""

from typing import Any

import numpy as np
import polars as pl

from ml.layering.adaptive import CueRows, fit, labelled, missing
from ml.layering.confidence import final_score, needed_each
from ml.layering.families import FAMILIES
from ml.layering.layout import F64
from ml.layering.tables import PREDICTIONS
from ml.market.book.layout import I64

AT = (10, 50, 100)
"""Most probable cues whose precision is reported."""
BINS = 10


def of_dataset(dataset: pl.DataFrame, weak: bool) -> pl.DataFrame:
    """The table `layering_predictions` of a data set; no row where too few cues are labelled to train on."""
    rows = labelled(dataset, weak)
    return pl.DataFrame(schema=PREDICTIONS.schema) if missing(rows) else predictions(rows)


def predictions(rows: pl.DataFrame) -> pl.DataFrame:
    """The table `layering_predictions` of labelled rows of `layering_dataset`, by purged walk-forward folds."""
    arrays = CueRows.of(rows)
    parts = [pl.DataFrame(schema=PREDICTIONS.schema)]
    for fold in arrays.folds():
        trained = fit(arrays.at(fold.train))
        chosen = next(iter(trained.values()))
        test = rows[fold.test]
        p = {name: one.probabilities(arrays.values[fold.test]) for name, one in trained.items()}
        market = test["volatility_24h"].to_list(), test["liquidity"].to_list()
        limit = needed_each(chosen.threshold, *market, chosen.weight)
        probability = p[chosen.family]
        says = probability >= limit
        final = [
            final_score(*one) for one in zip(test["score"].to_list(), probability.tolist(), says.tolist(), strict=True)
        ]
        parts.append(
            test.with_columns(
                pl.Series("probability", probability),
                pl.Series("needed", limit),
                pl.Series("says", says),
                pl.Series("final_score", final, pl.Float64),
                *(pl.Series(name, p[name]) for name in FAMILIES),
                fold=pl.lit(fold.number, pl.Int64),
                chosen=pl.lit(chosen.family),
                prior=pl.lit(float(arrays.labels[fold.train].mean())),
            ).select(PREDICTIONS.schema.names())
        )
    return PREDICTIONS.conform(pl.concat(parts))


def scores(labels: I64, p: F64, says: np.ndarray) -> dict[str, Any]:
    """Scores of probabilities f64 (n) and of what is said bool (n) against labels i64 (n).

    `confusion` counts layering that was found, false alarms, layering that was missed, and what was rightly rejected;
    `precision_at` is the share of layering among so many of the most probable cues, where there are so many.
    """
    from sklearn import metrics

    both = 0 < labels.sum() < len(labels)
    true, false = int((says & (labels == 1)).sum()), int((says & (labels == 0)).sum())
    order = np.argsort(-p, kind="stable")
    return {
        "cues": len(labels),
        "accuracy": float(metrics.accuracy_score(labels, says)),
        "precision": float(metrics.precision_score(labels, says, zero_division=0)),  # type: ignore[arg-type]
        "recall": float(metrics.recall_score(labels, says, zero_division=0)),  # type: ignore[arg-type]
        "f1": float(metrics.f1_score(labels, says, zero_division=0)),  # type: ignore[arg-type]
        "roc_auc": float(metrics.roc_auc_score(labels, p)) if both else None,
        "pr_auc": pr_auc(labels, p),
        "brier": float(metrics.brier_score_loss(labels, p, pos_label=1)),
        "calibration_error": calibration_error(labels, p),
        "confusion": {
            "found": true,
            "false_alarms": false,
            "missed": int(labels.sum()) - true,
            "rejected": len(labels) - int(labels.sum()) - false,
        },
        "precision_at": {str(k): float(labels[order[:k]].mean()) for k in AT if k <= len(labels)},
    }


def pr_auc(labels: I64, p: F64) -> float | None:
    """Average precision; None without any layering."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, p)) if labels.sum() else None


def calibration_error(labels: I64, p: F64) -> float:
    """Expected calibration error over ten equal bins of probability (Guo et al. 2017)."""
    return sum(abs(mean - share) * count for mean, share, count in reliability(labels, p)) / len(labels)


def reliability(labels: I64, p: F64) -> list[tuple[float, float, int]]:
    """Per bin of probability that holds any: mean probability, share of layering, count."""
    index = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        (float(p[index == k].mean()), float(labels[index == k].mean()), int((index == k).sum()))
        for k in range(BINS)
        if (index == k).any()
    ]


def summary(found: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Scores on all test cues: of the chosen model, of each kind, and of the detector; none without cues."""
    if found.is_empty():
        return {}
    labels = found["label"].to_numpy().astype(np.int64)
    limit = found["needed"].to_numpy()
    found_scores = {"model": scores(labels, found["probability"].to_numpy(), found["says"].to_numpy())}
    for name in FAMILIES:
        found_scores[name] = scores(labels, found[name].to_numpy(), found[name].to_numpy() >= limit)
    detector = found["score"].to_numpy()
    return found_scores | {"detector": scores(labels, detector, np.ones(len(labels), bool))}
