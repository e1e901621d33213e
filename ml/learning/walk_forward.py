"""Walk-forward: a model and three baselines per fold, judged on rows that lie after all they were trained on.

Here: the out-of-sample predictions and their scores per fold.
Not here: splits (`ml.learning.splits`), verdicts (`ml.evaluation.gates`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.features.sets import BASE
from ml.learning import metrics, splits
from ml.learning.dataset import FIRST_SHARE, N_SPLITS
from ml.learning.models import baselines
from ml.learning.models.lightgbm import Fitted, fit

EMBARGO_NS = 60 * 10**9
"""At least the longest label horizon and the longest window of features without a scale."""


@dataclass(frozen=True)
class Rows:
    """A panel as arrays, in order of time.

    Features f32 or f64 (n, k) with their names; per row its class i8, label start and end (ns), instrument and
    movement.
    """

    features: np.ndarray
    names: list[str]
    direction: np.ndarray
    start: np.ndarray
    end: np.ndarray
    instrument: np.ndarray
    movement: np.ndarray

    @classmethod
    def of(cls, panel: pl.DataFrame, names: list[str]) -> "Rows":
        """The panel's rows, sorted by time."""
        ordered = panel.sort("label_start", "instrument")
        return cls(
            ordered.select(names).to_numpy(),
            names,
            ordered["direction"].to_numpy(),
            ordered["label_start"].to_numpy(),
            ordered["label_end"].to_numpy(),
            ordered["instrument"].to_numpy(),
            ordered["movement"].to_numpy(),
        )

    def folds(self, first_share: float, n_splits: int) -> list[splits.Fold]:
        """Purged walk-forward folds over the rows."""
        return splits.walk_forward(self.start, self.end, first_share, n_splits, EMBARGO_NS)


SCORES = ("train", "test", *baselines.NAMES, "log_loss", "calibration_error", "auc")
Trainer = Callable[[Rows, np.ndarray], Fitted]


def trainer(params: dict[str, Any], rounds: int, threads: int) -> Trainer:
    """A function that trains a LightGBM model on given rows."""
    return lambda rows, at: fit(rows.features[at], rows.direction[at], rows.start[at], params, rounds, threads)


def predict(rows: Rows, folds: list[splits.Fold], train: Trainer) -> pl.DataFrame:
    """The table `fold_predictions`: one row per test row and fold, and per row of the last training block.

    Columns: fold, part (`test`, or `train` for the last purged training block as long as the test block), instrument,
    ts, label_end, direction, movement, p_down, p_neutral, p_up, predicted, and a column per baseline (null in `train`).
    """
    last = baselines.last_directions(rows.direction, rows.start, rows.end, rows.instrument)
    parts: list[pl.DataFrame] = []
    for fold in folds:
        model = train(rows, fold.train)
        rivals = baselines.fit(rows.features[fold.train], rows.direction[fold.train], rows.names)
        for part, at in (("train", splits.last_block(fold, len(fold.test))), ("test", fold.test)):
            probabilities = model.probabilities(rows.features[at])
            answers = {
                name: rival.directions(rows.features[at], last[at]) if part == "test" else None
                for name, rival in rivals.items()
            }
            parts.append(_frame(rows, fold.number, part, at, probabilities, model.priors, answers))
    return pl.concat(parts)


def panel_predictions(panel: pl.DataFrame, tuned: dict[str, Any], threads: int) -> pl.DataFrame:
    """`fold_predictions` of a panel with tuned parameters; no row where there are none for too few rows."""
    rows = Rows.of(panel, BASE.columns)
    if not tuned:
        return _frame(rows, 0, "test", np.zeros(0, int), np.zeros((0, 3)), np.ones(3), dict.fromkeys(baselines.NAMES))
    return predict(rows, rows.folds(FIRST_SHARE, N_SPLITS), trainer(tuned["params"], tuned["rounds"], threads))


def fold_scores(predictions: pl.DataFrame) -> pl.DataFrame:
    """Per fold: rows, macro-accuracy on the last training block, on the test and of each baseline, proper scores."""
    found: list[dict[str, Any]] = []
    schema: dict[str, Any] = {"fold": pl.Int64(), "rows": pl.Int64()} | {name: pl.Float64() for name in SCORES}
    for (number,), fold in predictions.group_by("fold", maintain_order=True):
        test = fold.filter(pl.col("part") == "test")
        train = fold.filter(pl.col("part") == "train")
        direction = test["direction"].to_numpy()
        p = probabilities(test)
        found.append(
            {
                "fold": number,
                "rows": test.height,
                "train": metrics.macro_accuracy(train["direction"].to_numpy(), train["predicted"].to_numpy()),
                "test": metrics.macro_accuracy(direction, test["predicted"].to_numpy()),
                **{name: metrics.macro_accuracy(direction, test[name].to_numpy()) for name in baselines.NAMES},
                "log_loss": metrics.log_loss(direction, p),
                "calibration_error": metrics.calibration_error(direction, p),
                "auc": metrics.direction_auc(direction, p),
            }
        )
    return pl.DataFrame(found, schema=schema)


def probabilities(predictions: pl.DataFrame) -> np.ndarray:
    """The three probabilities as f64 (n, 3)."""
    return predictions.select("p_down", "p_neutral", "p_up").to_numpy()


def best_baseline(rows: Rows, train: np.ndarray, judge: np.ndarray) -> str:
    """The baseline with the best macro-accuracy on validation rows: chosen before the test is seen."""
    last = baselines.last_directions(rows.direction, rows.start, rows.end, rows.instrument)
    rivals = baselines.fit(rows.features[train], rows.direction[train], rows.names)
    scores = {
        name: metrics.macro_accuracy(rows.direction[judge], rival.directions(rows.features[judge], last[judge]))
        for name, rival in rivals.items()
    }
    return max(scores, key=lambda name: scores[name])


def _frame(
    rows: Rows,
    number: int,
    part: str,
    at: np.ndarray,
    p: np.ndarray,
    priors: np.ndarray,
    answers: dict[str, np.ndarray | None],
) -> pl.DataFrame:
    columns = {
        "instrument": pl.Series(rows.instrument[at].tolist(), dtype=pl.String),  # no rows have no dtype of their own
        "ts": rows.start[at],
        "label_end": rows.end[at],
        "direction": rows.direction[at],
        "movement": rows.movement[at],
        "p_down": p[:, 0],
        "p_neutral": p[:, 1],
        "p_up": p[:, 2],
        "predicted": (p / priors).argmax(axis=1).astype(np.int8),
    }
    head = [pl.lit(number, pl.Int64).alias("fold"), pl.lit(part).alias("part")]
    tail = [pl.lit(None, pl.Int8).alias(name) if a is None else pl.Series(name, a) for name, a in answers.items()]
    return pl.DataFrame(columns).select(*head, pl.all(), *tail)
