"""Walk-forward: a model and three baselines per fold, judged on rows that lie after all they were trained on.

Here: the out-of-sample predictions and their scores, per fold and per slice.
Not here: splits (`ml.learning.splits`), verdicts (`ml.evaluation.gates`).

The newest rows of the last test block are sealed: they are predicted, but no score here is made of them. Only the
hold-out gate opens them, once (`ml.evaluation.holdout`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ml.core.time import HOUR, SECOND
from ml.learning import metrics, splits
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, SEALED_SHARE
from ml.learning.experiment import Experiment
from ml.learning.models import baselines, catalog
from ml.learning.models.family import Model, directions
from ml.learning.rows import EMBARGO_NS, Rows, blocks
from ml.learning.tuned import Tuned
from ml.storage.parquet import Stored


def embargo_ns(experiment: Experiment) -> int:
    """The embargo of a panel of the experiment."""
    return max(EMBARGO_NS, experiment.horizon * SECOND)


NO_ANSWERS: Mapping[str, np.ndarray | None] = dict.fromkeys(baselines.NAMES)
"""Of the baselines, in rows that they were fitted on."""
QUALITY = ("macro_f1", "mcc", "log_loss", "brier", "calibration_error", "auc", "p_t")
SCORES = ("train", "test", *baselines.NAMES, *QUALITY)
REGIMES = ("calm", "usual", "lively")
"""Thirds of an instrument's rows by the volatility before each."""
Trainer = Callable[[Rows, np.ndarray], Model]


def trainer(model: str, options: dict[str, Any], threads: int) -> Trainer:
    """A function that trains a model of the catalog on given rows."""
    chosen = catalog.options_of(model, options)
    return lambda rows, at: catalog.family(model).fit(rows, at, chosen, threads)


def predict(rows: Rows, folds: list[splits.Fold], train: Trainer) -> pl.DataFrame:
    """The table `fold_predictions`: one row per test row and fold, and per row of the last training block.

    Columns: fold, part (`test`, `sealed` for the newest of them, or `train` for the last purged training block as long
    as the test block), instrument, ts, label_end, direction, movement, p_down, p_neutral, p_up, predicted, and a column
    per baseline (null in `train`).
    """
    last = baselines.last_directions(rows.direction, rows.start, rows.end, rows.instrument)
    parts: list[pl.DataFrame] = []
    for fold in folds:
        model = train(rows, fold.train)
        rivals = baselines.fit(rows, fold.train)
        judged = {"train": splits.last_block(fold, len(fold.test)), "test": fold.test}
        if fold is folds[-1]:
            judged["test"], judged["sealed"] = splits.seal(fold, rows.start, rows.end, SEALED_SHARE)
        for part, at in judged.items():
            for some in blocks(at):
                features = rows.features[some]
                answers = NO_ANSWERS if part == "train" else baselines.answers(rivals, features, last[some])
                p = model.predict_proba(features)
                parts.append(_frame(rows, fold.number, part, some, p, model.priors, answers))
    return pl.concat(parts)


def panel_predictions(rows: Rows, tuned: Tuned | None, threads: int) -> pl.DataFrame:
    """`fold_predictions` of a panel with tuned parameters; no row where there are none for too few rows."""
    if tuned is None:
        return _frame(rows, 0, "test", np.zeros(0, int), np.zeros((0, 3)), np.ones(3), NO_ANSWERS)
    return predict(rows, rows.folds(FIRST_SHARE, N_SPLITS), trainer(tuned.model, tuned.options, threads))


def fold_scores(predictions: pl.DataFrame) -> pl.DataFrame:
    """Per fold: rows, macro-accuracy on the last training block, on the test and of each baseline, proper scores."""
    found: list[dict[str, Any]] = []
    schema: dict[str, Any] = {"fold": pl.Int64(), "rows": pl.Int64()} | {name: pl.Float64() for name in SCORES}
    for (number,), fold in predictions.group_by("fold", maintain_order=True):
        test = fold.filter(pl.col("part") == "test")
        train = fold.filter(pl.col("part") == "train")
        direction = test["direction"].to_numpy()
        found.append(
            {
                "fold": number,
                "rows": test.height,
                "train": metrics.macro_accuracy(train["direction"].to_numpy(), train["predicted"].to_numpy()),
                "test": metrics.macro_accuracy(direction, test["predicted"].to_numpy()),
                **{name: metrics.macro_accuracy(direction, test[name].to_numpy()) for name in baselines.NAMES},
                **quality(test),
            }
        )
    return pl.DataFrame(found, schema=schema)


def quality(test: pl.DataFrame) -> dict[str, float | None]:
    """Scores of predictions in order of time, by the names of QUALITY; `p_t` is None without a whole transaction."""
    direction, predicted = test["direction"].to_numpy(), test["predicted"].to_numpy()
    p = probabilities(test)
    counts = metrics.confusion(direction, predicted)
    pairs = [
        metrics.transactions(own["direction"].to_numpy(), own["predicted"].to_numpy())
        for own in test.partition_by("instrument", maintain_order=True)
    ]
    whole, right = (sum(pair[k] for pair in pairs) for k in range(2))
    return {
        "macro_f1": float(metrics.macro_f1(counts)),
        "mcc": metrics.correlation(counts),
        "log_loss": metrics.log_loss(direction, p),
        "brier": metrics.brier(direction, p),
        "calibration_error": metrics.calibration_error(direction, p),
        "auc": metrics.direction_auc(direction, p),
        "p_t": right / whole if whole else None,
    }


