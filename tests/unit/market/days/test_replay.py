"""`inspect` on the recorded files: the numbers that the files are known to hold, and what damage does to them."""

import gzip
import json

import orjson
import pytest

from ml.market.days.replay import inspect
from tests.support.scenario import USDM, capture, diff, snapshot, trade

T = 1_741_000_000_000
BTC = "binance-usdm.BTCUSDT"
ETH = "binance-usdm.ETHUSDT"
KNOWN = {
    # book messages, trades, best bid, best ask, bid levels, ask levels
    BTC: (9_017, 10_701, 63867.4, 63867.5, 5_276, 5_156),
    ETH: (8_924, 13_655, 3418.62, 3418.63, 4_685, 4_357),
}
BYBIT = {
    # messages with the snapshot, level rows, trades, best bid, best ask
    "bybit-linear.BTCUSDT": (414, 7_180, 56, 65114.2, 65114.3),
    "bybit-linear.ETHUSDT": (421, 4_491, 23, 1922.54, 1922.55),
    "bybit-linear.SOLUSDT": (383, 3_142, 165, 77.26, 77.27),
    "bybit-linear.DOGEUSDT": (380, 2_921, 83, 0.07055, 0.07056),
    "bybit-spot.BTCUSDT": (300, 1_747, 11, 65140.4, 65140.5),
    "bybit-spot.ETHUSDT": (250, 1_328, 9, 1923.28, 1923.29),
}


@pytest.fixture(scope="module")
def binance(market):
    """The four recorded files, given in an order that is not theirs, one of them twice."""
    files = sorted((market / "binance_raw").glob("*.gz"), reverse=True)
    return inspect([*files, files[1]])


@pytest.mark.parametrize("instrument", KNOWN)
def test_recorded_binance_chains(binance, instrument):
    """Both days of both symbols rebuild without a gap."""
    found = binance["instruments"][instrument]
    names = ("book_messages", "trades", "best_bid", "best_ask", "bid_levels", "ask_levels")
    assert tuple(found[name] for name in names) == KNOWN[instrument]
    assert (found["gaps"], found["crossed"], found["off_market_trades"], found["dropped_before_snapshot"]) == (
        [],
        0,
        0,
        5,
    )
    assert binance["quarantined"] == []


def test_recorded_level_updates_and_latency(binance):
    """400 668 level updates of BTCUSDT; the local clock ran 1.5 s behind the exchange's."""
    found = binance["instruments"][BTC]
    assert found["level_updates"] == 400_668
    assert found["median_latency_ms"] == pytest.approx(-1_520, abs=2)


@pytest.mark.parametrize("instrument", BYBIT)
def test_recorded_bybit_instruments(market, instrument):
    """Six instruments over two connections; spot and linear share topic names."""
    found = inspect([market / "bybit_v5_ws" / "BYBIT.jsonl.zst"])["instruments"][instrument]
    names = ("book_messages", "level_updates", "trades", "best_bid", "best_ask")
    assert tuple(found[name] for name in names) == BYBIT[instrument]
    assert (found["bid_levels"], found["ask_levels"], found["gaps"]) == (200, 200, [])


def test_one_diff_removed_is_one_gap_with_its_bounds(market, tmp_path):
    """from_id is the last applied u, to_id the pu of the first refused diff; without a later snapshot it never ends."""
    lines = gzip.decompress((market / "binance_raw" / "usdm__btcusdt_20240719.gz").read_bytes()).splitlines(
        keepends=True
    )
    diffs = [k for k, line in enumerate(lines) if b"depthUpdate" in line]
    before, gone, after = (orjson.loads(lines[k].split(b" ", 1)[1])["data"] for k in diffs[2_000:2_003])
    del lines[diffs[2_001]]
    (tmp_path / "cut.txt").write_bytes(b"".join(lines))
    found = inspect([market / "binance_raw" / "usdm__btcusdt_20240718.gz", tmp_path / "cut.txt"])["instruments"][BTC]
    (gap,) = found["gaps"]
    assert (gap["from_id"], gap["to_id"], gap["end"], gap["reason"]) == (before["u"], after["pu"], None, "sequence_gap")
    assert gap["to_id"] == gone["u"]
    assert abs(gap["start"] - before["T"] * 10**6) < 10**9


