"""GDAX: updates by time, a snapshot in two files, raw messages, sizes with the noise of floats."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.instruments import to_units
from ml.market.days.infer_instrument import infer_instrument
from ml.market.days.replay import inspect
from ml.market.decode.events import BUY, SELL
from ml.market.files.archives.gdax import iso_ns, without_noise
from tests.support.scenario import chain_of
from tests.unit.market.files.archives.files import docs, events, packed, refused, trade_rows

RAW_HEAD = (
    "_id,asks,bids,changes,channels,maker_order_id,message,price,product_id,reason,sequence,side,size,taker_order_id,"
    "time,trade_id,type\n"
)


def hour(folder, *updates):
    """A snapshot of two levels and updates, as three files."""
    return [
        packed(folder / "btcusd_20180424_snapshot_asks.csv.gz", "side,price,size\nsell,101,1\nsell,102,2\n"),
        packed(folder / "btcusd_20180424_snapshot_bids.csv.gz", "side,price,size\nbuy,99,1\nbuy,98,2\n"),
        packed(folder / "btcusd_20180424_l2update.csv", "side,price,size,time\n" + "".join(updates)),
    ]


def update(second, side="buy", price="99", size="0.0"):
    return f"{side},{price},{size},2018-04-24T03:52:{second:02}.202Z\n"


def test_a_snapshot_in_two_files_holds_for_the_next_update(tmp_path):
    """Both sides are joined, in whichever order the files come."""
    paths = hour(tmp_path, update(17), update(17, "sell", "101.5", "3"), update(18, size="2"))
    found = inspect(paths)["instruments"]["coinbase-spot.BTC-USD"]
    assert found == inspect(paths[::-1])["instruments"]["coinbase-spot.BTC-USD"]
    assert (found["book_messages"], found["level_updates"], found["gaps"]) == (2, 3, [])
    assert (found["best_bid"], found["best_ask"], found["bid_levels"], found["ask_levels"]) == (99.0, 101.0, 2, 3)
    assert found["first_event_ts"] == iso_ns("2018-04-24T03:52:17.202Z")


def test_the_next_days_snapshot_restarts_the_book(tmp_path):
    """What lies between is unknown: a reconnect."""
    paths = hour(tmp_path, update(17, size="2"), update(18, size="3"))
    later = [packed(p.with_name(p.name.replace("0424", "0425")), "") for p in paths]
    for path, text in zip(later, ("sell,201,1\n", "buy,199,1\n"), strict=False):
        packed(path, "side,price,size\n" + text)
    packed(later[2], "side,price,size,time\n" + update(20, price="198", size="1").replace("-24T", "-25T"))
    found = inspect([*paths, *later])["instruments"]["coinbase-spot.BTC-USD"]
    assert [gap["reason"] for gap in found["gaps"]] == ["reconnect"]
    assert (found["best_bid"], found["bid_levels"], found["ask_levels"]) == (199.0, 2, 1)


def test_the_name_must_tell_the_product(tmp_path):
    """Nothing in the file does."""
    path = packed(tmp_path / "updates.csv", "side,price,size,time\n" + update(17))
    assert refused(path) == ["no_symbol"]


@given(st.integers(1, 10**13), st.integers(1, 10**12))
def test_the_noise_of_floats_is_taken_away_and_nothing_else(units, other):
    """Any size of eight decimals that went through sums of floats comes back exactly."""
    size = (units + other) / 10**8
    noisy = repr(units / 10**8 + other / 10**8)
    if size < 10_000:
        assert to_units(without_noise(noisy), 8) == units + other


@given(st.integers(0, 8), st.data())
def test_noise_on_sizes_of_millions_is_taken_away(decimals, data):
    """Of coins that cost a fraction of a cent: fifteen digits are all that a float holds."""
    units = data.draw(st.integers(10**decimals, 10**15 - 1))
    noisy = math.nextafter(units / 10**decimals, math.inf)
    assert to_units(without_noise(f"{Decimal(noisy):f}"), decimals) == units


@pytest.mark.parametrize("text", ["0.123456785", "1e-9", "7", "0.5", "12000000.123456789", "1e400.000000000"])
def test_what_is_no_noise_stays(text):
    """A size that truly has more decimals is for the decoder to refuse."""
    assert without_noise(text) == text


def raw(kind, number=0x5AD545E5, **cells):
    names = RAW_HEAD.strip().split(",")
    row = dict.fromkeys(names, "") | {"_id": f"{number:x}e3ae712cb8091acb", "type": kind, "product_id": "BTC-USD"}
    row |= cells
    return ",".join(f'"{row[name]}"' if "," in row[name] else row[name] for name in names) + "\n"


def test_raw_messages_are_what_they_say(tmp_path):
    """A snapshot without time, updates, trades whose side is the maker's; answers and old trades are no events."""
    at = "2018-04-17T00:55:04.358Z"
    text = RAW_HEAD + "".join(
        [
            raw("snapshot", bids="[['99', '1'], ['98', '2']]", asks="[['101', '1']]"),
            raw("last_match", price="100", size="1", side="buy", trade_id="1.0", time=at),
            raw("subscriptions", product_id=""),
            raw("l2update", changes="[['buy', '99.50', '0.5'], ['sell', '101', '0.7']]", time=at),
            raw("match", price="99.50", size="0.1", side="buy", trade_id="2.0", time=at),
        ]
    )
    path = packed(tmp_path / "btcusd_20180417_raw.csv.gz", text)
    report = inspect([path])
    found = report["instruments"]["coinbase-spot.BTC-USD"]
    assert report["quarantined"] == []
    assert (found["book_messages"], found["level_updates"], found["trades"]) == (1, 2, 1)
    assert (found["best_bid"], found["best_ask"], found["bid_levels"]) == (99.5, 101.0, 3)
    (trade,) = trade_rows(path)
    assert (trade.side, trade.trade_id) == (SELL, "2")
    assert {frame.recv_ts for _, frame, *_ in events(path)} == {0x5AD545E5 * 10**9}


