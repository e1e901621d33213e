"""Bare candle arrays."""

import gzip
import io

import numpy as np
import polars as pl
import pytest

from ml.core.instruments import Instrument
from ml.core.time import MINUTE, bounds
from ml.legacy import candles
from ml.legacy.candles import Grid
from ml.legacy.columns import CANDLES
from ml.legacy.sources import find
from ml.storage import commit
from ml.tables.spec import conform

BTC = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
ETH = Instrument("bybit-linear.ETHUSDT", 2, 2, 1, 1)
START = bounds("2025-03-01")[0]
GRID = Grid(START, "1m", (BTC, ETH))


def write(folder, array, name="x_hlcv.npy"):
    np.save(folder / name, array)


def run(root, folder, grid=GRID, **options):
    return candles.migrate(root, find(folder).of("candles"), grid, **options)


def flat(n=3):
    """Candles (n, 2, 4) that are all alike."""
    return np.tile(np.array([101.5, 100.0, 100.5, 12.34]), (n, 2, 1))


def test_values_are_whole_units_at_the_close(root, tmp_path):
    """What the array has not stays null: no open is invented."""
    write(tmp_path, flat())
    report = run(root, tmp_path)
    rows = conform(commit.load(root.partition(candles.TABLE, "2025-03-01", BTC.id)), CANDLES, candles.TABLE)
    assert rows["ts"].to_list() == [START + k * MINUTE for k in (1, 2, 3)]
    assert rows.select("open", "high", "low", "close", "volume", "notional").row(0) == (
        None,
        1015,
        1000,
        1005,
        None,
        123400,
    )
    assert (report["rows"], report["kept"], report["files_written"]) == (6, 6, 2)


def test_the_candle_that_ends_at_midnight_is_of_the_day_that_ends(root, tmp_path):
    """As everywhere in the store."""
    write(tmp_path, flat(1_441))
    run(root, tmp_path)
    assert commit.load(root.partition(candles.TABLE, "2025-03-01", ETH.id)).height == 1_440
    assert commit.load(root.partition(candles.TABLE, "2025-03-02", ETH.id)).height == 1


@pytest.mark.parametrize(
    "values",
    [
        (99.0, 100.0, 100.5, 1.0),
        (101.5, 100.0, 99.5, 1.0),
        (101.55, 100.0, 100.5, 1.0),
        (101.5, 100.0, 100.5, -1.0),
        (np.nan, 100.0, 100.5, 1.0),
        (101.5, 100.0, 100.5, np.inf),
    ],
)
def test_an_impossible_candle_is_quarantined(root, tmp_path, values):
    """Prices out of order, off the grid, or no numbers."""
    array = flat()
    array[1, 0] = values
    write(tmp_path, array)
    report = run(root, tmp_path)
    assert (report["rows"], report["kept"], report["quarantined"]) == (6, 5, {"bad_candle": 1})


@pytest.mark.parametrize("grid", [None, Grid(START, "1m", (BTC,))])
def test_without_times_and_names_an_array_is_quarantined(root, tmp_path, grid):
    """Only the caller knows them."""
    write(tmp_path, flat())
    assert run(root, tmp_path, grid)["quarantined"] == {"no_start": 6}


def test_a_second_run_and_a_dry_run_change_nothing(root, tmp_path):
    """Nor does another array of the same candles add any."""
    write(tmp_path, flat())
    assert run(root, tmp_path, dry_run=True)["files_written"] == 0
    assert not root.table(candles.TABLE).exists()
    run(root, tmp_path)
    assert run(root, tmp_path)["files_written"] == 0
    write(tmp_path, flat(2), "y_hlcv.npy")
    assert (run(root, tmp_path)["kept"], run(root, tmp_path)["duplicates"]) == (6, 4)


def test_the_recorded_array_is_migrated_whole(root, market, tmp_path):
    """24 days of two coins, each value as in the array."""
    name = "bybit_btc_eth_1m_20250301_20250325_hlcv.npy.gz"
    array = np.load(io.BytesIO(gzip.decompress((market / "candles" / name).read_bytes())))
    report = run(root, market / "candles" / name)
    assert (report["rows"], report["kept"], report["quarantined"]) == (69_122, 69_122, {})
    rows = pl.concat([commit.load(root.root / p) for p in commit.manifest(root, candles.TABLE) if "BTC" in p]).sort(
        "ts"
    )
    found = rows.select("high", "low", "close").to_numpy() / 10
    np.testing.assert_array_equal(found, array[:, 0, :3])
    np.testing.assert_allclose(rows["notional"].to_numpy() / 1e4, array[:, 0, 3], rtol=1e-9, atol=1e-4)
