"""What is missing is fetched, once, and comes to its place whole; the ledger says what became of the rest."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.archives import download, download_state, fetch
from ml.core.config import Config
from ml.core.errors import CaptureError, FrameError, VenueRefused
from ml.core.instruments import Instrument
from ml.core.sources import Source
from ml.market.files import captures
from ml.storage import commit, durable
from tests.support.file_server import Archive
from tests.support.kline_server import served

BTC = Instrument("binance-usdm.BTCUSDT", 1, 3, 1, 1)
ETH = Instrument("binance-usdm.ETHUSDT", 2, 3, 1, 1)
DAY = "2025-03-04"
NOW = 1_741_132_800 * 10**9 + 60 * 10**9
"""A minute after that day was over."""
HOUR = 3_600 * 10**9
FOLDER = "/data/futures/um/daily/aggTrades/BTCUSDT"
PATH = f"{FOLDER}/BTCUSDT-aggTrades-{DAY}.zip"
DATA = random.Random(2).randbytes(50_000)
RUN = """
import sys
from pathlib import Path
from ml.archives import fetch
from ml.core import config
from ml.core.paths import DataRoot
root = DataRoot(Path(sys.argv[1]))
configuration = config.load(root)
fetch.update(root, configuration, configuration.instruments[0], sys.argv[2], int(sys.argv[3]))
"""


@pytest.fixture
def archive():
    archive = Archive()
    with served(archive):
        yield archive


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", 0.01)


def source(archive, checksum=".CHECKSUM"):
    url = archive.url + "/data/futures/um/daily/aggTrades/{symbol}/{symbol}-aggTrades-{date}.zip"
    return Source("vision", url, "binance-usdm", checksum)


def configuration(root, *sources):
    return Config(root.captures, date(2025, 3, 1), None, (BTC, ETH), sources)


def update(root, archive, now=NOW, day=DAY, **changes):
    return fetch.update(root, configuration(root, replace(source(archive), **changes)), BTC, day, now)


def place(root):
    return root.captures / "vision" / PATH[1:]


def names(root):
    """All files of the captures."""
    return sorted(p.name for p in root.captures.rglob("*") if p.is_file())


def test_a_missing_file_comes_to_its_place(root, archive):
    """Below the publisher's own folders, its checksum beside it, one line in the ledger, nothing else."""
    archive.add(PATH, DATA, checksum=True)
    (row,) = update(root, archive).to_dicts()
    assert place(root).read_bytes() == DATA
    assert names(root) == [place(root).name, place(root).name + ".CHECKSUM"]
    assert (row["state"], row["bytes"], row["sha256"]) == ("fetched", len(DATA), commit.sha256_file(place(root)))
    assert (row["source"], row["url"], row["asked_ts"]) == ("vision", archive.url + PATH, NOW)
    assert fetch.read_day(root, DAY, BTC).to_dicts() == [row]


def test_what_is_there_is_not_asked_for(root, archive):
    """A second call asks nothing and changes no byte of the ledger."""
    archive.add(PATH, DATA, checksum=True)
    update(root, archive)
    asked = len(archive.asked)
    listing = root.manifest(fetch.TABLE).read_bytes()
    update(root, archive, NOW + 1_000 * HOUR)
    assert len(archive.asked) == asked
    assert root.manifest(fetch.TABLE).read_bytes() == listing


def test_a_hole_is_filled_whatever_came_after_it(root, archive):
    """Of three days the middle one is missing: that one file is asked for."""
    days = ["2025-03-02", "2025-03-03", "2025-03-04"]
    for day in days:
        archive.add(PATH.replace(DAY, day), day.encode(), checksum=True)
        update(root, archive, day=day)
    (root.captures / "vision" / PATH[1:].replace(DAY, days[1])).unlink()
    archive.asked.clear()
    for day in days:
        update(root, archive, day=day)
    assert [path for path, _ in archive.asked if path.endswith(".zip")] == [PATH.replace(DAY, days[1])]


@pytest.mark.parametrize(("checksum", "detail"), [(".CHECKSUM", "no .CHECKSUM"), ("", "no such file")])
def test_what_is_not_published_is_recorded_and_asked_for_later(root, archive, checksum, detail):
    """404 is a line of the ledger; after the time to retry, and not before, it is asked for again."""
    (row,) = update(root, archive, checksum=checksum).to_dicts()
    assert (row["state"], row["bytes"], row["detail"]) == ("not_published", None, detail)
    assert names(root) == []
    archive.add(PATH, DATA, checksum=True)
    asked = len(archive.asked)
    assert update(root, archive, NOW + 23 * HOUR, checksum=checksum)["state"].to_list() == ["not_published"]
    assert len(archive.asked) == asked
    assert update(root, archive, NOW + 24 * HOUR, checksum=checksum)["state"].to_list() == ["fetched"]


def test_the_time_to_retry_is_the_sources(root, archive):
    """At once, if that is what the user wants."""
    update(root, archive)
    archive.add(PATH, DATA, checksum=True)
    assert update(root, archive, NOW + 1, retry_hours=0.0)["state"].to_list() == ["fetched"]


def test_a_wrong_checksum_is_quarantined_with_its_reason(root, archive):
    """The file never comes to its place; its bytes are kept, and it is asked for again later."""
    archive.add(PATH, DATA, checksum=True)
    archive.files[PATH] = DATA[::-1]
    (row,) = update(root, archive).to_dicts()
    assert (row["state"], row["bytes"]) == ("checksum", len(DATA))
    assert row["detail"].startswith("its publisher's sha256 begins with")
    (kept,) = (root.quarantine / "archives").iterdir()
    assert kept.read_bytes() == DATA[::-1]
    assert names(root) == []
    archive.files[PATH] = DATA
    assert update(root, archive, NOW + 24 * HOUR)["state"].to_list() == ["fetched"]


