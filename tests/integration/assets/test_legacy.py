"""The predecessor's files as Dagster materializes them."""

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.legacy import Legacy
from ml.core import config
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.storage import commit, durable
from tests.conftest import default_dates
from tests.integration.assets.play import columns_of, drawn, made, make, shown
from tests.support import legacy_files, legacy_patterns

TABLES = ["legacy_samples", "legacy_layering", "legacy_candles"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder of every kind of file, materialized; data root, result, and what must become of the samples."""
    folder = tmp_path_factory.mktemp("old")
    root = DataRoot(tmp_path_factory.mktemp("new"))
    truth = legacy_files.everything(folder)
    legacy_patterns.every_pattern(folder)
    np.save(folder / "hlcv.npy", np.full((3, 1, 4), 5.0))
    configuration = Config(root.captures, *default_dates(), (Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1),))
    durable.write_text(root.config, config.render(configuration))
    given = Legacy(folder=str(folder), candles_start="2025-03-01", candles_symbols="BTCUSDT")
    settings = dg.RunConfig(ops=dict.fromkeys(TABLES, given))
    return root, make(root, *TABLES, date=None, experiment=None, run_config=settings), truth


def test_each_kind_is_an_asset(run):
    """Materialized from the folder that the run names, through the commit protocol."""
    root, result, _ = run
    assert made(result) == set(TABLES)
    assert all(commit.manifest(root, table) for table in TABLES)


def test_a_person_sees_what_became_of_the_rows(run):
    """The counts of the report."""
    _, result, truth = run
    metadata = shown(result, "legacy_samples")
    assert metadata["dagster/row_count"].value == len(truth.samples)
    assert metadata["quarantined"].value == truth.quarantined
    assert shown(result, "legacy_candles")["kept"].value == 3


def test_a_person_sees_columns_and_a_picture(run):
    """The columns are those of the stored files."""
    root, result, _ = run
    for table in TABLES:
        (stored, *_) = (pl.read_parquet_schema(root.root / path) for path in commit.manifest(root, table))
        assert set(stored) == {column.name for column in columns_of(table)}, table
        assert drawn(result, table, "rows by fate")[0].startswith(b"\x89PNG")
