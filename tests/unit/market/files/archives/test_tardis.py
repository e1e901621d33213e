"""Tardis CSV: venues, both clocks, snapshots that starts over, trades without ids."""

import json

import pytest

from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from ml.market.decode.events import BUY, SELL
from tests.support.command import lobforge
from tests.support.scenario import chain_of
from tests.unit.market.files.archives.files import docs, events, packed, refused, trade_rows

BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
T = 1_585_699_200_000_000


def level(ms, side, price, size, snapshot=False, exchange="binance-futures", symbol="BTCUSDT"):
    at = T + 1000 * ms
    return f"{exchange},{symbol},{at},{at + 500},{str(snapshot).lower()},{side},{price},{size}\n"


def both(ms, bid, ask):
    return level(ms, "bid", bid, 1, True) + level(ms, "ask", ask, 1, True)


def book(folder, *lines):
    return packed(folder / "x.csv.gz", BOOK + "".join(lines))


def test_rows_of_one_moment_are_one_message_with_its_lines_unchanged(tmp_path):
    """A snapshot is a run of rows, a diff the rows that arrived at once."""
    path = book(tmp_path, both(0, 99, 101), level(5, "bid", 98, 2), level(5, "ask", 102, 0), level(6, "bid", 98, 0))
    found = docs(path)
    assert [len(doc["rows"]) for doc in found] == [2, 2, 1]
    assert "".join(line + "\n" for doc in found for line in doc["rows"]) == "".join(
        [both(0, 99, 101), level(5, "bid", 98, 2), level(5, "ask", 102, 0), level(6, "bid", 98, 0)]
    )
    (_, frame, (message,), _), *_ = events(path)
    assert (message.snapshot, message.event_ts, message.last_id, frame.recv_ts) == (
        True,
        T * 1000,
        -1,
        (T + 500) * 1000,
    )
    assert (message.side, message.price) == ([1, -1], [9900, 10100])


def test_a_snapshot_after_a_diff_is_a_reconnect(tmp_path):
    """What was lost before it cannot be known: the book is unknown from the last good message to the snapshot."""
    path = book(tmp_path, both(0, 99, 101), level(5, "bid", 98, 2), both(900, 97, 103), level(901, "bid", 96, 1))
    found = inspect([path])["instruments"]["binance-usdm.BTCUSDT"]
    (gap,) = found["gaps"]
    assert (gap["reason"], gap["from_id"], gap["to_id"]) == ("reconnect", None, None)
    assert (gap["start"], gap["end"]) == ((T + 5000) * 1000, (T + 900_000) * 1000)
    assert (found["best_bid"], found["bid_levels"], found["book_messages"]) == (97.0, 2, 4)


def test_diffs_before_a_snapshot_are_not_a_book(tmp_path):
    """Nothing anchors them."""
    path = book(tmp_path, level(5, "bid", 98, 2), level(6, "ask", 102, 2))
    found = inspect([path])["instruments"]["binance-usdm.BTCUSDT"]
    assert (found["book_messages"], found["gaps"][0]["reason"]) == (0, "no_snapshot")


@pytest.mark.parametrize("bad", ["true?,bid,98,2\n", "false,bid,98\n", "false,mid,98,2\n", "false,bid,x,2\n"])
def test_an_unreadable_row_among_diffs_breaks_the_book(tmp_path, bad):
    """Without ids nothing else would show that a change is missing."""
    start = f"binance-futures,BTCUSDT,{T + 5000},{T + 5500},"
    before = both(0, 99, 101) + level(3, "bid", 98, 2) + level(5, "bid", 97, 2)
    path = book(tmp_path, before, start + bad, level(6, "ask", 102, 1))
    report = inspect([path])
    (gap,) = report["instruments"]["binance-usdm.BTCUSDT"]["gaps"]
    assert (gap["reason"], gap["start"], gap["end"]) == ("bad_frame", (T + 3000) * 1000, None)
    assert len(report["quarantined"]) == 1


def test_a_torn_file_breaks_the_book(tmp_path):
    """The next file goes on as if nothing had happened: the note of the loss says otherwise."""
    many = [level(k, "bid", 50 + k % 40, 1 + k % 7) for k in range(5, 4000)]
    path = book(tmp_path, both(0, 99, 101), *many)
    path.write_bytes(path.read_bytes()[:-300])
    later = packed(tmp_path / "y.csv", BOOK + level(5000, "bid", 90, 3))
    report = inspect([path, later])
    found = report["instruments"]["binance-usdm.BTCUSDT"]
    assert [gap["reason"] for gap in found["gaps"]] == ["bad_frame"]
    assert [entry["reason"] for entry in report["quarantined"]] == ["truncated"]