@pytest.mark.parametrize("changes", ["[['buy', '99'", "[['buy', '99']]", "[['mid', '99', '1']]", "none", "[[1, 2, 3]]"])
def test_a_bad_list_breaks_the_book(tmp_path, changes):
    """The message is quarantined, and the book is unknown from the last good one on."""
    at = "2018-04-17T00:55:0{}.358Z"
    good = [raw("l2update", changes="[['buy', '99', '2']]", time=at.format(k)) for k in (4, 5)]
    start = raw("snapshot", bids="[['99', '1']]", asks="[['101', '1']]")
    text = RAW_HEAD + start + "".join(good) + raw("l2update", changes=changes, time=at.format(6))
    report = inspect([packed(tmp_path / "btcusd_20180417_raw.csv", text)])
    assert [entry["reason"] for entry in report["quarantined"]] == ["bad_frame"]
    assert [gap["reason"] for gap in report["instruments"]["coinbase-spot.BTC-USD"]["gaps"]] == ["bad_frame"]


@pytest.mark.slow
def test_the_recorded_hour_gives_the_known_book(market):
    """193 848 level rows, the known last mid, no gap, never crossed."""
    paths = [p for p in (market / "gdax_btcusd").glob("*20180424*") if "ohlc" not in p.name]
    report = inspect(paths)
    found = report["instruments"]["coinbase-spot.BTC-USD"]
    assert report["quarantined"] == []
    assert (found["level_updates"], found["gaps"], found["crossed"]) == (193_848, [], 0)
    assert (found["best_bid"] + found["best_ask"]) / 2 == pytest.approx(9227.615, abs=1e-9)


@pytest.mark.slow
def test_the_recorded_raw_messages_are_all_there(market):
    """18 093 updates and 256 trades behind one snapshot, and the decimals of the product."""
    path = market / "gdax_btcusd" / "btcusd_20180417_raw_ws_10min.csv.gz"
    assert len(docs(path)) == 18_353
    found = inspect([path])["instruments"]["coinbase-spot.BTC-USD"]
    assert (found["book_messages"], found["trades"], found["gaps"], found["crossed"]) == (18_093, 256, [], 0)
    instrument = infer_instrument(chain_of(path), "coinbase-spot.BTC-USD")
    assert (instrument.price_decimals, instrument.tick, instrument.size_decimals, instrument.lot) == (
        2,
        1,
        8,
        1,
    )
    assert {trade.side for trade in trade_rows(path, size_decimals=8)} == {BUY, SELL}


def test_candles_beside_them_are_told_apart(market):
    """A table that is no archive of ours is one clear reason, not a thousand bad lines."""
    assert refused(market / "gdax_btcusd" / "btcusd_20180424_ohlc_1m.csv.gz") == ["unknown_format"]
