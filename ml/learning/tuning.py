"""The search for hyper-parameters: a few seeded Optuna trials inside the first training block.

Here: the objective and the result with its count of trials. The only adapter to optuna.
Not here: what is searched, and training (`ml.learning.models`).

The block is cut in two by time and purged; the later part judges. No row outside the block is ever seen, and the number
of trials goes into the decision record, because a best of many is worth less.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from ml.core.errors import DatasetError
from ml.learning.dataset import FIRST_SHARE, MIN_ROWS, N_SPLITS
from ml.learning.experiment import Experiment
from ml.learning.metrics import block_log_losses, log_loss
from ml.learning.models import catalog
from ml.learning.models.family import CLASSES
from ml.learning.rows import Rows
from ml.learning.splits import purge
from ml.learning.tuned import Tuned
from ml.learning.walk_forward import best_baseline

N_TRIALS = 8
SEED = 1
TRIAL_BLOCKS = 8
"""Of the judging rows, in which each trial is scored by itself: whether the best one is so by luck."""
VALIDATION_SHARE = 0.3


def tune(rows: Rows, experiment: Experiment, threads: int) -> Tuned | None:
    """Search on the first training block of a panel; None where the panel is too small to judge a candidate on."""
    if len(rows.direction) < MIN_ROWS:
        return None
    return search(rows, rows.folds(FIRST_SHARE, N_SPLITS)[0].train, experiment, threads)


def search(
    rows: Rows, block: np.ndarray, experiment: Experiment, threads: int, seed: int = SEED, n_trials: int = N_TRIALS
) -> Tuned:
    """Run the trials on the rows of a block, one after the other, so that the same seed gives the same result.

    Raises:
        DatasetError: the block is too small.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train, judge = cut(rows, block)
    family = catalog.family(experiment.model)
    given = catalog.options_of(experiment.model, experiment.options)

    def objective(trial: optuna.Trial) -> float:
        fitted = family.fit(rows, train, family.search(trial, given), threads)
        p = fitted.predict_proba(rows.features[judge])
        trial.set_user_attr("blocks", block_log_losses(rows.direction[judge], p, TRIAL_BLOCKS))
        return log_loss(rows.direction[judge], p)

    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=n_trials, callbacks=[_stop_if_nothing_is_open])
    best = asdict(family.search(optuna.trial.FixedTrial(study.best_params), given))
    options = {name: value for name, value in best.items() if value is not None}
    trials = [{"params": t.params, "log_loss": t.value, "blocks": t.user_attrs["blocks"]} for t in study.trials]
    baseline = best_baseline(rows, train, judge)
    return Tuned(experiment.model, options, study.best_value, len(trials), seed, baseline, trials)


def _stop_if_nothing_is_open(study: Any, trial: Any) -> None:
    """One trial says all where the experiment sets every option."""
    if not trial.params:
        study.stop()


def cut(rows: Rows, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a block to train on and rows to judge on, by time and purged.

    Raises:
        DatasetError: one of them would be empty or lack a class.
    """
    judge = block[int(len(block) * (1 - VALIDATION_SHARE)) :]
    if judge.size == 0:
        raise DatasetError("The first training block is empty. Use more data.")
    train = purge(block, rows.start, rows.end, int(rows.start[judge].min()), int(rows.end[judge].max()), rows.embargo)
    if train.size == 0 or len(np.unique(rows.direction[train])) < CLASSES:
        raise DatasetError(f"The first training block has {len(block)} rows: too few to tune on. Use more data.")
    return train, judge
