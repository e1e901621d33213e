"""The recorded files as Dagster backfills over their dates: what each instrument's partitions hold together."""

import json
import os
import subprocess
import sys
from datetime import date

import polars as pl
import pytest

from ml.core.config import Config, render
from ml.core.paths import DataRoot
from ml.market.days.infer_instrument import infer_instrument
from ml.market.decode.events import CHECKPOINT, SNAPSHOT
from ml.storage.durable import write_text
from tests.architecture.sources import PROJECT
from tests.support.scenario import chain_of

BINANCE = {"binance-usdm.BTCUSDT": (9_017, None, 10_701), "binance-usdm.ETHUSDT": (8_924, None, 13_655)}
BYBIT = {
    "bybit-linear.BTCUSDT": (414, 7_180 - 400, 56),
    "bybit-linear.ETHUSDT": (421, 4_491 - 400, 23),
    "bybit-linear.SOLUSDT": (383, 3_142 - 400, 165),
    "bybit-linear.DOGEUSDT": (380, 2_921 - 400, 83),
    "bybit-spot.BTCUSDT": (300, 1_747 - 400, 11),
    "bybit-spot.ETHUSDT": (250, 1_328 - 400, 9),
}
RECORDED = {
    "binance_raw": (["2024-07-18", "2024-07-19"], BINANCE),
    "bybit_v5_ws": (["2026-08-09"], BYBIT),
    "gdax_btcusd": (["2018-04-17", "2018-04-24"], {"coinbase-spot.BTC-USD": (None, 18_092 + 193_847, 256)}),
    "binance_csv_trx": (["2025-03-04"], {"binance-coinm.TRXUSD_PERP": (None, 0, 10_000)}),
}
"""Folder -> its dates, and for each instrument messages, level rows of diffs and trades; None where none is documented.

Messages are the decoder's tally, as the UI shows it: what of the stream took effect. The rows of `book_events` give
another number: of Binance six more, the five diffs that end before the snapshot and the midnight up to which the first
day is known. All six tell the time alone, as do the diffs laid over the snapshot, whose levels stand in its rows.
The snapshot of each Bybit book is a message of the stream, and its 2 x 200 rows no diff's; of GDAX the first update
stands in the snapshot's rows.
"""


def backfilled(root, folder, days):
    """Let a data root's captures be the files of a folder, and backfill all its partitions; the tally of each."""
    root.captures.mkdir(parents=True)
    for path in folder.iterdir():
        (root.captures / path.name).symlink_to(path)
    chain = chain_of(root.captures)
    instruments = tuple(infer_instrument(chain, instrument) for instrument in chain.instruments())
    first = date.fromisoformat(days[0])
    last = date.fromisoformat(days[-1])
    write_text(root.config, render(Config(root.captures, first, last, instruments)))
    keys = [f"{day}|{instrument.id}" for day in days for instrument in instruments]
    told = root.root / "told.json"
    command = [sys.executable, "-m", "tests.e2e.backfill", str(told), *keys]
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(root.root)}
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2_000:]
    return json.loads(told.read_text())


def held(root, instrument, days):
    """Level rows of diffs, and trades, that an instrument's partitions hold."""
    events, trades = (
        pl.concat([pl.read_parquet(root.partition(table, day, instrument)) for day in days])
        for table in ("book_events", "trades")
    )
    diffs = events.filter(pl.col("flags") & (SNAPSHOT | CHECKPOINT) == 0)
    return diffs.filter(pl.col("side") != 0).height, trades.height


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("folder", RECORDED)
def test_a_backfill_holds_what_the_files_hold(market, tmp_path, folder):
    """Every partition is made, in runs of its own, and the counts are those that the files are known to have."""
    root, (days, known) = DataRoot(tmp_path), RECORDED[folder]
    tallies = backfilled(root, market / folder, days)
    assert set(tallies) == {f"{day}|{instrument}" for day in days for instrument in known}
    for instrument, expected in known.items():
        of_days = [tallies[f"{day}|{instrument}"] for day in days]
        found = (sum(tally["book_messages"] for tally in of_days), *held(root, instrument, days))
        assert [value for value, wanted in zip(found, expected, strict=True) if wanted not in (None, value)] == [], (
            instrument,
            found,
            expected,
        )
        assert sum(tally["trades"] for tally in of_days) == found[2]
