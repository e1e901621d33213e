"""A book that broke or is wrong comes back by what the capture asks for, and no other book has a gap by it."""

import json
import signal
import time
from collections.abc import Callable

import polars as pl
import pytest

from tests.support.emulator.running import Running, anchored, emulated, flows, truth, until
from tests.support.emulator.server import Emulator


def crossing(symbol: str, side: str) -> Callable[[str, str], list[str]]:
    """A tap that adds a far too high bid to one book frame: the ids follow, the book is wrong from then on."""
    told: list[str] = []

    def tap(name: str, frame: str) -> list[str]:
        if name != symbol or told or f'"{side}":[[' not in frame or "rade" in frame:
            return [frame]
        told.append(frame)
        level = '["5000.0","1.000"' + (',"0","1"]' if side == "bids" else "]")
        return [frame.replace(f'"{side}":[[', f'"{side}":[{level},[', 1)]

    return tap


CROSSED = [("bybit-linear", "b"), ("binance-usdm", "b"), pytest.param("okx-swap", "bids", marks=pytest.mark.slow)]


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("venue", "side"), CROSSED)
def test_a_book_that_is_wrong_though_its_ids_follow_comes_back(root, venue, side):
    """By its subscription, or by the snapshot that REST serves now and then: one gap, and no other book has any."""
    with emulated(venue) as emulator, Running(root, venue, emulator, refresh=0.5) as running:
        anchored(emulator)
        wrong = next(iter(emulator.markets))
        served = emulator.served
        emulator.tap = crossing(wrong, side)
        until(lambda: emulator.renewed == 1 or emulator.served >= served + 2 * len(emulator.markets))
        flows(emulator, 100)
        summary = running.stop()
    assert (summary["reconnects"], summary["unknown_books"]) == (0, [])
    assert summary["crossed"] == summary["renewals"] == int(not emulator.protocol.rest)
    gaps = [gap for found in truth(root, venue, emulator) for gap in found.gaps]
    assert [(gap["reason"], gap["end"] is not None) for gap in gaps] == [("crossed", True)]


LONE = "print-of-its-own"
PAIR = [("bybit-linear", ["BTCUSDT", "ETHUSDT"]), ("okx-swap", ["BTC-USDT-SWAP", "ETH-USDT-SWAP"])]


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("venue", "symbols"), PAIR)
def test_one_books_break_leaves_the_other_books_alone(root, venue, symbols):
    """It is subscribed again on the running connection; what came before is not applied, trades go on."""
    with Emulator(venue, symbols) as emulator, Running(root, venue, emulator) as running:
        anchored(emulator)
        emulator.tap = dropping(symbols[0], emulator.protocol.book)
        until(lambda: emulator.renewed == 1)
        flows(emulator, 100)
        summary = running.stop()
        assert emulator.connections == 1
    assert (summary["reconnects"], summary["renewals"], summary["unknown_books"]) == (0, 1, [])
    broken, whole = truth(root, venue, emulator)
    (gap,) = broken.gaps
    assert gap["reason"] == "sequence_gap"
    assert gap["end"] is not None
    assert whole.gaps == []
    for found, name in ((broken, symbols[0]), (whole, symbols[1])):
        ids = trade_rows(root, name)
        assert found.trades == len(ids) == ids[-1] - ids[0] + 1


def trade_rows(root, symbol: str) -> list[int]:
    """Ids of the emulator's trades of a symbol, from the capture file."""
    payloads = pl.read_parquet(next(root.captures.iterdir()))["payload"].cast(pl.String)
    texts = payloads.filter(payloads.str.contains(f'"{symbol}"') & payloads.str.contains("rade"))
    return texts.str.extract(r'"(?:i|tradeId)":"(?:\w+-)?(\d+)"').drop_nulls().cast(pl.Int64).to_list()


def dropping(symbol: str, mark: str) -> Callable[[str, str], list[str]]:
    """A tap that drops one book frame of a symbol."""
    dropped: list[str] = []

    def tap(name: str, frame: str) -> list[str]:
        if name != symbol or dropped or mark not in frame:
            return [frame]
        dropped.append(frame)
        return []

    return tap


@pytest.mark.slow
@pytest.mark.parametrize(("venue", "symbols"), PAIR)
def test_a_snapshot_that_does_not_come_reopens_the_connection(root, venue, symbols):
    """The renewal stays unanswered: five seconds later the connection is reopened."""
    with Emulator(venue, symbols) as emulator, Running(root, venue, emulator) as running:
        anchored(emulator)
        emulator.withheld_openings = 1
        emulator.tap = dropping(symbols[0], emulator.protocol.book)
        until(lambda: emulator.connections == 2)
        flows(emulator, 100)
        summary = running.stop()
    assert (summary["reconnects"], summary["renewals"], summary["unknown_books"]) == (1, 1, [])
    broken, beside = truth(root, venue, emulator)
    assert [gap["reason"] for gap in broken.gaps] == ["sequence_gap"]
    assert [gap["reason"] for gap in beside.gaps] == ["reconnect"]


def test_a_book_whose_first_snapshot_was_lost_is_asked_for_again(root):
    """Its diffs come and break nothing: the book is subscribed again."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        emulator.withheld_openings = 1
        with Running(root, "bybit-linear", emulator) as running:
            until(lambda: emulator.renewed == 1)
            flows(emulator)
            summary = running.stop()
    assert (summary["reconnects"], summary["renewals"], summary["unknown_books"]) == (0, 1, [])
    assert len(truth(root, "bybit-linear", emulator)[0].applied) > 20


@pytest.mark.promise("A7")
def test_trades_that_a_full_queue_refused_are_a_gap(root):
    """Not one book message is missing; the ledger says so by its ids, and the book is anchored again."""
    venue = "bybit-linear"
    with Emulator(venue, ["BTCUSDT"]) as emulator, Running(root, venue, emulator, refused=LONE) as running:
        anchored(emulator)

        def renewed() -> bool:
            entry = {"T": time.time_ns() // 10**6, "s": "BTCUSDT", "S": "Buy", "v": "1.000", "p": "1000.0", "i": LONE}
            told = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": entry["T"], "data": [entry]}
            emulator.inject(json.dumps(told))
            return emulator.renewed == 1

        until(renewed)
        flows(emulator, 100)
        running.process.send_signal(signal.SIGTERM)
        out, err = running.process.communicate()
    assert (running.process.returncode, json.loads(out.splitlines()[-1])["overflows"]) == (1, 1), err
    (gap,) = truth(root, venue, emulator)[0].gaps
    assert (gap["reason"], gap["from_id"] == gap["to_id"], gap["end"] is not None) == ("overflow", True, True)
