"""`lobforge candles`: return codes, the JSON contract, what is stored, and how it compares with candles from trades."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ml.candles.from_trades import from_trades
from ml.core.config import Config, render
from ml.core.instruments import Instrument
from ml.core.time import bounds
from ml.storage.commit import manifest, publish, read
from ml.storage.durable import write_text
from ml.tables.schemas import SCHEMAS
from tests.support.command import lobforge
from tests.support.kline_server import Exchange, busy, row, served

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "candles.json").read_text())
DATE = "2025-03-04"
FIRST = 1_741_046_400_000
MARKETS = {"binance-usdm": "BTCUSDT", "bybit-linear": "BTCUSDT", "okx-swap": "BTC-USDT-SWAP"}
LISTED = [Instrument(f"{venue}.{symbol}", 1, 3, 1, 1) for venue, symbol in MARKETS.items()]
USDM = "binance-usdm.BTCUSDT"


@pytest.fixture
def here(root, monkeypatch):
    """A data root that lists one instrument of three venues."""
    config = Config(
        root.captures, date(2025, 3, 3), date(2025, 3, 5), (*LISTED, Instrument("binance-usdm.X", 1, 3, 1, 1))
    )
    write_text(root.config, render(config))
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    return root


@pytest.fixture
def exchange():
    """A server with a whole day of minutes, quick to answer."""
    exchange = Exchange()
    exchange.fill(FIRST, 1_440)
    for values in exchange.rows.values():
        values[11] = "1"
    with served(exchange):
        yield exchange


def run(capsys, exchange, *more, venue="binance-usdm", symbols=None):
    """Return code and the one JSON object, checked against its schema."""
    days = ["--from", DATE, "--to", DATE]
    market = ("--venue", venue, "--symbols", symbols or MARKETS[venue])
    code = lobforge("candles", *market, *days, "--rest-url", exchange.url, "--json", *more)
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def trade_rows(minutes):
    """Prints that make the server's candles of these minutes: its prices, volume, counts and bought volume."""
    rows = []
    for m in minutes:
        low = 990 + 10 * (m % 7)
        sizes = [(10, 200, 1), (20, 300, 1), (0, 200, -1), (15, 200, -1), (15, 200, -1), (15, 200, -1), (15, 200, -1)]
        at = (FIRST + m * 60_000) * 10**6
        rows += [(at + k * 10**9, low + up, size, side) for k, (up, size, side) in enumerate(sizes)]
    schema = {name: SCHEMAS["trades"][name] for name in ("event_ts", "price", "size", "side")}
    return pl.DataFrame(rows, schema=schema, orient="row")


def store_candles(root, minutes):
    """Our own candles of the day from such trades, captured all day but for its last hour."""
    start, end = bounds(DATE)
    spans = {"start_ts": [start], "end_ts": [end - 3_600 * 10**9], "end_reason": ["capture_end"]}
    frame = from_trades(trade_rows(minutes), pl.DataFrame(spans), start, end)
    publish(root, "candles", root.partition("candles", DATE, USDM), frame, "test")


@pytest.mark.parametrize("venue", MARKETS)
def test_a_day_is_fetched_once(capsys, here, exchange, venue):
    """All timeframes at once, whichever way the venue pages; the second call asks nothing and changes no byte."""
    code, report = run(capsys, exchange, "--timeframes", "1m,5m,15m,1h", venue=venue)
    assert (code, [c["fetched"] for c in report["candles"]]) == (0, [1_440, 288, 96, 24])
    before = manifest(here, "rest_candles")
    asked = len(exchange.asked)
    assert report["requests"] == asked == 5 + 1 + 1 + 1
    code, report = run(capsys, exchange, "--timeframes", "1m,5m,15m,1h", venue=venue)
    assert (code, [c["stored"] for c in report["candles"]]) == (0, [1_440, 288, 96, 24])
    assert (report["requests"], manifest(here, "rest_candles")) == (0, before)


def test_short_pages_lose_nothing(capsys, here, exchange):
    """A gateway that cuts every answer to seven candles."""
    exchange.page = 70
    code, report = run(capsys, exchange, venue="bybit-linear")
    assert (code, report["candles"][0]["fetched"], report["candles"][0]["not_published"]) == (0, 1_440, 0)


def test_what_the_venue_has_not_is_on_record(capsys, here, exchange):
    """A hole is no failure; it is stored as not published and not asked for again."""
    for minute in range(100, 200):
        del exchange.rows[FIRST + minute * 60_000]
    code, report = run(capsys, exchange)
    assert (code, report["candles"][0]["not_published"]) == (0, 100)
    stored = read(here.partition("rest_candles", DATE, USDM)).collect()
    assert stored.filter(reason="not_published").height == 100
    assert run(capsys, exchange)[1]["requests"] == 0
    exchange.fill(FIRST, 1_440)
    assert run(capsys, exchange, "--again")[1]["candles"][0]["fetched"] == 100


