"""Days that venues and publishers made odd, by the user's own commands: `inspect`, the job `ingest`, `gaps`."""

import json
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from ml.catalog import views
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.market.days.day import Decoding
from ml.market.days.raw import raw_day
from ml.storage.commit import publish
from tests.support.command import lobforge
from tests.support.scenario import capture, chain_of, diff, ingest_elsewhere, snapshot

NOVEMBER = 1_698_796_800_000
LATER = 1_701_109_037_427
"""2023-11-01 00:00 and 2023-11-27 18:17:17.427, ms."""
CHINESE = Instrument("binance-usdm.币安人生USDT", 1, 3, 1, 1)
XRP = Instrument("binance-usdm.XRPUSDT", 2, 1, 1, 1)
FINER = replace(XRP, price_decimals=3, valid_from=date(2023, 11, 1))
NOON = NOVEMBER + 12 * 3_600_000
AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"


def chinese_files(root):
    """Two minutes of book, and a month of trades with a row of another date woven in and one of a wrong time."""
    symbol = CHINESE.symbol
    first = [diff(1, 0, NOVEMBER, symbol=symbol), snapshot(1, NOVEMBER)]
    later = [diff(n + 1, n, NOVEMBER + 1000 * n, bids=[("99.0", f"{n}.000")], symbol=symbol) for n in range(1, 130)]
    capture(root.captures / "book.log", [*first, *later], NOVEMBER + 5, step_ms=1000)
    rows = [(1000 + n, NOVEMBER + 20_000 * n) for n in range(6)]
    rows.insert(2, (9000, LATER))
    rows.insert(5, (1003, LATER + 1))
    path = root.captures / "um" / f"{symbol}-aggTrades-2023-11.csv"
    path.parent.mkdir(parents=True)
    path.write_text(AGG + "".join(f"{n},100.5,0.010,{n},{n},{ms},false\n" for n, ms in rows))
    return [root.captures / "book.log", path]


def xrp_files(root):
    """A venue makes its tick ten times finer at noon."""
    symbol = XRP.symbol
    docs = [
        diff(n + 1, n, NOON + 1000 * n, bids=[("0.51" if n < 60 else "0.515", f"{n}.0")], symbol=symbol)
        for n in range(120)
    ]
    asked = snapshot(1, NOON, [("0.50", "5.0")], [("0.52", "5.0")])
    capture(root.captures / "xrp.log", [docs[0], asked, *docs[1:]], NOON + 5, step_ms=1000)


@pytest.fixture(scope="module")
def ingested_day(tmp_path_factory):
    """A data root that lists the finer tick from the day of the change on, with that day of both instruments."""
    root = DataRoot(tmp_path_factory.mktemp("odd"))
    root.captures.mkdir()
    chinese_files(root)
    xrp_files(root)
    configuration = Config(root.captures, date(2023, 10, 31), date(2023, 11, 1), (XRP, FINER, CHINESE))
    ingest_elsewhere(root, configuration, ["2023-11-01"])
    return root


def test_inspect_reads_all_trades_but_the_one_of_a_wrong_time(tmp_path, capsys):
    """The row of another date is read at its time."""
    root = DataRoot(tmp_path)
    root.captures.mkdir()
    assert lobforge("inspect", *chinese_files(root), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    found = report["instruments"][CHINESE.id]
    assert [entry["reason"] for entry in report["quarantined"]] == ["out_of_order"]
    assert (found["trades"], found["book_messages"]) == (7, 130)


@pytest.mark.timeout(900)
def test_the_trades_of_the_day_are_stored_beside_its_book(ingested_day):
    """Under a key and a path of any letters; the row with a wrong time is in the quarantine of its file."""
    root = ingested_day
    trades = views.frame(root, CHINESE, "trades").collect()
    assert trades["event_ts"].to_list() == [(NOVEMBER + 20_000 * n) * 10**6 for n in range(6)]
    assert trades["price"].to_list() == [100.5] * 6
    assert root.partition("trades", "2023-11-01", CHINESE.id).exists()
    quarantined = pl.concat(pl.read_parquet(path) for path in (root.quarantine / "captures").iterdir())
    assert quarantined["reason"].to_list() == ["out_of_order"]


def ledger(root, capsys, monkeypatch, *arguments):
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    assert lobforge("gaps", "--instrument", XRP.id, *arguments) == 0
    return capsys.readouterr().out


def test_a_finer_tick_is_a_gap_with_a_reason_and_a_remedy(root, capsys, monkeypatch):
    """From the last message that could be read on; not the end of the captures."""
    root.captures.mkdir(parents=True)
    xrp_files(root)
    decoding = Decoding(raw_day(chain_of(root.captures), XRP, "2023-11-01"), XRP, "2023-11-01")
    assert sum(part.height for part in decoding.book_events()) > 60
    publish(root, "validity", root.partition("validity", "2023-11-01", XRP.id), decoding.validity, "")
    (gap,) = json.loads(ledger(root, capsys, monkeypatch, "--json"))["gaps"]
    assert (gap["reason"], gap["end"], gap["start"]) == ("off_grid", None, (NOON + 59_000) * 10**6)
    told = ledger(root, capsys, monkeypatch)
    assert "off_grid: the venue made its tick or lot finer than lobforge.toml lists" in told
    assert "valid_from" in told


@pytest.mark.timeout(900)
def test_a_second_entry_covers_the_day_of_the_change(ingested_day, capsys, monkeypatch):
    """The whole day is stored with the finer decimals, which hold the coarser prices exactly."""
    root = ingested_day
    (gap,) = json.loads(ledger(root, capsys, monkeypatch, "--json"))["gaps"]
    assert (gap["reason"], gap["start"]) == ("capture_end", (NOON + 119_000) * 10**6)
    assert pl.read_parquet(root.partition("quarantine", "2023-11-01", XRP.id)).is_empty()
    samples = views.frame(root, XRP, "book_samples").filter("valid").collect()
    assert sorted(set(samples["bid_price_1"].round(3))) == [0.5, 0.51, 0.515]
