"""Decisions from the feature level: a simulated market, its features and labels, learning and the gates, no storage."""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from ml.core.time import DAY_NS, date_of
from ml.evaluation import gates
from ml.evaluation.gates import Rival
from ml.features.tick.build import build
from ml.labels import future
from ml.learning import dataset as panels
from ml.learning import walk_forward
from ml.learning.experiment import DEFAULT
from ml.learning.rows import Rows
from ml.learning.training_features import join
from ml.learning.tuning import tune
from ml.market.book.sampler import Sampler
from ml.market.days.tables import samples_frame
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate

DATE = "2025-03-03"
SECONDS = 12 * 3600
START_NS = int(datetime(2025, 3, 3, 6, tzinfo=UTC).timestamp()) * 10**9


@dataclass(frozen=True)
class Outcome:
    """What one market led to."""

    seed: int
    decision: str
    gain: float
    detail: str


def training_rows(seed: int, ic: float, seconds: int = SECONDS, day: int = 0) -> pl.DataFrame:
    """Features and labels of a market without outage, all in one UTC date, `day` days after DATE."""
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(seed, seconds, Alpha(ic))), START_NS + day * DAY_NS))
    samples = sampler.samples[: sampler.released].copy()
    tail = samples[:0]
    labels = future.label(samples_frame(samples), tail, date_of(START_NS + day * DAY_NS))
    return join(build(samples, tail, INSTRUMENT), labels, INSTRUMENT.id)


def decide(seed: int, ic: float, half_days: int = 1) -> Outcome:
    """Ask the gates that judge a model; those that need stored files are left out.

    Each half day is a market of its own, of the seeds `seed`, `seed + 1000`, and so on.
    """
    rows = pl.concat([training_rows(seed + 1_000 * day, ic, day=day) for day in range(half_days)])
    block = panels.first_block(rows, DEFAULT)
    panel = panels.build(rows, panels.spec_of(block, DEFAULT), DEFAULT)
    arrays = Rows.of(panel, DEFAULT.feature_set.columns)
    tuned = tune(arrays, DEFAULT, threads=1)
    assert tuned is not None
    predictions = walk_forward.panel_predictions(arrays, tuned, threads=1)
    test = predictions.filter(pl.col("part") == "test")
    rival = Rival(tuned.baseline, test[tuned.baseline].to_numpy())
    asked = [
        gates.rows(panel.height, [INSTRUMENT.id], {}, ""),
        gates.improvement(test, rival, first=True, experiment=DEFAULT, source=""),
        gates.train_gap(predictions, DEFAULT, ""),
        gates.calibration(test, rival, DEFAULT, ""),
    ]
    return Outcome(seed, gates.decide(asked), float(asked[1].value or 0.0), asked[1].detail)


__all__ = ["DATE", "START_NS", "Outcome", "decide", "training_rows"]