@pytest.mark.parametrize(
    ("exchange", "symbol", "expected"),
    [
        ("binance", "BTCUSDT", "binance-spot.BTCUSDT"),
        ("binance-delivery", "BTCUSD_PERP", "binance-coinm.BTCUSD_PERP"),
        ("bybit", "BTCUSDT", "bybit-linear.BTCUSDT"),
        ("bybit", "BTCUSD", "bybit-inverse.BTCUSD"),
        ("bybit", "BTCUSDH25", "bybit-inverse.BTCUSDH25"),
        ("okex-swap", "BTC-USDT-SWAP", "okx-swap.BTC-USDT-SWAP"),
        ("coinbase", "BTC-USD", "coinbase-spot.BTC-USD"),
    ],
)
def test_an_exchange_has_our_name(tmp_path, exchange, symbol, expected):
    """The instrument is the one that a capture of that venue has."""
    ((instrument, *_),) = events(book(tmp_path, level(0, "bid", 1, 1, exchange=exchange, symbol=symbol)))
    assert instrument == expected


def test_an_unknown_exchange_is_quarantined_row_by_row(tmp_path):
    """With its reason."""
    path = packed(tmp_path / "x.csv", TRADES + f"nowhere,X,{T},{T},1,buy,1,1\n" * 2)
    assert refused(path) == ["wrong_venue", "wrong_venue"]


def test_trades_without_ids_stay_apart(tmp_path):
    """Two equal trades that arrived at once are two; the taker's side is as written, `unknown` is none."""
    row = f"binance-futures,BTCUSDT,{T},{T},,%s,10,1\n"
    one, other = trade_rows(packed(tmp_path / "x.csv", TRADES + row % "buy" + row % "sell"))
    assert (one.side, other.side) == (BUY, SELL)
    assert one.trade_id != other.trade_id


def test_a_trade_that_cannot_be_read_is_no_fault_of_those_beside_it(tmp_path):
    """Rows that arrived at once are one message, of which the others count."""
    row = f"binance-futures,BTCUSDT,{T},{T},%s,%s,%s,1\n"
    rows = [row % (1, "buy", 10), row % (2, "unknown", 10), row % (3, "sell", "1e400"), row % (4, "sell", 11)]
    report = inspect([packed(tmp_path / "x.csv", TRADES + "".join(rows) + rows[0].replace(str(T), "soon"))])
    assert [entry["reason"] for entry in report["quarantined"]] == ["bad_frame", "bad_frame", "bad_number"]
    details = " ".join(entry["detail"] for entry in report["quarantined"])
    assert "timestamp is 'soon', not a whole number" in details
    assert "aggressor is 'unknown', neither buy nor sell" in details
    assert report["instruments"]["binance-usdm.BTCUSDT"]["trades"] == 2


def test_book_snapshots_replace_the_book_without_a_gap(tmp_path):
    """Levels that are not there are empty cells."""
    names = ",".join(
        f"{side}[{k}].{what}" for k in range(2) for side in ("asks", "bids") for what in ("price", "amount")
    )
    head = f"exchange,symbol,timestamp,local_timestamp,{names}\n"
    rows = [f"binance,X,{T + k},{T + k},101,1,99,{k},102,1,,\n" for k in range(1, 4)]
    path = packed(tmp_path / "x.csv", head + "".join(rows))
    found = inspect([path])["instruments"]["binance-spot.X"]
    assert (found["book_messages"], found["gaps"], found["bid_levels"], found["ask_levels"]) == (3, [], 1, 2)


def test_recorded_files_have_their_rows(market):
    """9 999 trades, ten books of five levels, and a snapshot of 15 asks, which is no book yet."""
    report = inspect(sorted((market / "tardis_csv").iterdir()))
    future, perpetual = (report["instruments"][i] for i in ("binance-usdm.BTCUSDT", "deribit.BTC-PERPETUAL"))
    assert report["quarantined"] == []
    assert (future["trades"], future["book_messages"], future["level_updates"], future["gaps"]) == (9_999, 10, 100, [])
    assert (future["best_bid"], future["best_ask"]) == (11657.07, 11657.08)
    assert (perpetual["level_updates"], perpetual["bid_levels"], perpetual["ask_levels"]) == (15, 0, 15)


def test_decimals_are_read_off(market):
    """Prices in halves, sizes in tens of dollars."""
    found = infer_instrument(chain_of(*sorted((market / "tardis_csv").iterdir())), "deribit.BTC-PERPETUAL")
    assert (found.price_decimals, found.tick, found.size_decimals, found.lot) == (1, 5, 0, 10)


def test_inspect_sees_archives_as_it_sees_captures(market, capsys):
    """A book of which one side alone was published is never known, and that is a gap."""
    folder = market / "tardis_csv"
    assert lobforge("inspect", *sorted(folder.glob("binance-futures_*")), "--json") == 0
    capsys.readouterr()
    assert lobforge("inspect", folder, "--json") == 1
    found = json.loads(capsys.readouterr().out)["instruments"]
    assert [name for name, told in found.items() if told["gaps"]] == ["deribit.BTC-PERPETUAL"]
