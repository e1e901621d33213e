"""Canaries and parity over the stored partitions of a dataset.

Here: reading the partitions that the panel was made of and running the checks on them.
Not here: the checks (`ml.evaluation.canaries.model`, `ml.evaluation.parity`), their thresholds
(`ml.evaluation.gates`).
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.core.prefetch import prefetch
from ml.evaluation import pressure_parity
from ml.evaluation.canaries import model
from ml.evaluation.findings import Canary, ParityReport
from ml.evaluation.parity import Parity, replay
from ml.features.pressure.table import TABLE as PRESSURE
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, Source
from ml.learning.walk_forward import trainer
from ml.market.days.samples import tail
from ml.market.days.tables import BOOK, samples_array
from ml.storage.commit import read
from ml.storage.parquet import Stored

STRONG_MODEL = "lightgbm"
STRONG = {"num_leaves": 31, "min_data_in_leaf": 20, "learning_rate": 0.1}
STRONG_ROUNDS = 60
THREADS = 1
"""A model large enough to find any leak that splits or training let through."""


def partitions(sources: Iterable[Source]) -> list[Source]:
    """The partitions of a dataset by instrument, then date."""
    return sorted(sources, key=lambda source: (source.instrument, source.date))


def run_canaries(root: DataRoot, configuration: Config, sources: Iterable[Source]) -> list[Canary]:
    """All canaries on the samples of the largest partition."""
    largest = max(partitions(sources), key=lambda source: source.rows)
    samples = _samples(root, largest)
    strong = trainer(STRONG_MODEL, STRONG | {"rounds": STRONG_ROUNDS}, THREADS)
    instrument = configuration.instrument(largest.instrument, largest.date)
    return model.run(samples, instrument, strong, FIRST_SHARE, N_SPLITS)


def run_parity(root: DataRoot, configuration: Config, sources: Iterable[Source]) -> ParityReport:
    """Counts of rows, rows with values and mismatches over all partitions, and the first mismatch."""
    total = Parity()
    ordered = partitions(sources)
    for instrument, found in groupby(
        ordered, key=lambda source: configuration.instrument(source.instrument, source.date)
    ):
        dates = [source.date for source in found]
        features = pl.concat([read(root.partition("features", date, instrument.id)).collect() for date in dates])
        total.add(replay(_raw(root, instrument.id, dates), features, instrument))
        for source in (one for one in ordered if one.pressure and one.instrument == instrument.id):
            if source.date in dates:
                total.add(_of_pressure(root, instrument, source.date))
    return total.report()


def _of_pressure(root: DataRoot, instrument: Instrument, date: str) -> Parity:
    raw = Stored(root.partition("raw_frames", date, instrument.id))
    before = tail(raw.group(0), instrument, date)
    opening = next(Stored(root.partition("book_events", date, instrument.id)).parts(*BOOK), pl.DataFrame())
    stored = read(root.partition(PRESSURE, date, instrument.id)).collect()
    return pressure_parity.replay(raw.parts(), opening, before, stored, instrument, date)


def serving_samples(root: DataRoot, sources: Iterable[Source]) -> tuple[str, np.ndarray]:
    """Instrument and samples of the last partition: what the serving path would have seen."""
    last = max(sources, key=lambda source: (source.date, source.instrument))
    return last.instrument, _samples(root, last)


def _samples(root: DataRoot, source: Source) -> np.ndarray:
    return samples_array(read(root.partition("book_samples", source.date, source.instrument)).collect())


def _raw(root: DataRoot, instrument_id: str, dates: list[str]) -> Iterator[Iterator[pl.DataFrame]]:
    for date in dates:
        yield prefetch(Stored(root.partition("raw_frames", date, instrument_id)).parts())
