"""Plots of cues of layering: how well a model ranks them, and what the benchmark found.

Here: one function a plot.
Not here: the figures (`ml.layering.walk_forward`, `ml.layering.benchmark`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ml.plotting.figures import empty, png

RANKED = {"probability": "model", "score": "detector", "legacy_score": "legacy rule"}


def precision_recall(predictions: pl.DataFrame) -> bytes:
    """Precision against recall of test cues, by the model, the detector's score and the predecessor's rule."""
    from sklearn.metrics import precision_recall_curve

    figure, axes = empty(5, 3.4)
    label = predictions["label"].to_numpy()
    if 0 < label.sum() < len(label):
        for column, name in RANKED.items():
            precision, recall, _ = precision_recall_curve(label, predictions[column].to_numpy())
            axes.step(recall, precision, where="post", label=name)
        axes.axhline(label.mean(), color="grey", linestyle=":", label="all cues")
        axes.legend(fontsize=7, loc="lower left")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Test cues")
    return png(figure)


def reliability(bins: Sequence[tuple[float, float, int]]) -> bytes:
    """Share of layering against probability, by bin; the size of a dot tells how many cues there are."""
    figure, axes = empty(3.6, 3.4)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    if bins:
        mean, share, count = np.array(bins).T
        axes.scatter(mean, share, s=np.clip(count, 5, 200))
    axes.set(xlabel="probability", ylabel="share of layering", xlim=(0, 1), ylim=(0, 1), title="Calibration")
    return png(figure)


def recall(simulated: dict[str, Any]) -> bytes:
    """Recall by size of a layer at each budget of false alarms, as `ml.layering.benchmark` gives it."""
    figure, axes = empty(6, 3.4)
    for budget, figures in simulated["budgets"].items():
        sizes = sorted(figures["recall"], key=float)
        shares = [figures["recall"][size] for size in sizes]
        axes.plot([float(size) for size in sizes], shares, marker="o", markersize=3, label=f"{budget} an hour")
    axes.axhline(simulated["legacy_rule"]["recall"], color="grey", linestyle=":", label="legacy rule")
    axes.legend(fontsize=7, loc="lower right")
    axes.set(xlabel="size of a layer in typical best sizes", ylabel="recall", ylim=(0, 1.02))
    axes.set_title("Planted episodes that become cues, by false alarms allowed")
    return png(figure)
