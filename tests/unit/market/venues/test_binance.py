"""Binance frames of spot and both futures: shapes, ids, sides and times."""

from itertools import islice, pairwise

import orjson
import pytest

from ml.core.errors import FrameError
from ml.core.instruments import Instrument
from ml.market.decode.events import ASK, BID, BUY, SELL, BookMessage, RawFrame, Trade
from ml.market.venues.binance import event_ts, kind, parse, route
from tests.support.scenario import USDM, diff, snapshot, trade

BTC = Instrument(USDM, 1, 3, 1, 1)
T = 1_741_000_000_000
NS = 1_741_000_000_000_000_000
OTHER = {"stream": "btcusdt@bookTicker", "data": {"e": "bookTicker", "s": "BTCUSDT", "T": T, "E": T}}
SPOT_DIFF = {"e": "depthUpdate", "E": T, "s": "BTCUSDT", "U": 3, "u": 5, "b": [["99.5", "1"]], "a": []}
COIN_DIFF = {**SPOT_DIFF, "s": "BTCUSD_PERP", "ps": "BTCUSD", "T": T, "pu": 2}
TODAY = {**COIN_DIFF, "s": "BTCUSDT", "ps": "BTCUSDT", "st": 1}
DATED = {**TODAY, "s": "BTCUSDT_261225"}


def test_a_diff_is_its_levels_and_ids():
    """Sizes are absolute, 0 removes; bids come before asks; transaction time and send time are kept apart."""
    doc = diff(12, 7, T, [("99.5", "1.250"), ("99.0", "0")], [("100.0", "2.000")], first=10)
    doc["data"]["E"] = T + 3
    (message,), trade_rows = parse(doc, BTC)
    levels = ([BID, BID, ASK], [995, 990, 1000], [1250, 0, 2000])
    assert message == BookMessage(False, NS, NS + 3 * 10**6, 10, 12, 7, *levels)
    assert trade_rows == []


def test_a_rest_snapshot_replaces_the_book():
    """One id bounds it on both sides; it has no predecessor."""
    (message,), trade_rows = parse(snapshot(12, T, [("99.5", "1")], [("100.0", "2")]), BTC)
    assert message == BookMessage(True, NS, NS, 12, 12, -1, [BID, ASK], [995, 1000], [1000, 2000])
    assert trade_rows == []


def test_a_rest_snapshot_without_times_has_time_zero():
    """Spot gives none; the stream's clock will stand in."""
    doc = {"lastUpdateId": 5, "bids": [], "asks": []}
    assert parse(doc, BTC) == ([BookMessage(True, 0, 0, 5, 5, -1)], [])


@pytest.mark.parametrize(("maker", "side"), [(True, SELL), (False, BUY)])
def test_a_print_has_the_side_of_its_aggressor(maker, side):
    """Where m is true the buyer was the maker, so a seller took."""
    assert parse(trade(8, T, "99.5", "0.001", maker), BTC) == ([], [Trade(NS, "8", side, 995, 1)])


@pytest.mark.parametrize("change", [{"kind": "INSURANCE_FUND"}, {"price": "0.0"}, {"size": "0"}, {"price": "-1"}])
def test_an_off_market_print_is_an_error_and_no_print(change):
    """It comes as its reason, beside the trades."""
    _, (error,) = parse(trade(8, T, **change), BTC)
    assert isinstance(error, FrameError)
    assert (error.reason, "trade 8" in error.detail) == ("off_market", True)


