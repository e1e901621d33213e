"""Bybit V5 frames: snapshots and deltas, trades, and which market a connection is."""

from itertools import islice

import orjson
import pytest

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.events import ASK, BID, BUY, SELL, BookMessage, RawFrame, Trade
from ml.market.venues.bybit import event_ts, kind, parse, route

BTC = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
T = 1_741_000_000_000
NS = 1_741_000_000_000_000_000
LINEAR = "wss://stream.bybit.com/v5/public/linear"


def book(update, what="delta", bids=(), asks=(), **more):
    """An order book message."""
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": update, "seq": 7}
    return {"topic": "orderbook.200.BTCUSDT", "type": what, "ts": T + 4, "cts": T, "data": data} | more


def trade_rows(*entries):
    """A trade message; entries are changes to a trade."""
    one = {"T": T, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "99.5", "i": "a"}
    return {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": T + 9, "data": [one | entry for entry in entries]}


@pytest.mark.parametrize(
    ("update", "what", "whole"), [(7, "delta", False), (7, "snapshot", True), (1, "delta", True), (1, "snapshot", True)]
)
def test_a_snapshot_or_a_restarted_count_replaces_the_book(update, what, whole):
    """The count 1 comes after a restart of the service and holds the whole book, whatever it is called."""
    (message,), _ = parse(book(update, what, [["99.5", "1.25"]], [["100.0", "0"]]), BTC)
    assert message == BookMessage(whole, NS, NS + 4 * 10**6, update, update, -1, [BID, ASK], [995, 1000], [1250, 0])


def test_each_print_of_a_message_has_its_own_side_and_time():
    """S is the aggressor's side."""
    _, found = parse(trade_rows({}, {"S": "Sell", "T": T + 5, "i": "b", "p": "99.4"}), BTC)
    assert found == [Trade(NS, "a", BUY, 995, 1), Trade(NS + 5 * 10**6, "b", SELL, 994, 1)]


@pytest.mark.parametrize("change", [{"p": "0"}, {"v": "0.000"}, {"p": "-1.0"}])
def test_an_off_market_print_is_quarantined_and_the_others_stay(change):
    """One bad print spoils only itself."""
    _, (bad, good) = parse(trade_rows(change, {"i": "b"}), BTC)
    assert (bad.reason, good.trade_id) == ("off_market", "b")


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (book(7), NS),
        (book(7, cts=T * 1_000 + 3), NS + 3_000),
        ({k: v for k, v in book(7).items() if k != "cts"}, NS + 4 * 10**6),
        (trade_rows({}, {"T": T + 6}, {"T": T + 5}), NS + 6 * 10**6),
    ],
    ids=["matching engine", "microseconds", "send time", "latest print"],
)
def test_the_time_of_a_frame(doc, expected):
    """The matching engine's where given, else the send time; of several trades the latest."""
    assert event_ts(doc) == expected


@pytest.mark.parametrize(
    "doc",
    [
        trade_rows(),
        trade_rows({"T": None}),
        trade_rows({"T": "x"}),
        book(7, cts=0),
        book(7, cts="1"),
        {**trade_rows(), "data": 3},
    ],
)
def test_a_frame_without_a_time_is_bad(doc):
    """No trade, no number, nothing positive."""
    with pytest.raises(FrameError, match="bad_frame"):
        event_ts(doc)


@pytest.mark.parametrize("market", ["linear", "spot", "inverse"])
def test_the_connection_tells_the_market(market):
    """Spot and linear share topic names; the address is the only difference."""
    conn = f"wss://stream.bybit.com/v5/public/{market}"
    assert route(book(7), conn) == (f"bybit-{market}", "BTCUSDT")


@pytest.mark.parametrize(
    ("doc", "conn", "reason"),
    [
        (book(7), "wss://stream.bybit.com/v5/public/option", "wrong_venue"),
        (book(7), "", "wrong_venue"),
        ({"topic": 3}, LINEAR, "unknown_frame"),
        ({}, LINEAR, "unknown_frame"),
    ],
)
def test_frames_of_unknown_markets_are_refused(doc, conn, reason):
    """A book whose market is a guess is no book."""
    with pytest.raises(FrameError) as caught:
        route(doc, conn)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("doc", "what"), [(book(7), "book"), (trade_rows({}), "trade"), ({"topic": "kline.1.BTCUSDT"}, "other")]
)
def test_the_topic_tells_the_kind(doc, what):
    """Candles and tickers are neither book nor trades, and give no event."""
    assert kind(doc) == what
    assert what != "other" or parse(doc, BTC) == ([], [])


@pytest.mark.parametrize(
    "doc",
    [
        book(None),
        book("x"),
        {**book(7), "data": None},
        {**book(7), "ts": None},
        trade_rows({"p": None}),
        {**book(7), "type": 1, "data": {"u": 2}},
    ],
)
def test_a_frame_with_a_bad_field_is_bad(doc):
    """Never half a message."""
    with pytest.raises(FrameError, match="bad_frame"):
        parse(doc, BTC)


def test_recorded_frames_parse(market):
    """Update ids of a recorded linear book count by one from its snapshot on."""
    from ml.market.files.captures import read

    found = []
    for line in islice(read(market / "bybit_v5_ws" / "BYBIT.jsonl.zst"), 2_000):
        doc = orjson.loads(line.payload) if isinstance(line, RawFrame) else {}
        if "topic" in doc and route(doc, line.conn) == ("bybit-linear", "BTCUSDT") and kind(doc) == "book":
            found += parse(doc, BTC)[0]
    assert [message.snapshot for message in found[:3]] == [True, False, False]
    assert [m.last_id - found[0].last_id for m in found] == list(range(len(found)))
    assert len(found) > 50
