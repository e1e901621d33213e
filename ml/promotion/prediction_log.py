"""The log of served predictions: the answers of models, second by second, and their labels.

Here: the lines that a live runner writes, the table `served_predictions` of a day, and one model's answers of stored
days.
Not here: the journal that the lines are written to (`ml.capture.recorder`) and how it becomes the table
`prediction_log` (`ml.capture.seal`), what follows from the answers (`ml.promotion.triggers`).
"""

from collections.abc import Iterator, Mapping

import orjson
import polars as pl

from ml.core.paths import DataRoot, partition_of
from ml.core.time import bounds, date_of
from ml.learning.experiment import Experiment
from ml.learning.models.trained import TrainedModel
from ml.learning.tables import SERVED_PREDICTIONS
from ml.promotion.serving import Answer, Arm, Scored
from ml.promotion.shadow import label_spec
from ml.storage.commit import manifest, read
from ml.tables.schemas import SCHEMAS, horizons_of

LOG = "prediction_log"
ANSWERED = pl.Schema({"instrument": pl.String(), "ts": pl.Int64(), "direction": pl.Int8(), "predicted": pl.Int8()})
"""One model's answers: ts in ns UTC, the true class and the predicted one; null where there is none."""


def lines(experiment: str, instrument: str, recv_ts: int, scored: Scored, versions: Mapping[str, str]) -> bytes:
    """Rows of `prediction_log` as JSON lines: one for each model that was asked, or one that says there was none.

    Args:
        experiment: whose models.
        instrument: id of whose row.
        recv_ts: when the frame was received that closed the second, ns UTC.
        scored: both answers.
        versions: numbers in the registry by model.
    """
    about = {"instrument": instrument, "ts": scored.ts, "recv_ts": recv_ts, "experiment": experiment}
    arms: tuple[tuple[Arm, Answer | None], ...] = (("champion", scored.champion), ("beside", scored.beside))
    rows = [
        about
        | {
            "model": answer.model_id,
            "version": versions.get(answer.model_id),
            "arm": arm,
            "stage": scored.stage,
            "routed": scored.routed == arm,
            "served": answer is scored.served,
            "horizon": answer.horizon,
            **_probabilities(answer),
            "predicted": answer.direction,
            "reason": answer.reason,
            "processor_ns": answer.processor_ns,
        }
        for arm, answer in arms
        if answer is not None
    ]
    nobody = {"stage": scored.stage, "routed": False, "served": False, "reason": scored.withheld}
    return b"\n".join(map(orjson.dumps, rows or [about | nobody]))


def of_day(root: DataRoot, instrument: str, date: str, labels: pl.DataFrame) -> pl.DataFrame:
    """The table `served_predictions` of an instrument's UTC date, in order of time.

    Args:
        root: where the log is stored.
        instrument: its id.
        date: YYYY-MM-DD.
        labels: `future_labels` of the same partition.
    """
    start, end = bounds(date)
    parts = [pl.LazyFrame(schema=SCHEMAS[LOG])]
    for path, entry in sorted(manifest(root, LOG).items()):
        if entry.min_ts is not None and entry.max_ts is not None and entry.min_ts <= end and entry.max_ts > start:
            parts.append(read(root.root / path))
    # the second that ends at midnight lies in the day before, as everywhere
    own = (pl.col("instrument") == instrument) & (pl.col("ts") > start) & (pl.col("ts") <= end)
    rows = pl.concat(parts).filter(own).sort("ts", "recv_ts", maintain_order=True).collect()
    labelled = [_movements(labels, horizon) for horizon in horizons_of(labels.columns)]
    joined = rows.join(pl.concat(labelled), on=["ts", "horizon"], how="left", maintain_order="left")
    return SERVED_PREDICTIONS.conform(joined.drop("instrument"))


def answers(root: DataRoot, experiment: Experiment, model: TrainedModel) -> pl.DataFrame:
    """What a model said live of seconds after its training (`ANSWERED`), whether its answer was given out or not.

    A second is a row wherever the model was asked: `predicted` is null where it gave no class, `direction` where it is
    not labelled.
    """
    parts = [pl.DataFrame(schema=ANSWERED), *_answers(root, experiment, model)]
    return pl.concat(parts).unique(["instrument", "ts"], keep="first", maintain_order=True).sort("ts", "instrument")


def _answers(root: DataRoot, experiment: Experiment, model: TrainedModel) -> Iterator[pl.DataFrame]:
    spec, since = label_spec(model), model.card.trained_until
    own = (pl.col("model") == model.id) & (pl.col("experiment") == experiment.name) & (pl.col("ts") >= since)
    for path in sorted(manifest(root, SERVED_PREDICTIONS.name)):
        _, date, instrument = partition_of(path)
        if date < date_of(since) or (experiment.instruments and instrument not in experiment.instruments):
            continue
        rows = read(root.root / path).filter(own).collect()
        is_labelled = pl.all_horizontal(pl.col("movement", "sigma", "half_spread").is_not_null())
        values = [rows[name].fill_null(0.0).to_numpy() for name in ("movement", "half_spread", "sigma")]
        classes = rows.select(is_labelled=is_labelled, direction=pl.Series(spec.apply(*values), dtype=pl.Int8()))
        yield rows.select(
            pl.lit(instrument).alias("instrument"),
            "ts",
            classes.select(pl.when("is_labelled").then("direction")).to_series().alias("direction"),
            "predicted",
        )


def _probabilities(answer: Answer) -> dict[str, float | None]:
    names = ("p_down", "p_neutral", "p_up")
    if answer.probabilities is None:
        return dict.fromkeys(names)
    return dict(zip(names, answer.probabilities.tolist(), strict=True))


def _movements(labels: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """The labels of one horizon (s), by time."""
    named = {name: f"{name}_{horizon}s" for name in ("movement", "sigma", "label_end")}
    return labels.select("ts", "half_spread", horizon=pl.lit(horizon, pl.Int64), **named)
