"""What a candidate must beat: the champion, or for the first model the best of three baselines.

Here: the rival's answers on the candidate's test rows, and the backtest of both.
Not here: the gates (`ml.evaluation.gates`), the decision (`ml.promotion.deployment`).
"""

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.errors import RegistryError
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.evaluation import money
from ml.evaluation.backtest_report import BacktestReport
from ml.evaluation.gates import Rival
from ml.learning import metrics
from ml.learning.experiment import Experiment
from ml.learning.models.trained import load
from ml.learning.tuned import Tuned
from ml.promotion.registry import Registry
from ml.storage.commit import manifest
from ml.storage.decisions import journal
from ml.storage.parquet import Stored

NOBODY = "nobody"
"""The rival of a candidate that was not trained."""


def rival_of(
    root: DataRoot, registry: Registry, experiment: Experiment, tuned: Tuned, rows: pl.DataFrame
) -> tuple[Rival, pl.DataFrame]:
    """The rival's answers, and the rows that it can be compared on: after all that a champion was trained on.

    A baseline is the one that was chosen on validation rows inside the first block, before the test was seen.

    Args:
        root: the data root.
        registry: of the experiment's model.
        experiment: the experiment.
        tuned: names the baseline.
        rows: of `fold_predictions`, test or sealed.

    Raises:
        RegistryError: the champion was trained for another definition.
    """
    if registry.champion() is None:
        return Rival(tuned.baseline, rows[tuned.baseline].to_numpy()), rows
    champion = registry.load()
    card = champion.card
    if (card.feature_set_hash, card.horizon) != (experiment.feature_set.hash, experiment.horizon):
        raise RegistryError(
            f"The champion of {experiment.name} was trained on {card.feature_set} {card.feature_set_hash} at "
            f"{card.horizon} s, the candidate on {experiment.features} {experiment.feature_set.hash} at "
            f"{experiment.horizon} s: they cannot be compared. Name the changed experiment otherwise in lobforge.toml."
        )
    later = rows.filter(pl.col("ts") >= card.trained_until)
    p = np.zeros((later.height, 3))
    wanted = later.select("instrument", "ts").with_row_index("at")
    panel = Stored(root.whole("dataset_panel", experiment.name))
    for part in panel.parts("instrument", "ts", *card.features):
        found = part.join(wanted, on=["instrument", "ts"])
        if found.height:
            p[found["at"].to_numpy()] = champion.probabilities(found.select(card.features).to_numpy())
    error = metrics.calibration_error(later["direction"].to_numpy(), p) if later.height else None
    return Rival(f"champion {registry.champion()}", champion.directions(p), error), later


def backtest(
    root: DataRoot,
    config: Config,
    registry: Registry,
    experiment: Experiment,
    tuned: Tuned | None,
    predictions: pl.DataFrame,
) -> BacktestReport:
    """Trade the test rows of a candidate and of its rival (`ml.evaluation.money.run`); sealed rows are not touched."""
    path = str(root.whole("fold_predictions", experiment.name).relative_to(root.root))
    source = manifest(root, "fold_predictions")[path].sha256
    if tuned is None:
        return BacktestReport(source, NOBODY, money.execution(config))
    test = predictions.filter(pl.col("part") == "test")
    rival, rows = rival_of(root, registry.of(experiment.name), experiment, tuned, test)
    answered = rows.with_columns(rival=pl.Series(rival.predicted, dtype=pl.Int8()))
    return money.run(root, config, answered, rival.name, experiment.horizon, source)


def gains_of(root: DataRoot, name: str = DEFAULT_EXPERIMENT) -> dict[str, float] | None:
    """Each feature's share of what an experiment's champion gained by it; None while there is none."""
    lines = journal(root, name)
    champion = lines[-1].champion if lines else None
    return load(root.model(champion)).describe() if champion else None
