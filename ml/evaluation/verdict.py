"""Canaries, parity and coverage over stored partitions.

Here: reading the partitions that a selection names and running the checks on them.
Not here: the checks (`ml.evaluation.canaries.model`, `ml.evaluation.parity`), their bars (`ml.evaluation.gates`).
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot, partition_of
from ml.core.prefetch import prefetch
from ml.evaluation.canaries import model
from ml.evaluation.parity import Parity, replay
from ml.features.sets import BASE, WHOLE
from ml.features.tick.online import OnlineFeatures
from ml.labels import future
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, Selection
from ml.learning.training_features import PRIMARY
from ml.learning.walk_forward import trainer
from ml.market.days.tables import samples_array
from ml.storage.commit import Entry, read
from ml.storage.parquet import Stored
from ml.tables.schemas import NullReason

STRONG = {"num_leaves": 31, "min_data_in_leaf": 20, "learning_rate": 0.1}
STRONG_ROUNDS = 60
THREADS = 1
"""A model large enough to find any leak that splits or training let through."""


def partitions(root: DataRoot, selection: Selection) -> list[tuple[str, str, Entry]]:
    """Instrument, date and manifest entry of the selected partitions, by instrument, then date."""
    found = [(partition_of(entry.path), entry) for entry in selection.entries(root)]
    return sorted(((key.instrument, key.date, entry) for key, entry in found), key=lambda item: item[:2])


def run_canaries(root: DataRoot, listed: Config, selection: Selection) -> list[dict[str, Any]]:
    """All canaries on the samples of the largest selected partition, as dictionaries."""
    instrument_id, date, _ = max(partitions(root, selection), key=lambda item: item[2].rows)
    samples = _samples(root, instrument_id, date)
    strong = trainer(STRONG, STRONG_ROUNDS, THREADS)
    results = model.run(samples, listed.instrument(instrument_id, date), strong, FIRST_SHARE, N_SPLITS)
    return [vars(result) | {} for result in results]


def run_parity(root: DataRoot, listed: Config, selection: Selection) -> dict[str, Any]:
    """Counts of rows, rows with values and mismatches over all selected partitions, and the first mismatch."""
    total = Parity()
    for instrument, days in groupby(partitions(root, selection), key=lambda item: listed.instrument(*item[:2])):
        dates = [date for _, date, _ in days]
        features = pl.concat([read(root.partition("features", date, instrument.id)).collect() for date in dates])
        total.add(replay(_raw(root, instrument.id, dates), features, instrument))
    return total.counts() | {"first_mismatch": total.first}


def label_coverage(root: DataRoot, selection: Selection) -> dict[str, tuple[float, int]]:
    """Share of rows labelled at the primary horizon, and rows, by partition."""
    shares: dict[str, tuple[float, int]] = {}
    for instrument_id, date, entry in partitions(root, selection):
        share = future.coverage(read(root.root / entry.path).collect())[f"{PRIMARY}s"]
        shares[f"{date}|{instrument_id}"] = (share, entry.rows)
    return shares


def never_complete(root: DataRoot, listed: Config, selection: Selection) -> dict[str, str]:
    """The selected instruments without one row that has every feature and a label; what is null in them, and why."""
    found: dict[str, str] = {}
    for instrument_id, days in groupby(partitions(root, selection), key=lambda item: item[0]):
        chosen = list(days)
        rows = pl.concat(
            [
                read(root.root / entry.path).select(*BASE.columns, f"movement_{PRIMARY}s").collect()
                for *_, entry in chosen
            ]
        )
        if rows.drop_nulls().is_empty():
            nulls = {name: rows[name].null_count() for name in BASE.columns}
            most = max(nulls.values())
            first, *others = [name for name, count in nulls.items() if count == most]
            columns = f"{first} and {len(others)} more columns" if others else first
            where = f"all {rows.height:,}" if most == rows.height else f"{most:,} of {rows.height:,}"
            reasons = _reasons(root, listed.instrument(instrument_id), [date for _, date, _ in chosen], first)
            why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
            found[instrument_id] = f"{columns} null in {where} rows ({why})"
    return found


def _reasons(root: DataRoot, instrument: Instrument, dates: list[str], feature: str) -> Counter[str]:
    """Rows by null reason of one feature, computed once more: tables keep one reason for each family of features."""
    found: Counter[str] = Counter()
    position = WHOLE.columns.index(feature)
    for date in dates:
        samples = _samples(root, instrument.id, date)
        online = OnlineFeatures(instrument)
        for i in range(len(samples)):
            online.compute(samples, i)
            code = NullReason(int(online.codes[position]))
            if code:
                found[code.name.lower()] += 1
    return found


def serving_samples(root: DataRoot, selection: Selection) -> tuple[str, np.ndarray]:
    """Instrument and samples of the last selected partition: what the serving path would have seen."""
    instrument_id, date, _ = max(partitions(root, selection), key=lambda item: (item[1], item[0]))
    return instrument_id, _samples(root, instrument_id, date)


def _samples(root: DataRoot, instrument_id: str, date: str) -> np.ndarray:
    return samples_array(read(root.partition("book_samples", date, instrument_id)).collect())


def _raw(root: DataRoot, instrument_id: str, dates: list[str]) -> Iterator[Iterator[pl.DataFrame]]:
    for date in dates:
        yield prefetch(Stored(root.partition("raw_frames", date, instrument_id)).parts())
