"""Exploded Binance CSV: diffs by their ids, trades, comments above the header, the market by its fields."""

import gzip

import pytest

from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from tests.support.scenario import capture, chain_of, diff, snapshot
from tests.unit.market.files.archives.files import docs, events, packed, refused, trade_rows

T = 1_741_046_400_000
HEAD = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,FirstUpdateId,FinalUpdateId,"
    "FinalUpdateIdInLastStream,IsAsk,Price,Quantity"
)
TRADE_HEAD = (
    "TimestampOfReceive,Stream,EventType,EventTime,TransactionTime,Symbol,TradeId,Price,Quantity,IsBuyerMarketMaker"
)


def row(u, pu, is_ask, price, size):
    at = T + u
    return f"{at + 9},btcusdt@depth,depthUpdate,{at + 2},{at},BTCUSDT,{pu + 1},{u},{pu},{is_ask},{price},{size}\n"


ROWS = row(2, 1, 0, 99, 1) + row(2, 1, 1, 101, 1) + row(3, 2, 0, 98, 4)


def test_the_rows_of_a_diff_are_one_message(tmp_path):
    """Ids, both clocks and the send time are those of the stream; a block of comments is none of the rows."""
    path = packed(tmp_path / "x.csv.gz", "# dumped by\n# a collector\n" + HEAD + "\n" + ROWS)
    (instrument, frame, (one,), _), (_, _, (other,), _) = events(path)
    assert instrument == "binance-usdm.BTCUSDT"
    assert (one.first_id, one.last_id, one.prev_id, other.prev_id, one.snapshot) == (2, 2, 1, 2, False)
    assert (frame.recv_ts, one.event_ts, one.send_ts) == ((T + 11) * 10**6, (T + 2) * 10**6, (T + 4) * 10**6)
    assert (one.side, one.price, one.size) == ([1, -1], [9900, 10100], [1000, 1000])


def test_a_capture_before_them_anchors_the_exploded_diffs(tmp_path):
    """Both are one chain of ids, whatever the file; a gap in it shows."""
    before = capture(tmp_path / "a.log", [diff(1, 0, T), snapshot(1, T)], start_ms=T, step_ms=1)
    path = packed(tmp_path / "x.csv", HEAD + "\n" + ROWS + row(9, 8, 0, 97, 1))
    found = inspect([path, before])["instruments"]["binance-usdm.BTCUSDT"]
    assert (found["book_messages"], found["level_updates"]) == (3, 3)
    assert [(gap["reason"], gap["from_id"], gap["to_id"]) for gap in found["gaps"]] == [("sequence_gap", 3, 8)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (row(3, 2, 2, 1, 1), "IsAsk is '2', not one of 0, 1"),
        (row(3, 2, 0, "x", 1), "'x' is not a number"),
        ("1,2\n", "the row has 2 cells, not 12"),
        (row(3, 2, 0, 1, 1).replace(f"{T + 3 + 9},", "soon,"), "TimestampOfReceive is 'soon', not a whole number"),
        (row(3, 2, 0, 1, 1).replace(",BTCUSDT,", ",ETHUSDT,"), "Symbol 'ETHUSDT' contradicts Stream 'btcusdt@depth'"),
    ],
)
def test_an_unreadable_row_spoils_its_diff(tmp_path, bad, why):
    """A diff that lacks a level must not be applied: it is quarantined whole, in words, and its ids show the gap."""
    path = packed(tmp_path / "x.csv", HEAD + "\n" + ROWS + bad + row(4, 3, 0, 97, 1))
    report = inspect([path])
    (entry,) = report["quarantined"]
    assert entry["offset"] == len(HEAD) + 1 + len(row(2, 1, 0, 99, 1) + row(2, 1, 1, 101, 1))
    assert why in entry["detail"]
    assert list(report["instruments"]) == ["binance-usdm.BTCUSDT"]


@pytest.mark.parametrize(
    ("drop", "add", "venue"),
    [
        ((), (), "usdm"),
        (("TransactionTime", "FinalUpdateIdInLastStream"), (), "spot"),
        ((), ("PSUnknownField",), "usdm"),
    ],
)
def test_the_fields_tell_the_market(tmp_path, drop, add, venue):
    """Spot has neither transaction time nor the id before; COIN-M is told by its symbols."""
    cells = dict(zip(HEAD.split(","), ROWS.splitlines()[0].split(","), strict=True)) | dict.fromkeys(add, "BTCUSD")
    kept = {name: cell for name, cell in cells.items() if name not in drop}
    path = packed(tmp_path / "x.csv", ",".join(kept) + "\n" + ",".join(kept.values()) + "\n")
    assert events(path)[0][0] == f"binance-{venue}.BTCUSDT"


@pytest.mark.parametrize(
    ("extra", "cell", "market"), [("XUnknownParameter", "MARKET", True), ("XUnknownParameter", "NA", False)]
)
def test_a_print_outside_the_market_is_told(tmp_path, extra, cell, market):
    """As in the stream."""
    text = f"{TRADE_HEAD},{extra}\n{T},btcusdt@trade,trade,{T},{T},BTCUSDT,5,100,2,1,{cell}\n"
    (found,) = trade_rows(packed(tmp_path / "x.csv", text))
    assert found.trade_id == "5"
    assert getattr(found, "reason", "") == ("" if market else "off_market")


def test_recorded_files_have_all_their_rows(market):
    """10 000 levels and 10 000 trades; without a snapshot the levels make no book, and the ledger says so."""
    depth, trades = sorted((market / "binance_csv_trx").iterdir())
    lines = [line for doc in docs(depth) for line in doc["rows"]]
    assert lines == gzip.decompress(depth.read_bytes()).decode().splitlines()[1:]
    assert (len(lines), len(docs(trades)), refused(depth)) == (10_000, 10_000, [])
    report = inspect([depth, trades])
    found = report["instruments"]["binance-coinm.TRXUSD_PERP"]
    assert (found["trades"], found["book_messages"], found["gaps"][0]["reason"]) == (10_000, 0, "no_snapshot")
    # the depth file ends with one row that was received a day after its transaction time
    assert [(e["file"], e["reason"]) for e in report["quarantined"]] == [(depth.name, "clock_back")]


def test_decimals_are_read_off(market):
    """Five decimals of a dollar, whole contracts."""
    chain = chain_of(*sorted((market / "binance_csv_trx").iterdir()))
    found = infer_instrument(chain, "binance-coinm.TRXUSD_PERP")
    assert (found.price_decimals, found.tick, found.size_decimals, found.lot) == (5, 1, 0, 1)
