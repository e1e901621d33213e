"""Binance Vision: zips with and without header, ms and us, markets told apart, checksums."""

import hashlib

import pytest

from ml.core.errors import CaptureError
from ml.core.instruments import Instrument
from ml.market.days.raw import raw_day
from ml.market.days.replay import inspect
from ml.market.decode.events import BUY, SELL
from ml.market.files.archives.binance_vision import by_name
from ml.market.files.index import scan
from tests.support.scenario import chain_of
from tests.unit.market.files.archives.files import docs, events, packed, refused, trade_rows

MS = 1_735_689_600_123
AGG = f"7,100.5,2,70,72,{MS},%s"
AGG_HEAD = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
KLINE = f"{MS},1,2,0.5,1.5,10,{MS + 59_999},15,3,5,7,0\n"
TICKER_HEAD = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"


@pytest.mark.parametrize("suffix", [".zip", ".csv"])
@pytest.mark.parametrize("header", ["", AGG_HEAD])
def test_aggregate_trades_with_and_without_header(tmp_path, suffix, header):
    """The same trades; the lines are kept as they stood."""
    path = packed(
        tmp_path / f"BTCUSDT-aggTrades-2025-01-01{suffix}", header + AGG % "true" + "\n" + AGG % "False" + "\n"
    )
    one, other = trade_rows(path)
    assert (one.side, other.side, one.trade_id, one.price, one.size) == (SELL, BUY, "agg-7", 10050, 2000)
    assert [doc["rows"] for doc in docs(path)] == [[AGG % "true"], [AGG % "False"]]
    assert {instrument for instrument, *_ in events(path)} == {"binance-usdm.BTCUSDT"}


def test_spot_has_microseconds_since_2025(tmp_path):
    """The magnitude tells; one more column tells spot."""
    rows = f"1,100,1,100,{MS * 1000 + 456},True,True\n2,100,1,100,{MS + 1},False,True\n"
    path = packed(tmp_path / "BTCUSDT-trades-2025-01-01.zip", rows)
    assert [trade.event_ts for trade in trade_rows(path)] == [(MS * 1000 + 456) * 1000, (MS + 1) * 10**6]
    assert events(path)[0][0] == "binance-spot.BTCUSDT"


@pytest.mark.parametrize(
    ("place", "instrument"),
    [
        ("BTCUSDT-trades-2024-01", "binance-usdm.BTCUSDT"),
        ("BTCUSD_PERP-trades-2024-01-01", "binance-coinm.BTCUSD_PERP"),
        ("BTCUSD_240329-trades-2024-01-01", "binance-coinm.BTCUSD_240329"),
        ("BTCUSDT_240329-trades-2024-01-01", "binance-usdm.BTCUSDT_240329"),
        ("spot/daily/trades/BTCUSDT/BTCUSDT-trades-2024-01-01", "binance-spot.BTCUSDT"),
        ("futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-01-01", "binance-usdm.BTCUSDT"),
    ],
)
def test_the_market_is_told_by_folder_symbol_or_columns(tmp_path, place, instrument):
    """In this order of trust but for COIN-M, whose symbols are like no other's."""
    path = packed(tmp_path / f"{place}.zip", f"id,price,qty,base_qty,time,is_buyer_maker\n1,100,1,100,{MS},true\n")
    assert events(path)[0][0] == instrument


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("BTCUSDT-1m-2025-01-01.zip", KLINE * 3, 3),
        ("BTCUSDT-1mo-2025-01.zip", KLINE, 1),
        ("BTCUSDT-bookTicker-2024-01-01.zip", TICKER_HEAD + f"1,99,1,101,1,{MS},{MS}\n", 1),
    ],
)
def test_candles_and_best_prices_are_frames_without_events(tmp_path, name, text, rows):
    """Kept and counted, and no part of book or trades; nothing in them tells the market, so a folder must."""
    path = packed(tmp_path / "um" / name, text)
    assert [(books, trades) for *_, books, trades in events(path)] == [([], [])] * rows
    found = inspect([path])["instruments"]["binance-usdm.BTCUSDT"]
    assert (found["trades"], found["book_messages"], found["first_event_ts"]) == (0, 0, None)
    assert refused(packed(tmp_path / name, text)) == ["wrong_venue"]


@pytest.mark.parametrize(
    ("seconds", "interval"),
    [(1, "1s"), (60, "1m"), (900, "15m"), (4 * 3_600, "4h"), (86_400, "1d"), (604_800, "1w"), (2_678_400, "1mo")],
)
@pytest.mark.parametrize("unit", [1_000, 1_000_000])
def test_candles_say_how_long_they_are(tmp_path, seconds, interval, unit):
    """By their own times, in ms and us, whatever file they stand in: a day's or a month's."""
    opened = MS // 1_000 * unit
    row = f"{opened},1,2,0.5,1.5,10,{opened + seconds * unit - 1},15,3,5,7,0\n"
    path = packed(tmp_path / "um" / "BTCUSDT-1m-2025-01.csv", row)
    (doc,) = docs(path)
    assert doc["type"] == interval
    assert inspect([path])["not_read"] == {f"binance-vision-klines {interval}": 1}


def test_a_day_of_candles_alone_has_no_frames_and_says_why(tmp_path, root):
    """The job names what the files hold, not other instruments."""
    path = packed(root.captures / "um" / "BTCUSDT-1h-2025-01.csv", KLINE * 3)
    with pytest.raises(CaptureError, match="neither book nor trades, such as candles of an archive"):
        list(raw_day(chain_of(path), Instrument("binance-usdm.BTCUSDT", 1, 3, 1, 1), "2025-01-01"))


@pytest.mark.parametrize(("given", "reasons"), [("right", []), ("wrong", ["checksum"]), ("", [])])
def test_a_checksum_beside_the_file_is_checked(tmp_path, given, reasons):
    """A file that is not the published one gives nothing but its error."""
    path = packed(tmp_path / "BTCUSDT-aggTrades-2025-01-01.zip", AGG % "true" + "\n")
    digest = hashlib.sha256(path.read_bytes() + (b"" if given == "right" else b"x")).hexdigest()
    if given:
        (tmp_path / (path.name + ".CHECKSUM")).write_text(f"{digest}  {path.name}\n")
    index, lines = scan(path)
    assert [line.error.reason for line in lines] == reasons
    assert bool(index.instruments) == (not reasons)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (AGG % "maybe", "bad_frame"),
        ("7,100.5,2,70,72,soon,true", "bad_frame"),
        ("7,100.5", "bad_frame"),
        (f"7,0,2,70,72,{MS},true", "off_market"),
        (f"7,1e400,2,70,72,{MS},true", "bad_number"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_next_is_read(tmp_path, row, reason):
    """With its offset in the unpacked text, in words."""
    text = AGG % "true" + "\n" + row + "\n" + AGG.replace("7", "8", 1) % "true" + "\n"
    report = inspect([packed(tmp_path / "BTCUSDT-aggTrades-2025-01-01.zip", text)])
    assert [(e["reason"], e["offset"]) for e in report["quarantined"]] == [(reason, len(AGG % "true") + 1)]
    assert "Error" not in report["quarantined"][0]["detail"]
    assert report["instruments"]["binance-usdm.BTCUSDT"]["trades"] == 2


def test_names_of_other_types_are_not_ours():
    """Depth in bands is no book."""
    assert by_name("BTCUSDT-bookDepth-2024-01-01.zip") is None
    assert by_name("BTCUSDT-metrics-2024-01-01.zip") is None