def test_the_rebuilt_top_equals_book_ticker_at_the_same_update_id(market):
    """In all cases that both streams cover, at every one of them."""
    from ml.market.book.feed import Feed
    from ml.market.book.ladder import best
    from ml.market.days.infer_instrument import infer_instrument
    from tests.support.scenario import chain_of

    chain = chain_of(*sorted((market / "binance_raw").glob("*btc*")))
    instrument = infer_instrument(chain, BTC)
    feed = Feed.of(instrument)
    tops = {}
    tickers = {}
    for arrived in chain.frames(BTC):
        feed.offer(arrived.doc, arrived.frame.recv_ts)
        data = arrived.doc.get("data", {})
        if data.get("e") == "bookTicker":
            tickers[data["u"]] = (round(float(data["b"]) * 10), round(float(data["a"]) * 10))
        elif data.get("e") == "depthUpdate" and feed.decoder.continuity.last_id == data["u"]:
            tops[data["u"]] = (best(feed.sampler.state.book, 0), best(feed.sampler.state.book, 1))
    both = tops.keys() & tickers.keys()
    assert len(both) > 500
    assert {u for u in both if tops[u] != tickers[u]} == set()


def test_off_market_trades_are_counted_and_quarantined(tmp_path):
    """A made-up tape: one trade of another type, one at price 0, one of size 0, one inside the market."""
    docs = [diff(1, 0, T), snapshot(1, T), trade(1, T, kind="INSURANCE_FUND"), trade(2, T, price="0.0")]
    docs += [trade(3, T, size="0.000"), trade(4, T, price="100.0"), diff(2, 1, T + 100)]
    report = inspect([capture(tmp_path / "a.log", docs)])
    found = report["instruments"][USDM]
    assert (found["trades"], found["off_market_trades"]) == (1, 3)
    assert [entry["reason"] for entry in report["quarantined"]] == ["off_market"] * 3
    assert report["quarantined"][0]["offset"] == sum(
        len(line) for line in (tmp_path / "a.log").read_bytes().splitlines(keepends=True)[:2]
    )


def test_a_book_without_a_snapshot_is_a_gap_from_the_start(tmp_path):
    """Nothing was ever known, and it is said."""
    found = inspect(
        [capture(tmp_path / "a.log", [diff(k, k - 1, T + k, bids=[("99.0", "1.000")]) for k in range(1, 5)])]
    )["instruments"][USDM]
    assert found["gaps"] == [
        {"from_id": None, "to_id": None, "start": (T + 1) * 10**6, "end": None, "reason": "no_snapshot"}
    ]
    assert (found["book_messages"], found["best_bid"]) == (0, None)


def test_a_side_that_empties_is_a_gap_until_it_fills(tmp_path):
    """The book is complete and one-sided: no mid price, so no valid sample."""
    docs = [diff(1, 0, T), snapshot(1, T)]
    docs += [
        diff(2, 1, T + 1_000, asks=[("101.0", "0")]),
        diff(3, 2, T + 5_000, asks=[("102.0", "1.000")]),
        diff(4, 3, T + 6_000),
    ]
    found = inspect([capture(tmp_path / "a.log", docs)])["instruments"][USDM]
    assert [(g["start"], g["end"], g["reason"]) for g in found["gaps"]] == [
        ((T + 1_000) * 10**6, (T + 5_000) * 10**6, "one_sided")
    ]


def test_a_book_that_stays_crossed_is_unknown_until_the_next_snapshot(tmp_path):
    """One crossed message may be followed by its repair; two are a wrong book."""
    docs = [diff(1, 0, T), snapshot(1, T), diff(2, 1, T + 1_000, bids=[("103.0", "1.000")]), diff(3, 2, T + 2_000)]
    docs += [diff(4, 3, T + 3_000), snapshot(4, T), diff(5, 4, T + 4_000)]
    found = inspect([capture(tmp_path / "a.log", docs)])["instruments"][USDM]
    assert (found["crossed"], [g["reason"] for g in found["gaps"]]) == (1, ["crossed"])
    assert found["gaps"][0]["end"] == (T + 3_000) * 10**6


def test_the_report_is_json(binance):
    """Numbers, texts and nulls only."""
    assert json.loads(json.dumps(binance)) == binance
