"""Bybit's archives: order book lines as the stream has them, trades of perpetuals and spot in any order."""

import json

import pytest

from ml.core.errors import CaptureError
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from ml.market.decode.events import BUY, SELL
from ml.market.files import captures
from tests.support.scenario import chain_of
from tests.unit.market.files.archives.files import events, packed, refused, trade_rows

T = 1_756_684_800_000
PERPETUAL = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"


def message(u, kind="delta", bids=(), asks=(), ts=None):
    """A line of an order book file."""
    ts = T + 100 * u if ts is None else ts
    data = {"s": "BTCUSDT", "b": [list(b) for b in bids], "a": [list(a) for a in asks], "u": u, "seq": 7 * u}
    doc = {"topic": "orderbook.200.BTCUSDT", "type": kind, "ts": ts + 3, "data": data, "cts": ts}
    return json.dumps(doc, separators=(",", ":")) + "\n"


def day(*middle):
    """A day's file: a snapshot, two changes, and what a test puts after them."""
    first = message(5, "snapshot", [("99.5", "1"), ("99", "2")], [("100.5", "1")])
    return "".join([first, message(6, bids=[("99", "0")]), message(7, asks=[("101", "3.25")]), *middle])


def book(folder, *middle, name="2025-09-01_BTCUSDT_ob200.data.zip", market="linear"):
    return packed(folder / market / "BTCUSDT" / name, day(*middle))


@pytest.mark.parametrize("name", ["2025-09-01_BTCUSDT_ob200.data.zip", "2025-09-01_BTCUSDT_ob500.data"])
def test_a_line_is_the_frame_unchanged(tmp_path, name):
    """Zipped or not, of any depth; the receive time is not kept, so the engine's stands for it."""
    frames = list(captures.read(book(tmp_path, name=name)))
    assert [frame.payload.decode() + "\n" for frame in frames] == day().splitlines(keepends=True)
    assert [frame.recv_ts for frame in frames] == [(T + 100 * u) * 10**6 for u in (5, 6, 7)]
    assert {frame.conn for frame in frames} == {f"bybit-linear {name}"}


@pytest.mark.parametrize("market", ["linear", "spot", "inverse"])
def test_the_folder_tells_the_market(tmp_path, market):
    """Linear and spot files look alike."""
    report = inspect([book(tmp_path, market=market)])["instruments"]
    found = report[f"bybit-{market}.BTCUSDT"]
    assert (found["book_messages"], found["level_updates"], found["gaps"]) == (3, 5, [])
    assert (found["best_bid"], found["best_ask"], found["bid_levels"], found["ask_levels"]) == (99.5, 100.5, 1, 2)


def test_without_such_a_folder_nothing_is_guessed(tmp_path):
    """One line that says what to do; in the right folder the same file is read."""
    path = book(tmp_path, market="downloads")
    assert refused(path) == ["wrong_venue"]
    with pytest.raises(CaptureError, match="move it into a folder named linear or spot or inverse"):
        inspect([path])
    (tmp_path / "spot").mkdir()
    assert refused(path.rename(tmp_path / "spot" / path.name)) == []


@pytest.mark.parametrize(
    ("symbol", "venue"), [("BTCUSDT", "linear"), ("BTCPERP", "linear"), ("BTCUSD", "inverse"), ("BTCUSDH26", "inverse")]
)
def test_a_depth_that_spot_does_not_have_tells_the_market(tmp_path, symbol, venue):
    """Wherever the file lies: only contracts have 500 levels."""
    text = day().replace("orderbook.200.BTCUSDT", f"orderbook.500.{symbol}").replace('"BTCUSDT"', f'"{symbol}"')
    path = packed(tmp_path / "downloads" / f"2025-01-01_{symbol}_ob500.data.zip", text)
    assert list(inspect([path])["instruments"]) == [f"bybit-{venue}.{symbol}"]


def test_a_missing_update_is_a_gap_and_the_next_day_restarts(tmp_path):
    """`u` counts by one; a later file's snapshot anchors the book again."""
    first = book(tmp_path, message(9, bids=[("98", "1")]))
    later = message(20, "snapshot", [("97", "1")], [("102", "1")]) + message(21, bids=[("96", "1")])
    second = packed(first.with_name("2025-09-02_BTCUSDT_ob200.data.zip"), later)
    found = inspect([second, first])["instruments"]["bybit-linear.BTCUSDT"]
    assert [(gap["reason"], gap["from_id"], gap["to_id"]) for gap in found["gaps"]] == [("sequence_gap", 7, 8)]
    assert (found["best_bid"], found["bid_levels"]) == (97.0, 2)


