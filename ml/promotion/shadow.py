"""What two models say of stored rows that neither was trained on: the shadow of a challenger, day by day.

Here: the table `shadow_scores`, and two versions compared on it.
Not here: looks at a running challenge (`ml.promotion.comparison`), rows one by one (`ml.promotion.replay`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.core.config import LifecyclePlan
from ml.core.errors import DatasetError
from ml.core.paths import DataRoot
from ml.core.time import date_of, text_of
from ml.evaluation.ab_test import Look, look
from ml.labels.spec import LabelSpec
from ml.learning.dataset import Selection, days
from ml.learning.experiment import Experiment
from ml.learning.metrics import macro_accuracy
from ml.learning.models.trained import TrainedModel
from ml.learning.tables import SHADOW_SCORES
from ml.promotion import comparison

CLASSES = ("down", "neutral", "up")


@dataclass(frozen=True)
class Compared:
    """Two models on the same rows: macro-accuracy of each, share of rows on which one alone is right, and the test."""

    rows: int
    first: float
    second: float
    discordance: float
    look: Look


def scores(
    root: DataRoot, experiment: Experiment, champion: TrainedModel, beside: TrainedModel, since: int = 0
) -> pl.DataFrame:
    """The table `shadow_scores`: every stored row with a label that lies after all that both models were trained on.

    Args:
        root: where `training_features` are stored.
        experiment: which instruments and dates, and the spacing of rows.
        champion: its label spec says what the classes are.
        beside: the other model.
        since: earlier rows do not count, ns UTC.

    Raises:
        DatasetError: the models answer at different horizons, or nothing is stored.
    """
    horizon = champion.card.horizon
    if beside.card.horizon != horizon:
        raise DatasetError(
            f"Models {champion.id} and {beside.id} answer {horizon} s and {beside.card.horizon} s ahead: they cannot "
            "be compared. Choose two of the same horizon."
        )
    first = max(since, champion.card.trained_until, beside.card.trained_until)
    parts = list(_parts(root, experiment, champion, beside, first))
    return pl.concat(parts) if parts else pl.DataFrame(schema=SHADOW_SCORES.schema)


def answered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `shadow_scores` that both models answered, as `ml.promotion.comparison` takes them."""
    return rows.drop_nulls(["champion", "challenger"]).select(list(comparison.ANSWERS)).sort("ts", "instrument")


def compared(rows: pl.DataFrame, plan: LifecyclePlan, horizon: int) -> Compared:
    """One look at two models on rows of `shadow_scores`, the second as the challenger of the first.

    Raises:
        DatasetError: there is no row that both answered.
    """
    both = answered(rows)
    if both.is_empty():
        raise DatasetError(
            "No stored row is later than the training of both models and known to both. Store later days first."
        )
    direction, first, second = (both[name].to_numpy() for name in ("direction", "champion", "challenger"))
    discordance = float(((first == direction) != (second == direction)).mean())
    found = look(comparison.losses(both), comparison.design(plan, horizon))
    return Compared(
        both.height, macro_accuracy(direction, first), macro_accuracy(direction, second), discordance, found
    )


def label_spec(model: TrainedModel) -> LabelSpec:
    """The label spec that a model was trained with.

    Raises:
        DatasetError: its card names none.
    """
    if not model.card.label_spec:
        raise DatasetError(f"Model {model.id} names no label spec, so its classes are unknown. Train it again.")
    return LabelSpec(**model.card.label_spec)


def _parts(
    root: DataRoot, experiment: Experiment, champion: TrainedModel, beside: TrainedModel, first: int
) -> Iterator[pl.DataFrame]:
    h = f"{champion.card.horizon}s"
    spec = label_spec(champion)
    features = list(dict.fromkeys([*champion.card.features, *beside.card.features]))
    columns = ["instrument", "ts", *features, "half_spread", f"movement_{h}", f"sigma_{h}", f"label_end_{h}"]
    sources = [one for one in Selection.of(experiment).sources(root) if one.date >= date_of(first)]
    for day in days(root, sources, columns):
        rows = day.filter(pl.col("ts") >= first).drop_nulls([f"movement_{h}", f"sigma_{h}"])
        if rows.is_empty():
            continue
        movement, half_spread, sigma = (
            rows[name].to_numpy() for name in (f"movement_{h}", "half_spread", f"sigma_{h}")
        )
        said = {"champion": _answers(champion, rows), "challenger": _answers(beside, rows)}
        yield SHADOW_SCORES.conform(
            rows.select("instrument", "ts", label_end=f"label_end_{h}", movement=f"movement_{h}").with_columns(
                direction=pl.Series(spec.apply(movement, half_spread, sigma)),
                **{name: answers["class"] for name, answers in said.items()},
                **{f"{name}_p_{kind}": answers[kind] for name, answers in said.items() for kind in CLASSES},
            )
        )


def _answers(model: TrainedModel, rows: pl.DataFrame) -> pl.DataFrame:
    """Class and probabilities of each row; null where a feature of the model is unknown."""
    known = rows.select(pl.all_horizontal(pl.col(model.card.features).is_not_null())).to_series().to_numpy()
    p = np.full((rows.height, 3), np.nan)
    at = np.flatnonzero(known)
    classes = np.full(rows.height, -1, np.int8)
    if at.size:
        p[at] = model.probabilities(rows.select(model.card.features).to_numpy()[at].astype(np.float64))
        classes[at] = model.directions(p[at])
    frame = pl.DataFrame({"class": classes} | {name: p[:, k] for k, name in enumerate(CLASSES)})
    return frame.with_columns(
        pl.when(pl.col("class") >= 0).then(pl.col("class")).alias("class"), pl.col(CLASSES).fill_nan(None)
    )


def waiting(rows: pl.DataFrame, since: int) -> str | None:
    """Why stored rows say nothing of a stage that began at a time (ns UTC); None if they do."""
    if rows.is_empty():
        return "no stored row is later than the training of both models"
    last = int(rows["ts"].max())  # type: ignore[arg-type]
    return None if last >= since else f"stored rows end at {text_of(last)}, the stage began at {text_of(since)}"
