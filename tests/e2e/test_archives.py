"""Recorded archives through Dagster: partitions of other venues than the demo's, from file to samples."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ml.core.config import Config, render
from ml.core.paths import DataRoot
from ml.market.days.infer_instrument import infer_instrument
from ml.storage.durable import write_text
from tests.support.scenario import chain_of

PROJECT = Path(__file__).parents[2]
GDAX = "coinbase-spot.BTC-USD"
TRX = "binance-coinm.TRXUSD_PERP"
FUTURE = "binance-usdm.BTCUSDT"
PERPETUAL = "deribit.BTC-PERPETUAL"
PARTITIONS = {
    ("2018-04-17", GDAX): (18_093, 256),
    ("2018-04-24", GDAX): (193_848, 0),
    ("2025-03-04", TRX): (0, 10_000),
    ("2020-02-22", FUTURE): (0, 9_999),
    ("2020-09-01", FUTURE): (100, 0),
    ("2020-04-01", PERPETUAL): (15, 0),
}
"""Date and instrument -> level rows (those of asked-for snapshots apart) and trades."""
RUN = """
import sys
from pathlib import Path
import dagster as dg
from ml.core import settings
from ml.core.paths import DataRoot
from assets import raw, samples
from pipelines.definitions import resources_of
from tests.support.scenario import listing
assets = dg.load_assets_from_modules([raw, samples])
for key in sys.argv[1:]:
    date, instrument = key.split("|")
    partition = dg.MultiPartitionKey({"date": date, "instrument": instrument})
    resources = resources_of(DataRoot(settings.load().data_root))
    with listing(instrument) as instance:
        assert dg.materialize(assets, partition_key=partition, resources=resources, instance=instance).success
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def imported(market, tmp_path_factory) -> DataRoot:
    """A data root with the partitions of all recorded archives; links to their files are its captures."""
    root = DataRoot(tmp_path_factory.mktemp("archives"))
    root.captures.mkdir()
    for folder in ("gdax_btcusd", "tardis_csv", "binance_csv_trx"):
        for path in (market / folder).iterdir():
            (root.captures / path.name).symlink_to(path)
    chain = chain_of(root.captures)
    instruments = tuple(infer_instrument(chain, instrument) for instrument in chain.instruments())
    write_text(root.config, render(Config(root.captures, date(2018, 4, 17), date(2025, 3, 4), instruments)))
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root), "POLARS_MAX_THREADS": "2"}
    command = [sys.executable, "-c", RUN, *map("|".join, PARTITIONS)]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return root


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("key", "counts"), PARTITIONS.items(), ids=map("|".join, PARTITIONS))
def test_a_partition_holds_what_the_archive_holds(imported, key, counts):
    """Every level row and every trade of the file, and nothing more."""
    tables = {t: pl.read_parquet(imported.partition(t, *key)) for t in ("book_events", "trades")}
    asked = pl.col("flags") & 1 > 0 if key[1] == GDAX else pl.lit(value=False)
    rows = tables["book_events"].filter(pl.col("side") != 0, ~asked).height
    merged = 1 if key[1] == GDAX else 0  # the first update stands in the snapshot's message, which takes its time
    assert (rows + merged, tables["trades"].height) == counts


def test_the_last_mid_of_the_recorded_hour(imported):
    """From the sampled table: 9227.615, and no second before the hour is valid, though the files reach a week back."""
    samples = pl.read_parquet(imported.partition("book_samples", "2018-04-24", GDAX)).filter("valid")
    last = samples.row(-1, named=True)
    assert (last["bid_price_1"] + last["ask_price_1"]) / 200 == pytest.approx(9227.615, abs=1e-9)
    assert 3_590 < samples.height <= 3_600


def test_what_is_no_book_is_on_record(imported):
    """Diffs without a snapshot are never valid, and the ledger gives the reason."""
    (row,) = pl.read_parquet(imported.partition("validity", "2025-03-04", TRX)).to_dicts()
    assert (row["end_reason"], row["start_ts"] == row["end_ts"]) == ("no_snapshot", True)
    assert pl.read_parquet(imported.partition("quarantine", "2025-03-04", TRX))["reason"].to_list() == ["clock_back"]
