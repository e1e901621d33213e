"""The recorded files as Dagster backfills over their dates: what each instrument's partitions hold together."""

import os
import subprocess
import sys
from datetime import date

import polars as pl
import pytest

from ml.config import Config, render
from ml.market.events import CHECKPOINT, SNAPSHOT
from ml.market.survey import survey
from ml.paths import DataRoot
from ml.store import write_text
from tests.house.sources import PROJECT
from tests.scenario import chain_of

BINANCE = {"binance-usdm.BTCUSDT": (9_017, None, 10_701), "binance-usdm.ETHUSDT": (8_924, None, 13_655)}
BYBIT = {
    "bybit-linear.BTCUSDT": (413, 7_180 - 400, 56),
    "bybit-linear.ETHUSDT": (420, 4_491 - 400, 23),
    "bybit-linear.SOLUSDT": (382, 3_142 - 400, 165),
    "bybit-linear.DOGEUSDT": (379, 2_921 - 400, 83),
    "bybit-spot.BTCUSDT": (299, 1_747 - 400, 11),
    "bybit-spot.ETHUSDT": (249, 1_328 - 400, 9),
}
RECORDED = {
    "binance_raw": (["2024-07-18", "2024-07-19"], BINANCE),
    "bybit_v5_ws": (["2026-08-09"], BYBIT),
    "gdax_btcusd": (["2018-04-17", "2018-04-24"], {"coinbase-spot.BTC-USD": (None, 18_092 + 193_847, 256)}),
    "binance_csv_trx": (["2025-03-04"], {"binance-coinm.TRXUSD_PERP": (0, 0, 10_000)}),
}
"""Folder -> its dates, and for each instrument diffs applied, level rows (None where another is known) and prints.

The snapshot of each Bybit book, 2 x 200 rows, is no diff; of GDAX the first update stands in the snapshot's message.
"""


def backfilled(root, folder, days):
    """A data root whose captures are the files of a folder, after a backfill of all its partitions."""
    root.captures.mkdir(parents=True)
    for path in folder.iterdir():
        (root.captures / path.name).symlink_to(path)
    chain = chain_of(root.captures)
    listed = tuple(survey(chain, instrument) for instrument in chain.instruments())
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    write_text(root.config, render(Config(root.captures, first, last, listed)))
    keys = [f"{day}|{instrument.id}" for day in days for instrument in listed]
    command = [sys.executable, "-m", "tests.end_to_end.backfill", str(PROJECT / ".numba_cache"), *keys]
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2_000:]
    return {instrument.id for instrument in listed}


def held(root, instrument, days):
    """Diffs applied, level rows of diffs and prints of an instrument over its partitions."""
    events, trades = (
        pl.concat([pl.read_parquet(root.partition(table, day, instrument)) for day in days])
        for table in ("book_events", "trades")
    )
    diffs = events.filter(pl.col("flags") & (SNAPSHOT | CHECKPOINT) == 0)
    return diffs.unique(["event_ts", "arrival"]).height, diffs.filter(pl.col("side") != 0).height, trades.height


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("folder", RECORDED)
def test_a_backfill_holds_what_the_files_hold(market, tmp_path, folder):
    """Every partition is made, in runs of its own, and the counts are those that the files are known to have."""
    root, (days, known) = DataRoot(tmp_path), RECORDED[folder]
    assert backfilled(root, market / folder, days) == set(known)
    for instrument, expected in known.items():
        found = held(root, instrument, days)
        assert [value for value, wanted in zip(found, expected, strict=True) if wanted not in (None, value)] == [], (
            instrument, found, expected,
        )  # fmt: skip
