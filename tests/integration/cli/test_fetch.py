"""`lobforge fetch`: what it asks for, what it tells, and its return codes."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from ml.archives import download
from ml.core import config
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.sources import Source
from ml.market.files.captures import find
from ml.market.files.index import scan
from ml.storage.durable import write_text
from tests.support.command import lobforge
from tests.support.file_server import Archive
from tests.support.kline_server import served

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "fetch.json").read_text())
BTC = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
DAYS = [f"2025-03-0{n}" for n in range(1, 6)]


@pytest.fixture
def archive():
    archive = Archive()
    with served(archive):
        yield archive


@pytest.fixture
def configuration(root, archive, monkeypatch):
    """A data root with one source, whose third day is not published."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    monkeypatch.setattr(download, "BACK_OFF", 0.01)
    for day in DAYS:
        archive.add(f"/trading/BTCUSDT/BTCUSDT{day}.csv.gz", day.encode(), checksum=True)
    del archive.files[f"/trading/BTCUSDT/BTCUSDT{DAYS[2]}.csv.gz.CHECKSUM"]
    source = Source("bybit", archive.url + "/trading/{symbol}/{symbol}{date}.csv.gz", BTC.venue, ".CHECKSUM")
    wanted = Config(root.captures, date(2025, 3, 1), date(2025, 3, 5), (BTC,), (source,))
    write_text(root.config, config.render(wanted))
    return root


def run(capsys, *arguments):
    code = lobforge("fetch", *arguments, "--json")
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def test_missing_days_are_fetched_and_holes_are_told(configuration, capsys):
    """Five listed days: four come, one is not published, which is no fault."""
    code, report = run(capsys)
    (files,) = report["files"]
    assert code == 0
    assert (files["fetched"], files["not_published"], files["stored"]) == (4, 1, 0)
    assert [(r["first"], r["last"]) for r in report["not_published"]] == [(DAYS[2], DAYS[2])]
    assert run(capsys)[1]["files"][0] | {"stored": 0} == files | {"fetched": 0}


def test_a_stretch_of_dates(configuration, archive, capsys):
    """--from and --to, both included; neighbouring holes are one line."""
    archive.files.clear()
    _, report = run(capsys, "--from", DAYS[1], "--to", DAYS[3])
    assert report["files"][0]["not_published"] == 3
    assert [(r["first"], r["last"]) for r in report["not_published"]] == [(DAYS[1], DAYS[3])]
    assert {path for path, _ in archive.asked} == {f"/trading/BTCUSDT/BTCUSDT{d}.csv.gz.CHECKSUM" for d in DAYS[1:4]}


def test_a_symbol_of_any_letters_is_fetched_under_its_own_name(root, archive, configuration, capsys):
    """What was fetched is what the reader takes, and no second time."""
    symbol = "币安人生USDT"
    name = f"{symbol}-aggTrades-2025-10-20.csv"
    archive.add(f"/um/{symbol}/{name}", b"1,2,3,4,4,1760918400000,true\n", checksum=True)
    source = Source("vision", archive.url + "/um/{symbol}/{symbol}-aggTrades-{date}.csv", "binance-usdm", ".CHECKSUM")
    instrument = Instrument(f"binance-usdm.{symbol}", 4, 0, 1, 1)
    wanted = Config(root.captures, date(2025, 10, 20), date(2025, 10, 20), (instrument,), (source,))
    write_text(root.config, config.render(wanted))
    first, second = (run(capsys)[1]["files"][0] for _ in range(2))
    assert (first["fetched"], first["stored"], second["fetched"], second["stored"]) == (1, 0, 0, 1)
    assert [path.name for path in find(root.captures)] == [name]
    assert list(scan(root.captures / "vision" / "um" / symbol / name)[0].instruments) == [instrument.id]


def test_a_wrong_checksum_returns_one(configuration, archive, capsys):
    """What was quarantined is named; the other days came."""
    archive.files[f"/trading/BTCUSDT/BTCUSDT{DAYS[0]}.csv.gz"] = b"other"
    code, report = run(capsys)
    assert (code, report["files"][0]["checksum"], report["files"][0]["fetched"]) == (1, 1, 3)
    assert report["quarantined"][0]["date"] == DAYS[0]


@pytest.mark.parametrize(("before", "code"), [(0, 2), (2, 1)])
def test_a_source_that_refuses_is_left_alone(configuration, archive, capsys, before, code):
    """After the first refusal nothing more is asked; 2 if nothing had come at all."""
    archive.faults = [("none",)] * (2 * before) + [("status", 403, {})] * 99
    found, report = run(capsys)
    assert (found, report["files"][0]["fetched"]) == (code, before)
    (refused,) = report["refused"]
    assert refused["date"] == DAYS[before]
    assert len(archive.asked) == 2 * before + 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--source", "vision"], "no source vision; there are bybit"), (["--from", "2025-03-09"], "Exchange the two")],
)
def test_what_cannot_be_asked_returns_two(configuration, capsys, arguments, says):
    """An unknown source, dates the wrong way round."""
    code, report = run(capsys, *arguments)
    assert (code, report["error"]) == (2, "SettingsError")
    assert says in report["message"]


def test_people_get_a_table_and_the_holes(configuration, archive, capsys):
    """One line a source and instrument, one for each hole and fault."""
    archive.files[f"/trading/BTCUSDT/BTCUSDT{DAYS[0]}.csv.gz"] = b"other"
    assert lobforge("fetch") == 1
    printed = capsys.readouterr().out
    assert f"not published: bybit {BTC.id} {DAYS[2]} to {DAYS[2]}" in printed
    assert f"BTCUSDT{DAYS[0]}.csv.gz: its publisher's sha256" in printed
