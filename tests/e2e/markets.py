"""Decisions on simulated markets, from stored features on: the panel, training, every gate, the record.

The market goes through the kernel without frames, so that nothing is decoded and no event is stored: parity is that of
feature rows, and the gate of money, which counts from 30 UTC days on, has nothing to trade.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory, mkdtemp

import polars as pl

from ml.core.config import Config
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.core.time import DAY_NS, date_of
from ml.core.versions import TRAINING_FEATURES, code_version
from ml.evaluation import verdict
from ml.evaluation.backtest_report import BacktestReport, Execution
from ml.evaluation.findings import ParityReport
from ml.evaluation.parity import Batch, Parity
from ml.features.tick.build import build
from ml.features.tick.online import OnlineFeatures
from ml.labels import future
from ml.learning import dataset, walk_forward
from ml.learning.candidate import Candidate, train
from ml.learning.dataset import PanelRecord, Selection
from ml.learning.experiment import DEFAULT
from ml.learning.training_features import join
from ml.learning.tuning import tune
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.market.days.tables import samples_frame
from ml.promotion.deployment import Evidence
from ml.promotion.deployment import decide as decide_on
from ml.promotion.registry import Registry
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate
from ml.storage.commit import publish
from ml.storage.parquet import Stored

SECONDS = 12 * 3600
START_NS = int(datetime(2025, 3, 3, 6, tzinfo=UTC).timestamp()) * 10**9
FIRST = date(2025, 3, 3)
Leak = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Of features and labels: features with something that was not known at their time."""


@dataclass(frozen=True)
class Outcome:
    """What one market led to: the decision, each gate's outcome, and what the gate of improvement says."""

    seed: int
    decision: str
    gates: dict[str, str]
    detail: str

    @property
    def not_passed(self) -> str:
        """Gates that did not pass, with their outcome."""
        return ", ".join(f"{name} {outcome}" for name, outcome in self.gates.items() if outcome != "pass")


def decide(seed: int, ic: float, half_days: int = 1, leak: Leak | None = None) -> Outcome:
    """Train on a market and decide; each half day is a market of its own, of the seeds `seed`, `seed + 1000`, ...

    Args:
        seed: of the first half day.
        ic: information coefficient of what is planted.
        half_days: on consecutive dates.
        leak: what it does to the features before they are stored.
    """
    with TemporaryDirectory() as folder:
        root = DataRoot(Path(folder))
        copytree(_empty_store(), root.mlflow)
        parity = Parity()
        for day in range(half_days):
            parity.add(_stored_day(root, seed + 1_000 * day, ic, day, leak))
        record = _decided(root, parity.report())
    gates = {gate["name"]: gate for gate in record["gates"]}
    outcomes = {name: gate["outcome"] for name, gate in gates.items()}
    return Outcome(seed, record["decision"], outcomes, gates["improvement"]["detail"])


def _stored_day(root: DataRoot, seed: int, ic: float, day: int, leak: Leak | None) -> Parity:
    """Store samples and training features of a market without outage, and compare its features with live rows."""
    start = START_NS + day * DAY_NS
    name = date_of(start)
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(seed, SECONDS, Alpha(ic))), start))
    samples = sampler.samples[: sampler.released].copy()
    features = build(samples, samples[:0], INSTRUMENT)
    frame = samples_frame(samples)
    labels = future.label(frame, samples[:0], name)
    if leak is not None:
        features = leak(features, labels)
    rows = join(features, labels, INSTRUMENT.id)
    for table, made in (("book_samples", frame), (FEATURE_GROUP, rows)):
        publish(root, table, root.partition(table, name, INSTRUMENT.id), made, code_version(TRAINING_FEATURES))
    batch, online = Batch(features), OnlineFeatures(INSTRUMENT)
    for i in range(len(samples)):
        online.compute(samples, i)
        batch.compare(int(samples[i, layout.TS]), online)
    return batch.finish(whole=True)


def _decided(root: DataRoot, parity: ParityReport) -> dict:
    """The record of the decision on all stored days, made by the product's own steps."""
    config = Config(root.captures, FIRST, None, (INSTRUMENT,))
    sources = Selection.of(DEFAULT).sources(root)
    spec = dataset.fit_spec(root, sources, DEFAULT)
    version = code_version(TRAINING_FEATURES)
    publish(
        root, "dataset_panel", root.whole("dataset_panel"), dataset.panel(root, config, sources, spec, DEFAULT), version
    )
    panel = Stored(root.whole("dataset_panel"))
    rows = dataset.rows_of(panel, root)
    tuned = tune(rows, DEFAULT, threads=1)
    assert tuned is not None
    predictions = walk_forward.panel_predictions(rows, tuned, threads=1)
    entry = publish(root, "fold_predictions", root.whole("fold_predictions"), predictions, version)
    made = PanelRecord.of(panel)
    candidate = Candidate(train(root, rows, DEFAULT, spec, tuned, threads=1), made.dataset_id)
    canaries = verdict.run_canaries(root, config, made.sources)
    money = BacktestReport(entry.sha256, tuned.baseline, Execution())
    evidence = Evidence(made, tuned, predictions, candidate, canaries, parity, money)
    return decide_on(root, config, Registry(root), evidence)


@lru_cache
def _empty_store() -> Path:
    """An MLflow store in which nothing has happened; making one takes seconds."""
    root = DataRoot(Path(mkdtemp(prefix="lobforge-store-")))
    Registry(root)
    return root.mlflow


def the_label(features: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """A feature that is made of the movement which the label is made of."""
    movement = labels["movement_10s"].fill_null(0.0)
    told = pl.when(pl.col("net_imb_30s").is_not_null()).then(1e4 * movement)  # no baseline looks at this one
    return features.with_columns(net_imb_30s=told)


def centred(features: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
    """A moving average that looks as far ahead as back: the commonest leak."""
    mean = pl.col("ofi_1_5s").rolling_mean(21, min_samples=1, center=True)
    return features.with_columns(ofi_1_5s=pl.when(pl.col("ofi_1_5s").is_not_null()).then(mean))


def scaled_by_the_day(features: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
    """A feature in units of its spread over the whole day: small, and known only at the day's end."""
    return features.with_columns(pl.col("qi_1") / pl.col("qi_1").std())


LEAKS: tuple[Leak, ...] = (the_label, centred, scaled_by_the_day)