def test_without_a_checksum_the_file_alone_is_asked_for(root, archive):
    """Not every publisher has them."""
    archive.add(PATH, DATA)
    assert update(root, archive, checksum="")["state"].to_list() == ["fetched"]
    assert archive.asked == [(PATH, None)]


def test_a_day_that_is_not_over_is_not_asked_for(root, archive):
    """Its file would be recorded as not published; no line, no request, no ledger."""
    assert update(root, archive, NOW - 120 * 10**9).is_empty()
    assert archive.asked == []
    assert not root.partition(fetch.TABLE, DAY, BTC.id).exists()


def test_other_venues_and_sources_keep_their_lines(root, archive):
    """One source asked alone leaves what the ledger says of the other; a venue's source is not asked for another's."""
    archive.add(PATH, DATA, checksum=True)
    other = replace(source(archive), name="mirror", checksum="")
    foreign = replace(source(archive), name="spot", venue="binance-spot")
    fetch.update(root, configuration(root, source(archive)), BTC, DAY, NOW)
    both = fetch.update(root, configuration(root, other, foreign), BTC, DAY, NOW + 1)
    assert both.select("source", "asked_ts").rows() == [("mirror", NOW + 1), ("vision", NOW)]


def test_a_refusal_leaves_no_line_and_keeps_what_came(root, archive):
    """Half of it is there: the next call asks for the other half."""
    archive.add(PATH, DATA)
    archive.faults = [("cut", 20_000), *[("cut", 0)] * 9]
    with pytest.raises(VenueRefused):
        update(root, archive, checksum="")
    assert fetch.read_day(root, DAY, BTC).is_empty()
    with pytest.raises(CaptureError, match="no capture file"):
        captures.find(root.captures)
    archive.faults.clear()
    update(root, archive, checksum="")
    assert archive.asked[-1] == (PATH, "bytes=20000-")
    assert place(root).read_bytes() == DATA


def test_a_run_that_died_before_its_line_is_caught_up_with(root, archive, monkeypatch):
    """The file is in its place: it is hashed and listed, not fetched again."""
    archive.add(PATH, DATA, checksum=True)
    publish = commit.publish
    monkeypatch.setattr(commit, "publish", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        update(root, archive)
    asked = len(archive.asked)
    monkeypatch.setattr(commit, "publish", publish)
    (row,) = update(root, archive).to_dicts()
    assert (row["state"], row["sha256"]) == ("fetched", commit.sha256_file(place(root)))
    assert len(archive.asked) == asked


def test_the_reader_checks_what_was_fetched(root, archive):
    """The checksum lies where the archive's reader looks for it: later damage is quarantined too."""
    archive.add(PATH, DATA, checksum=True)
    update(root, archive)
    place(root).write_bytes(b"1,2,3,4,5,1741046400000,true\n")
    (error,) = [item[2] for item in captures.read(place(root)) if len(item) == 3]
    assert isinstance(error, FrameError)
    assert error.reason == "checksum"


def test_a_kill_in_the_middle_leaves_no_part_in_place(root, archive, monkeypatch):
    """SIGKILL after 20 MB: no reader sees anything; the next run goes on from what was synced."""
    data = random.Random(3).randbytes(30 << 20)
    archive.add(PATH, data, checksum=True)
    archive.faults = [("none",), ("stall", 20 << 20)]
    from ml.core import config

    durable.write_text(root.config, config.render(configuration(root, source(archive))))
    command = [sys.executable, "-c", RUN, str(root.root), DAY, str(NOW)]
    child = subprocess.Popen(command, env=os.environ | {"POLARS_MAX_THREADS": "1"})
    until = time.monotonic() + 60
    while not any(p.stat().st_size >= 18 << 20 for p in root.captures.rglob("*.part")) and time.monotonic() < until:
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert not place(root).exists()
    with pytest.raises(CaptureError, match="no capture file"):
        captures.find(root.captures)
    assert update(root, archive)["state"].to_list() == ["fetched"]
    path, asked = archive.asked[-1]
    assert (path, int(asked.removeprefix("bytes=")[:-1]) >= download_state.SYNC_BYTES) == (PATH, True)
    assert place(root).read_bytes() == data
    assert names(root) == [place(root).name, place(root).name + ".CHECKSUM"]


def test_a_months_file_serves_each_of_its_days(root, archive):
    """It is fetched once; every day's ledger names it."""
    url = archive.url + "/spot/{symbol}-{year}-{month}.csv.gz"
    archive.add("/spot/BTCUSDT-2025-02.csv.gz", DATA)
    monthly = configuration(root, Source("monthly", url, "binance-usdm"))
    for day in ("2025-02-01", "2025-02-28"):
        (row,) = fetch.update(root, monthly, BTC, day, NOW).to_dicts()
        assert (row["state"], row["path"]) == ("fetched", "monthly/spot/BTCUSDT-2025-02.csv.gz")
    assert fetch.update(root, monthly, BTC, "2025-03-01", NOW).is_empty()
    assert len(archive.asked) == 1


def test_the_ledger_is_the_documented_table(root, archive):
    """Columns and dtypes of the schema, also where nothing was asked."""
    assert update(root, archive).schema == fetch.read_day(root, "2020-01-01", BTC).schema == fetch.SCHEMAS[fetch.TABLE]
    assert pl.read_parquet(root.partition(fetch.TABLE, DAY, BTC.id)).schema == fetch.SCHEMAS[fetch.TABLE]
