"""OKX frames: swaps and spot, chained ids, sides and times."""

import pytest

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.events import ASK, BID, BUY, SELL, BookMessage, Trade
from ml.market.venues.okx import event_ts, kind, outline, parse, route

SWAP = Instrument("okx-swap.BTC-USDT-SWAP", 1, 2, 1, 1)
T = 1_741_000_000_000
NS = 1_741_000_000_000_000_000


def book(action="update", seq=12, prev=10, bids=(("99.5", "1.25", "0", "3"),), asks=(("100.0", "0", "0", "1"),)):
    entry = {"bids": [list(b) for b in bids], "asks": [list(a) for a in asks], "ts": str(T), "checksum": 0}
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    return {"arg": arg, "action": action, "data": [entry | {"seqId": seq, "prevSeqId": prev}]}


def trade_rows(side="buy", size="3"):
    entry = {"instId": "BTC-USDT", "tradeId": "7", "px": "99.5", "sz": size, "side": side, "ts": str(T)}
    return {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [entry]}


def test_an_update_is_its_levels_and_its_chained_ids():
    """A level's third and fourth fields say nothing about its size; asks come first, as OKX writes them."""
    (message,), found = parse(book(), SWAP)
    assert message == BookMessage(False, NS, NS, 12, 12, 10, [ASK, BID], [1000, 995], [0, 125])
    assert found == []


def test_a_snapshot_has_no_id_before_it():
    """It replaces the book."""
    ((message,), _) = parse(book("snapshot", 12, -1), SWAP)
    assert (message.snapshot, message.prev_id) == (True, -1)


def test_a_snapshot_may_leave_out_that_it_follows_nothing():
    """Some connections do not write the id; an update without it cannot be followed."""
    doc = book("snapshot", prev=-1)
    del doc["data"][0]["prevSeqId"]
    (message,), _ = parse(doc, SWAP)
    assert (message.snapshot, message.prev_id) == (True, -1)


def test_the_outline_is_the_message_without_levels():
    """Ids and times are those that parsing gives."""
    ((whole,), _) = parse(book(), SWAP)
    assert outline(book()) == [whole.bare()]


@pytest.mark.parametrize(("side", "expected"), [("buy", BUY), ("sell", SELL)])
def test_a_print_has_the_side_of_its_aggressor(side, expected):
    """OKX names the taker's side."""
    assert parse(trade_rows(side), SWAP) == ([], [Trade(NS, "7", expected, 995, 300)])


@pytest.mark.parametrize(
    ("symbol", "venue"), [("BTC-USDT-SWAP", "okx-swap"), ("BTC-USDT", "okx-spot"), ("BTC-USD-251226", None), (7, None)]
)
def test_the_symbol_tells_the_market(symbol, venue):
    """Dated futures, options and frames without a symbol are refused."""
    doc = {"arg": {"channel": "books", "instId": symbol}, "data": []}
    if venue:
        assert route(doc, "") == (venue, symbol)
    else:
        with pytest.raises(FrameError, match=r"wrong_venue|unknown_frame"):
            route(doc, "")


@pytest.mark.parametrize("broken", [{"data": []}, {"data": [{"ts": "x"}]}, {"data": [{"ts": "0"}]}, {"data": [{}]}])
def test_a_frame_without_a_time_is_bad(broken):
    """The clock takes positive whole numbers only."""
    with pytest.raises(FrameError, match="bad_frame"):
        event_ts({**book(), **broken})


@pytest.mark.parametrize("name", ["bids", "asks", "seqId", "prevSeqId", "ts"])
def test_an_update_that_lacks_a_field_is_bad(name):
    """The missing field is named."""
    doc = book()
    del doc["data"][0][name]
    with pytest.raises(FrameError, match=name):
        parse(doc, SWAP)


def test_a_print_without_size_is_off_market():
    """It comes as its error, beside the trades."""
    _, (error,) = parse(trade_rows(size="0"), SWAP)
    assert isinstance(error, FrameError)
    assert error.reason == "off_market"


def test_other_channels_give_nothing():
    """A best bid and ask is no event."""
    doc = {"arg": {"channel": "bbo-tbt", "instId": "BTC-USDT"}, "data": [{"ts": str(T)}]}
    assert (kind(doc), parse(doc, SWAP), outline(doc)) == ("other", ([], []), [])