def with_regime(test: pl.DataFrame, panel: Stored) -> pl.DataFrame:
    """The rows with the column `regime`: the third of its instrument's rows that a row's volatility lies in.

    Args:
        test: rows of `fold_predictions`.
        panel: the panel, whose `sigma` is made of what was before a row.
    """
    known = [part.join(test.select("instrument", "ts"), on=["instrument", "ts"]) for part in _sigmas(panel)]
    sigma = pl.concat(known) if known else pl.DataFrame(schema={"instrument": pl.String(), "ts": pl.Int64()})
    rank = (pl.col("sigma").rank("ordinal") - 1) * len(REGIMES) // pl.len()
    named = pl.col("third").replace_strict(dict(enumerate(REGIMES)), return_dtype=pl.String())
    thirds = sigma.with_columns(third=rank.over("instrument")).select("instrument", "ts", regime=named)
    return test.join(thirds, on=["instrument", "ts"], how="left", maintain_order="left")


def slice_scores(test: pl.DataFrame) -> pl.DataFrame:
    """Per slice of instrument, UTC hour and volatility regime: rows, macro-accuracy and the scores of QUALITY.

    Args:
        test: rows of `fold_predictions` with `regime`.
    """
    hour = (pl.col("ts") // HOUR % 24).cast(pl.String()).str.zfill(2)
    sliced = test.with_columns(hour=hour)
    found: list[dict[str, Any]] = []
    for by in ("instrument", "hour", "regime"):
        for (name,), rows in sorted(sliced.drop_nulls(by).group_by(by), key=lambda item: str(item[0])):
            score = metrics.macro_accuracy(rows["direction"].to_numpy(), rows["predicted"].to_numpy())
            found.append({"by": by, "slice": name, "rows": rows.height, "test": score} | quality(rows.sort("ts")))
    schema: dict[str, Any] = {"by": pl.String(), "slice": pl.String(), "rows": pl.Int64()}
    return pl.DataFrame(found, schema=schema | dict.fromkeys(("test", *QUALITY), pl.Float64()))


def _sigmas(panel: Stored) -> Iterator[pl.DataFrame]:
    return panel.parts("instrument", "ts", "sigma")


@dataclass(frozen=True)
class WalkForwardReport:
    """Scores of a candidate's folds as plain rows.

    Args:
        expanding: per fold, trained on all before it (`fold_scores`).
        sliding: per fold, trained on as many rows as the first one.
        slices: of the expanding folds' test rows (`slice_scores`).
    """

    expanding: list[dict[str, Any]]
    sliding: list[dict[str, Any]]
    slices: list[dict[str, Any]]


def report(
    rows: Rows, tuned: Tuned | None, predictions: pl.DataFrame, panel: Stored, threads: int
) -> WalkForwardReport:
    """The scores of stored predictions and of folds that slide; empty where nothing was tuned for too few rows."""
    if tuned is None:
        return WalkForwardReport([], [], [])
    folds = rows.folds(FIRST_SHARE, N_SPLITS, sliding=True)
    sliding = predict(rows, folds, trainer(tuned.model, tuned.options, threads))
    slices = slice_scores(with_regime(predictions.filter(pl.col("part") == "test"), panel))
    return WalkForwardReport(fold_scores(predictions).to_dicts(), fold_scores(sliding).to_dicts(), slices.to_dicts())


def probabilities(predictions: pl.DataFrame) -> np.ndarray:
    """The three probabilities as f64 (n, 3)."""
    return predictions.select("p_down", "p_neutral", "p_up").to_numpy()


def best_baseline(rows: Rows, train: np.ndarray, judge: np.ndarray) -> str:
    """The baseline with the best macro-accuracy on validation rows: chosen before the test is seen."""
    last = baselines.last_directions(rows.direction, rows.start, rows.end, rows.instrument)
    found = baselines.answers(baselines.fit(rows, train), rows.features[judge], last[judge])
    scores = {name: metrics.macro_accuracy(rows.direction[judge], answers) for name, answers in found.items()}
    return max(scores, key=lambda name: scores[name])


def _frame(
    rows: Rows,
    number: int,
    part: str,
    at: np.ndarray,
    p: np.ndarray,
    priors: np.ndarray,
    answers: Mapping[str, np.ndarray | None],
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
        "predicted": directions(p, priors),
    }
    head = [pl.lit(number, pl.Int64).alias("fold"), pl.lit(part).alias("part")]
    tail = [pl.lit(None, pl.Int8).alias(name) if a is None else pl.Series(name, a) for name, a in answers.items()]
    return pl.DataFrame(columns).select(*head, pl.all(), *tail)