def test_a_line_that_is_no_message_is_quarantined(tmp_path):
    """At its offset; what follows is read and shows the gap by its ids."""
    path = book(tmp_path, "{broken\n", message(9))
    report = inspect([path])
    assert [(e["offset"], e["reason"]) for e in report["quarantined"]] == [(len(day()), "bad_json")]
    assert [gap["reason"] for gap in report["instruments"]["bybit-linear.BTCUSDT"]["gaps"]] == ["sequence_gap"]


def test_a_torn_zip_is_quarantined_whole(tmp_path):
    """Its list of members is at the end."""
    path = book(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    assert refused(path) == ["truncated"]


def perpetual(stamp, number, side="Buy", symbol="BTCUSDT", rest=""):
    return f"{stamp},{symbol},{side},0.5,100.5,PlusTick,id-{number},1e9,0.5,50.25{rest}\n"


@pytest.mark.parametrize(("extra", "cell"), [("", ""), (",RPI", ",0")])
def test_perpetual_trades_have_seconds_with_a_fraction(tmp_path, extra, cell):
    """Read exactly, not through a binary float; the side is the taker's."""
    rows = perpetual("1756684800.0647", 1, rest=cell) + perpetual("1756684801", 2, "Sell", rest=cell)
    path = packed(tmp_path / "BTCUSDT2025-09-01.csv.gz", PERPETUAL + extra + "\n" + rows)
    one, other = trade_rows(path)
    assert (one.event_ts, other.event_ts) == (1_756_684_800_064_700_000, 1_756_684_801_000_000_000)
    assert (one.side, other.side, one.price, one.size, one.trade_id) == (BUY, SELL, 10050, 500, "id-1")


@pytest.mark.parametrize(
    ("stamps", "order"),
    [((30, 20, 20, 10), (3, 2, 1, 0)), ((10, 30, 20, 20), (0, 2, 3, 1)), ((10, 20, 20, 30), (0, 1, 2, 3))],
)
def test_files_in_another_order_are_read_in_that_of_time(tmp_path, stamps, order):
    """A file that runs backwards is turned round, trades of one time with it; others keep those as they stand."""
    rows = [perpetual(1_756_684_800 + stamp, k) for k, stamp in enumerate(stamps)]
    path = packed(tmp_path / "BTCUSDT2025-09-01.csv", PERPETUAL + "\n" + "".join(rows))
    assert [trade.trade_id for trade in trade_rows(path)] == [f"id-{k}" for k in order]
    assert refused(path) == []


@pytest.mark.parametrize(("symbol", "venue"), [("BTCPERP", "linear"), ("BTCUSD", "inverse"), ("BTC-26DEC25", "linear")])
def test_the_symbol_tells_inverse_from_linear(tmp_path, symbol, venue):
    """Both lie in one archive."""
    path = packed(tmp_path / "x.csv", PERPETUAL + "\n" + perpetual(1_756_684_800, 1, symbol=symbol))
    assert events(path)[0][0] == f"bybit-{venue}.{symbol}"


def spot(name, folder, *rows):
    return packed(folder / name, "id,timestamp,price,volume,side,rpi\n" + "".join(f"{row},0\n" for row in rows))


def test_spot_ids_restart_in_each_file(tmp_path):
    """The file's date makes them unique, so that the second day's first trade is no repeat."""
    one = spot("BTCUSDT_2025-09-01.csv.gz", tmp_path, f"1,{T},100.5,2,buy", f"2,{T + 5},100.4,2,sell")
    other = spot("BTCUSDT_2025-09-02.csv.gz", tmp_path, f"1,{T + 86_400_000},100.5,2,buy")
    found = inspect([one, other])
    assert (found["instruments"]["bybit-spot.BTCUSDT"]["trades"], found["quarantined"]) == (3, [])
    assert [t.trade_id for t in trade_rows(one)] == ["2025-09-01-1", "2025-09-01-2"]


def test_a_spot_file_must_keep_its_name(tmp_path):
    """Nothing in it names the symbol."""
    assert refused(spot("trades.csv", tmp_path, f"1,{T},100.5,2,buy")) == ["no_symbol"]


def test_book_and_trades_make_one_instrument(tmp_path):
    """With its decimals read off both."""
    trades = packed(tmp_path / "BTCUSDT2025-09-01.csv.gz", PERPETUAL + "\n" + perpetual(f"{T // 1000}.55", 1))
    chain = chain_of(book(tmp_path), trades)
    found = infer_instrument(chain, "bybit-linear.BTCUSDT")
    assert (found.price_decimals, found.tick, found.size_decimals, found.lot) == (1, 5, 2, 25)
    arrived = [arrived.doc.get("archive", "book") for arrived in chain.frames("bybit-linear.BTCUSDT")]
    assert arrived == ["book", "bybit-trading", "book", "book"]