def test_candles_from_trades_agree(capsys, here, exchange):
    """Every captured minute and hour; quiet minutes of ours agree with a repeated price of the venue's."""
    traded = [m for m in range(1_440) if m % 10]
    for minute in set(range(1_440)) - set(traded):
        exchange.rows[FIRST + minute * 60_000] = quiet(minute)
    store_candles(here, traded)
    code, report = run(capsys, exchange)
    compared = report["compared"][0]
    assert (code, compared["first_difference"]) == (0, None)
    assert [compared[n] for n in ("agree", "quiet", "differs", "not_captured")] == [1_242, 138, 0, 60]


def quiet(minute):
    return [FIRST + minute * 60_000, *["100.0"] * 4, "0", 0, "0", 0, "0", "0", "1"]


def test_a_lost_print_shows(capsys, here, exchange):
    """One trade that we do not have: the minute differs in what it held, and the code is 1."""
    store_candles(here, range(1_440))
    path = here.partition("candles", DATE, USDM)
    lossy = (
        read(path)
        .collect()
        .with_columns(volume=pl.when(pl.int_range(pl.len()) == 7).then(pl.col("volume") - 200).otherwise("volume"))
    )
    publish(here, "candles", path, lossy, "test")
    code, report = run(capsys, exchange)
    assert (code, report["compared"][0]["differs"]) == (1, 1)
    assert report["compared"][0]["first_difference"] == {
        "ts": (FIRST + 8 * 60_000) * 10**6,
        "column": "volume",
        "from_trades": 1_300,
        "from_venue": 1_500,
    }
    market = ("--venue", "binance-usdm", "--symbols", "BTCUSDT")
    lobforge("candles", *market, "--from", DATE, "--to", DATE, "--rest-url", exchange.url)
    assert "first at 2025-03-04 00:08: volume 1300 from trades, 1500" in capsys.readouterr().out


def test_a_bad_candle_is_quarantined(capsys, here, exchange):
    """The rest of the day is stored; the code is 1, and people see it too."""
    exchange.rows[FIRST + 60_000][1] = "100.05"
    code, report = run(capsys, exchange)
    assert (code, report["candles"][0]["fetched"], report["candles"][0]["quarantined"]) == (1, 1_439, 1)
    assert report["quarantined"][0]["reason"] == "off_grid"


def test_one_refused_symbol_costs_no_other(capsys, here, exchange):
    """It is told, with the date from which on it is missing; nothing of it is recorded as not published."""
    exchange.refusals = [(400, {}, '{"code":-1121,"msg":"Invalid symbol."}')]
    code, report = run(capsys, exchange, symbols="X,BTCUSDT")
    assert (code, [c["fetched"] for c in report["candles"]]) == (1, [0, 1_440])
    assert [(r["instrument"], r["date"]) for r in report["refused"]] == [("binance-usdm.X", DATE)]
    assert [path for path in manifest(here, "rest_candles") if "X" in path] == []


def test_a_busy_venue_is_waited_for(capsys, here, exchange):
    """How long is told."""
    exchange.refusals = [busy(0.2), busy(0.1)]
    code, report = run(capsys, exchange, "--timeframes", "1h")
    assert (code, report["waited_seconds"], report["requests"]) == (0, 0.3, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--timeframes", "7m"], "binance-usdm serves no 7m candles"),
        (["--timeframes", "1m,1w"], "serves no 1w candles"),
        (["--symbols", "ETHUSDT"], "Instrument binance-usdm.ETHUSDT is not listed"),
        (["--venue", "nowhere"], "nowhere"),
        (["--from", "2025-03-05"], "--to 2025-03-04 lies before --from 2025-03-05"),
    ],
)
def test_what_cannot_be_asked_returns_two(capsys, here, exchange, more, message):
    """With what to do."""
    code, report = run(capsys, exchange, *more)
    assert (code, exchange.asked) == (2, [])
    assert message in report["message"]


def test_a_venue_that_refuses_all_returns_two(capsys, here, exchange):
    """Nothing was stored."""
    exchange.refusals = [busy(3_600)]
    code, report = run(capsys, exchange)
    assert (code, report["refused"][0]["instrument"]) == (2, USDM)
    assert manifest(here, "rest_candles") == {}


def test_a_person_sees_a_table(capsys, here, exchange):
    """Without `--json`: what was fetched of which candles."""
    exchange.rows[FIRST] = [*row(FIRST)[:5], "x", *row(FIRST)[6:]]
    days = ["--from", DATE, "--to", DATE, "--rest-url", exchange.url]
    assert lobforge("candles", "--venue", "binance-usdm", "--symbols", "BTCUSDT", *days) == 1
    shown = capsys.readouterr().out
    assert "binance-usdm.BTCUSDT 1m" in shown
    assert "quarantined: binance-usdm.BTCUSDT 1m at 2025-03-04 00:01: bad_number" in shown
