"""Canaries, parity and coverage over what is stored."""

import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.core import config
from ml.core.config import Config
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.evaluation import gates, verdict
from ml.features.tick.build import build
from ml.labels import future
from ml.learning import dataset
from ml.learning.dataset import PanelRecord, Selection
from ml.learning.experiment import DEFAULT
from ml.learning.training_features import join
from ml.market.book import layout
from ml.market.days.tables import samples_frame
from ml.simulation.instrument import INSTRUMENT
from ml.storage.commit import publish, read
from ml.storage.parquet import Stored
from tests.support.samples import invalid, random_samples

ALL = Selection()
DAYS = ("2025-03-03", "2025-03-04")


@pytest.fixture(scope="module")
def damaged(ingested, tmp_path_factory):
    """The ingested root once more, with one value of the second day's features changed."""
    root = DataRoot(tmp_path_factory.mktemp("damaged") / "data")
    shutil.copytree(ingested.root, root.root)
    path = root.partition("features", DAYS[1], INSTRUMENT.id)
    rows = read(path).collect()
    here = pl.col("ts") == rows["ts"][1_000]
    publish(root, "features", path, rows.with_columns(qi_5=pl.when(here).then(0.125).otherwise(pl.col("qi_5"))), "")
    return root


def test_partitions_are_ordered_by_instrument_then_date(ingested):
    """Whichever order the dataset has them in."""
    sources = ALL.sources(ingested)
    assert [(p.instrument, p.date) for p in verdict.partitions(reversed(sources))] == [(INSTRUMENT.id, d) for d in DAYS]


def test_all_canaries_sing_on_the_largest_partition(ingested, monkeypatch):
    """As the gate takes them; a small model is quick."""
    monkeypatch.setattr(verdict, "STRONG_ROUNDS", 5)
    found = verdict.run_canaries(ingested, config.load(ingested), ALL.sources(ingested))
    assert gates.canaries(found, "").outcome == "pass"
    assert [canary.name for canary in found] == ["truncation", "future_scramble", "planted_leak", "null_market"]


def test_parity_covers_every_row_and_finds_the_one_that_was_changed(ingested, damaged):
    """Each stored row of the selection is compared; the one changed value is named, and the gate fails."""
    second = Selection(start=DAYS[1]).sources(damaged)
    found = verdict.run_parity(damaged, config.load(damaged), second)
    ts = read(damaged.partition("features", DAYS[1], INSTRUMENT.id)).collect()["ts"][1_000]
    assert found.mismatches == 1
    assert found.rows == sum(source.rows for source in second)
    assert found.first_mismatch.startswith(f"{ts} qi_5: batch 0.125, live ")
    assert gates.parity(found, "").outcome == "fail"
    sound = verdict.run_parity(ingested, config.load(ingested), second)
    assert (sound.mismatches, gates.parity(sound, "").outcome) == (0, "pass")


def made_of(root, config, spec=None):
    """The record of a panel that is made of all that is stored."""
    sources = ALL.sources(root)
    path = root.whole("dataset_panel")
    publish(root, "dataset_panel", path, dataset.panel(root, config, sources, spec, DEFAULT), "")
    return PanelRecord.of(Stored(path))


def test_coverage_is_the_share_of_labelled_rows(ingested, damaged):
    """By partition, with its rows."""
    found = made_of(damaged, config.load(damaged)).label_coverage
    for day in DAYS:
        rows = read(ingested.partition(FEATURE_GROUP, day, INSTRUMENT.id)).collect()
        share = rows["movement_10s"].is_not_null().mean()
        assert found[f"{day}|{INSTRUMENT.id}"] == (pytest.approx(share), rows.height)
        assert 0.8 < share < 1
    assert gates.coverage(found, "").outcome == "pass"


def store_rows(root, samples, instrument, day=DAYS[0]):
    """Samples of a day, and their features and labels, stored as the assets would."""
    tail = samples[:0]
    features = build(samples, tail, instrument)
    labels = future.label(samples_frame(samples), tail, day)
    rows = {"book_samples": samples_frame(samples), FEATURE_GROUP: join(features, labels, instrument.id)}
    for table, frame in rows.items():
        publish(root, table, root.partition(table, day, instrument.id), frame, "")


OTHER = replace(INSTRUMENT, id="sim.OTHER")


def listing(root):
    return Config(root.root, date.fromisoformat(DAYS[0]), date.fromisoformat(DAYS[1]), (INSTRUMENT, OTHER))


@pytest.mark.parametrize("rows", [(300, 120, 150), (150, 300, 120), (120, 150, 300)])
def test_canaries_run_on_the_partition_with_the_most_rows(root, rows, monkeypatch):
    """Whichever instrument and day it is of."""
    partitions = [(INSTRUMENT, DAYS[0]), (INSTRUMENT, DAYS[1]), (OTHER, DAYS[0])]
    for (instrument, day), count in zip(partitions, rows, strict=True):
        store_rows(root, random_samples(count, 1), instrument, day)
    asked = []
    monkeypatch.setattr(verdict.model, "run", lambda samples, instrument, *_: asked.append((samples, instrument)) or [])
    verdict.run_canaries(root, listing(root), ALL.sources(root))
    ((samples, instrument),) = asked
    assert (len(samples), instrument) == (300, partitions[rows.index(300)][0])
    np.testing.assert_array_equal(samples, random_samples(300, 1))


@pytest.mark.parametrize(
    ("levels", "broken_every", "says"),
    [
        (1, 1_000, "slope_bid and 3 more columns null in all 400 rows (undefined 399, invalid_book 1)"),
        (20, 20, "depth_bid_5 and 13 more columns null in all 400 rows (warm_up 380, invalid_book 20)"),
    ],
    ids=["one level", "short runs"],
)
def test_an_instrument_whose_rows_are_never_complete_is_named_with_the_reason(root, levels, broken_every, says):
    """The first column that is null most often, and why by null reason; the other instrument has complete rows."""
    samples = random_samples(400, 1, levels)
    for start in range(0, 400, broken_every):
        samples = invalid(samples, start, 1)
    store_rows(root, samples, INSTRUMENT)
    store_rows(root, random_samples(400, 1), OTHER)
    assert made_of(root, listing(root)).never_complete == {INSTRUMENT.id: says}


def test_latency_is_measured_on_the_latest_samples(ingested):
    """Those of the last date, as the kernel wrote them."""
    instrument, samples = verdict.serving_samples(ingested, ALL.sources(ingested))
    stored = read(ingested.partition("book_samples", DAYS[1], INSTRUMENT.id)).collect()
    assert (instrument, samples[:, layout.TS].tolist()) == (INSTRUMENT.id, stored["ts"].to_list())
    assert samples[:, layout.BID_PRICE].tolist() == stored["bid_price_1"].fill_null(0).to_list()
