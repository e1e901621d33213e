"""The search for hyper-parameters: a few seeded Optuna trials inside the first training block.

Here: the search space, the objective, and the result with its count of trials. The only adapter to optuna.
Not here: training (`ml.learning.models.lightgbm`).

The block is cut in two by time and purged; the later part judges. No row outside the block is ever seen, and the number
of trials goes into the decision record, because a best of many is worth less.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.core.errors import DatasetError
from ml.features.sets import BASE
from ml.learning.dataset import FIRST_SHARE, MIN_ROWS, N_SPLITS
from ml.learning.metrics import log_loss
from ml.learning.models.lightgbm import CLASSES, fit
from ml.learning.splits import purge
from ml.learning.walk_forward import EMBARGO_NS, Rows, best_baseline

N_TRIALS = 8
SEED = 1
VALIDATION_SHARE = 0.3


@dataclass(frozen=True)
class Tuned:
    """The best parameters and what the search saw.

    `baseline` is the best of the three baselines on the same validation rows; `trials` holds each trial's parameters
    and score.
    """

    params: dict[str, Any]
    rounds: int
    log_loss: float
    n_trials: int
    seed: int
    baseline: str
    trials: list[dict[str, Any]]


def space(trial: Any) -> tuple[dict[str, Any], int]:
    """Small trees on many rows: neighbouring labels overlap, so the rows hold far less than they count."""
    params = {
        "num_leaves": trial.suggest_int("num_leaves", 3, 6),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 400, 1_200, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.07, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 0.8),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 0.8),
        "lambda_l2": trial.suggest_float("lambda_l2", 1.0, 100.0, log=True),
    }
    return params, trial.suggest_int("rounds", 40, 80)


def tune(panel: pl.DataFrame, threads: int) -> Tuned | None:
    """Search on the first training block of a panel; None where the panel is too small to judge a candidate on."""
    if panel.height < MIN_ROWS:
        return None
    rows = Rows.of(panel, BASE.columns)
    return search(rows, rows.folds(FIRST_SHARE, N_SPLITS)[0].train, threads)


def search(rows: Rows, block: np.ndarray, threads: int, seed: int = SEED, n_trials: int = N_TRIALS) -> Tuned:
    """Run the trials on the rows of a block, one after the other, so that the same seed gives the same result.

    Raises:
        DatasetError: the block is too small.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train, judge = cut(rows, block)

    def objective(trial: optuna.Trial) -> float:
        params, rounds = space(trial)
        fitted = fit(rows.features[train], rows.direction[train], rows.start[train], params, rounds, threads)
        return log_loss(rows.direction[judge], fitted.probabilities(rows.features[judge]))

    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=n_trials)
    best = dict(study.best_params)
    trials = [{"params": trial.params, "log_loss": trial.value} for trial in study.trials]
    return Tuned(
        best, best.pop("rounds"), study.best_value, len(trials), seed, best_baseline(rows, train, judge), trials
    )


def cut(rows: Rows, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a block to train on and rows to judge on, by time and purged.

    Raises:
        DatasetError: one of them would be empty or lack a class.
    """
    judge = block[int(len(block) * (1 - VALIDATION_SHARE)) :]
    if judge.size == 0:
        raise DatasetError("The first training block is empty. Use more data.")
    train = purge(block, rows.start, rows.end, int(rows.start[judge].min()), int(rows.end[judge].max()), EMBARGO_NS)
    if train.size == 0 or len(np.unique(rows.direction[train])) < CLASSES:
        raise DatasetError(f"The first training block has {len(block)} rows: too few to tune on. Use more data.")
    return train, judge