@pytest.mark.parametrize(
    ("doc", "venue", "symbol", "what"),
    [
        (diff(2, 1, T), "binance-usdm", "BTCUSDT", "book"),
        (trade(2, T), "binance-usdm", "BTCUSDT", "trade"),
        (snapshot(2, T), "binance-usdm", None, "snapshot"),
        (OTHER, "binance-usdm", "BTCUSDT", "other"),
        ({**diff(2, 1, T), "stream": "sim/btcusdt@depth"}, "sim", "BTCUSDT", "book"),
        ({"stream": "btcusdt@depth", "data": SPOT_DIFF}, "binance-spot", "BTCUSDT", "book"),
        ({"stream": "btcusd_perp@depth", "data": COIN_DIFF}, "binance-coinm", "BTCUSD_PERP", "book"),
        ({"stream": "btcusdt@trade", "data": {"e": "trade", "s": "BTCUSDT"}}, "binance-spot", "BTCUSDT", "trade"),
        ({"stream": "btcusdt@depth", "data": TODAY}, "binance-usdm", "BTCUSDT", "book"),
        ({"stream": "btcusdt_261225@depth", "data": DATED}, "binance-usdm", "BTCUSDT_261225", "book"),
        ({"stream": "btcusd_perp@depth", "data": COIN_DIFF | {"st": 2}}, "binance-coinm", "BTCUSD_PERP", "book"),
        ({"stream": "x", "data": {k: v for k, v in TODAY.items() if k != "st"}}, "binance-usdm", "BTCUSDT", "book"),
        ({"stream": "x@trade", "data": {"e": "trade", "s": "X", "X": "", "st": 2}}, "binance-coinm", "X", "trade"),
    ],
    ids=["diff", "trade", "snapshot", "other", "sim", "spot diff", "coin-m diff", "spot trade"]
    + [f"{what} since 2026" for what in ("diff", "dated", "coin-m diff", "diff with a pair alone", "coin-m trade")],
)
def test_a_frame_tells_venue_symbol_and_kind(doc, venue, symbol, what):
    """A REST snapshot does not name its symbol; the simulated venue is told by its streams."""
    assert (route(doc, ""), kind(doc)) == ((venue, symbol), what)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SPOT_DIFF, "wrong_venue"),
        (COIN_DIFF, "wrong_venue"),
        (COIN_DIFF | {"st": 2}, "wrong_venue"),
        ({"e": "depthUpdate", "pu": 1}, "unknown_frame"),
        ([1, 2], "unknown_frame"),
        (None, "unknown_frame"),
    ],
    ids=["spot", "coin-m", "coin-m since 2026", "no symbol", "a list", "nothing"],
)
def test_frames_of_other_markets_are_refused(data, reason):
    """Spot diffs have no pu, COIN-M diffs name a pair or their type: none comes over a connection of USD-M."""
    with pytest.raises(FrameError) as caught:
        route({"stream": "x@depth", "data": data}, f"{USDM.partition('.')[0]} wss://fstream.binance.com/stream")
    assert caught.value.reason == reason


def test_diffs_of_2026_come_over_their_own_connection():
    """Both futures name the pair now: it does not make a diff one of COIN-M."""
    for venue, data in ((USDM.partition(".")[0], TODAY), ("binance-coinm", COIN_DIFF | {"st": 2})):
        assert route({"stream": "x@depth", "data": data}, f"{venue} wss://x/stream") == (venue, data["s"])


def test_a_snapshot_is_placed_by_the_address_it_came_from():
    """Our own capture keeps the request's address, which names the symbol."""
    conn = "binance-spot https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=5000"
    assert route({"lastUpdateId": 1}, conn) == ("binance-spot", "ETHUSDT")


def test_a_spot_diff_has_its_send_time_and_no_id_before_it():
    """Spot gives no transaction time."""
    (message,), _ = parse({"stream": "btcusdt@depth", "data": SPOT_DIFF}, BTC)
    assert (message.event_ts, message.first_id, message.last_id, message.prev_id) == (NS, 3, 5, -1)


@pytest.mark.parametrize("unit", [1, 10**3, 10**6])
def test_the_unit_of_the_time_is_detected(unit):
    """Milliseconds today, us on spot since 2025."""
    assert event_ts(diff(2, 1, T * unit)) == NS


@pytest.mark.parametrize("stamp", [None, 0, -5, "1741000000000", 1.5])
def test_a_frame_without_a_time_is_bad(stamp):
    """The clock takes whole positive numbers only."""
    with pytest.raises(FrameError, match="bad_frame"):
        event_ts(diff(2, 1, stamp))


@pytest.mark.parametrize("name", ["U", "u", "T", "b", "a", "E"])
def test_a_diff_that_lacks_a_field_is_bad(name):
    """The missing field is named."""
    doc = diff(2, 1, T)
    del doc["data"][name]
    with pytest.raises(FrameError, match=f"bad_frame: '{name}' is missing"):
        parse(doc, BTC)


def test_other_streams_give_nothing():
    """A book ticker is no event."""
    assert parse(OTHER, BTC) == ([], [])


def test_recorded_frames_parse(market):
    """Every depth frame and trade of a recorded file is read; ids of diffs follow each other."""
    from ml.market.files.captures import read

    instrument = Instrument(USDM, 2, 3, 1, 1)
    lines = islice(read(market / "binance_raw" / "usdm__btcusdt_20240719.gz"), 3_000)
    parsed = [parse(orjson.loads(line.payload), instrument) for line in lines if isinstance(line, RawFrame)]
    diffs = [books[0] for books, _ in parsed if books]
    assert len(diffs) > 100
    assert all(after.prev_id == before.last_id for before, after in pairwise(diffs))
    assert all(isinstance(trade, Trade) for _, trade_rows in parsed for trade in trade_rows)
