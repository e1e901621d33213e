"""`lobforge capture` against a local exchange through the real ccxt client: rows and gaps together are the truth."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest

from ml.capture.journal import Kind
from tests.emulator.protocols import PROTOCOLS
from tests.emulator.running import SYMBOLS, Running, anchored, emulated, flows, truth, until
from tests.emulator.server import Emulator

SLOW = [pytest.mark.slow]
FEW = ["binance-usdm", "bybit-linear"]


@pytest.mark.promise("A8")
@pytest.mark.parametrize("venue", [v if v in FEW else pytest.param(v, marks=SLOW) for v in PROTOCOLS])
def test_a_quiet_capture_has_no_gap(root, venue):
    """Every change from the snapshot on is there, the book is right, the stop is clean."""
    with emulated(venue) as emulator, Running(root, venue, emulator) as running:
        anchored(emulator)
        summary = running.stop()
    assert (summary["reconnects"], summary["overflows"], summary["breaks"], summary["unknown_books"]) == (0, 0, 0, [])
    for found in truth(root, venue, emulator):
        assert found.gaps == []
        assert len(found.applied) > 20
        assert found.trades > 5


@pytest.mark.promise("A2")
@pytest.mark.parametrize("venue", [*FEW, *(pytest.param(v, marks=SLOW) for v in ("binance-spot", "okx-swap"))])
def test_faults_are_gaps_with_their_bounds_and_the_book_comes_back(root, venue):
    """A dropped frame, then doubled and garbled ones, then a cut connection: two gaps and nothing else is missing."""
    with emulated(venue) as emulator, Running(root, venue, emulator) as running:
        anchored(emulator)
        dropped: list[str] = []

        def drop_one_book_frame(symbol: str, frame: str) -> list[str]:
            if symbol == next(iter(emulator.markets)) and not dropped and "trade" not in frame:
                dropped.append(frame)
                return []
            return [frame]

        before = emulator.served + emulator.renewed
        emulator.tap = drop_one_book_frame
        until(lambda: emulator.served + emulator.renewed > before)
        flows(emulator, 80)
        emulator.tap = lambda _, frame: [frame, frame]
        flows(emulator)
        emulator.tap = lambda _, frame: [frame]
        emulator.inject('{"half": ')
        connected = emulator.connections
        emulator.cut()
        served = emulator.served
        until(lambda: emulator.connections > connected)
        if emulator.protocol.rest:
            until(lambda: emulator.served >= served + len(emulator.markets))
        flows(emulator, 200)
        summary = running.stop()
    first = truth(root, venue, emulator)[0]
    reasons = [gap["reason"] for gap in first.gaps]
    assert reasons[0] == "sequence_gap"
    assert "reconnect" in reasons[1:]
    assert all(gap["end"] is not None for gap in first.gaps)
    assert summary["unknown_books"] == []


@pytest.mark.promise("A6")
def test_a_silent_connection_is_found_within_six_seconds(root):
    """The venue keeps the line open and says nothing: the capture dials again, and the gap says why."""
    with emulated("bybit-linear") as emulator, Running(root, "bybit-linear", emulator) as running:
        anchored(emulator)
        connected, muted = emulator.connections, time.monotonic()
        emulator.muted = True
        until(lambda: emulator.connections > connected)
        found_after = time.monotonic() - muted
        emulator.muted = False
        flows(emulator)
        running.stop()
    assert found_after <= 6.5
    assert truth(root, "bybit-linear", emulator)[0].gaps[0]["reason"] == "silent"


@pytest.mark.slow
@pytest.mark.promise("A6", "A8")
def test_a_half_open_connection_holds_up_neither_the_next_nor_the_stop(root):
    """The venue's end is dead and answers no goodbye: dialled again within six seconds, stopped within five."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator, Running(root, "bybit-linear", emulator) as running:
        anchored(emulator)
        connected, halted = emulator.connections, time.monotonic()
        emulator.halt()
        until(lambda: emulator.connections > connected)
        found_after = time.monotonic() - halted
        flows(emulator)
        emulator.halt()
        summary = running.stop()
    assert found_after <= 6.5
    assert summary["unknown_books"] == []
    assert [gap["reason"] for gap in truth(root, "bybit-linear", emulator)[0].gaps] == ["silent"]


def swapped() -> Callable[[str, str], list[str]]:
    """A tap that lets one book frame pass its predecessor."""
    held: list[str] = []

    def tap(_: str, frame: str) -> list[str]:
        if "rade" in frame or len(held) == 2:
            return [frame]
        held.append(frame)
        return held[::-1] if len(held) == 2 else []

    return tap


@pytest.mark.promise("A2")
@pytest.mark.slow
@pytest.mark.parametrize("venue", ["bybit-linear", "okx-swap"])
def test_frames_out_of_order_late_and_of_a_new_epoch_are_the_truth(root, venue):
    """A swap breaks the chain, a delay does nothing; a restart is a gap only where the book is reset."""
    symbol = SYMBOLS.get(venue, ["BTCUSDT"])
    with Emulator(venue, symbol) as emulator, Running(root, venue, emulator) as running:
        anchored(emulator)
        emulator.tap = swapped()
        until(lambda: emulator.renewed == 1)
        flows(emulator, 100)
        emulator.delay = 0.5
        flows(emulator, 60)
        emulator.restart()
        flows(emulator, 100)
        emulator.delay = 0.0
        flows(emulator, 100)
        summary = running.stop()
    assert summary["unknown_books"] == []
    reasons = [gap["reason"] for found in truth(root, venue, emulator) for gap in found.gaps]
    assert "sequence_gap" in reasons
    assert ("restart" in reasons) == venue.startswith("bybit")


def crossing(symbol: str, side: str) -> Callable[[str, str], list[str]]:
    """A tap that adds a far too high bid to one book frame: the ids follow, the book is wrong from then on."""
    told: list[str] = []

    def tap(name: str, frame: str) -> list[str]:
        if name != symbol or told or f'"{side}": [[' not in frame or "rade" in frame:
            return [frame]
        told.append(frame)
        level = '["5000.0", "1.000"' + (', "0", "1"]' if side == "bids" else "]")
        return [frame.replace(f'"{side}": [[', f'"{side}": [{level}, [', 1)]

    return tap


CROSSED = [("bybit-linear", "b"), ("binance-usdm", "b"), pytest.param("okx-swap", "bids", marks=SLOW)]


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("venue", "side"), CROSSED)
def test_a_book_that_is_wrong_though_its_ids_follow_comes_back(root, venue, side):
    """By its subscription, or by the snapshot that REST serves now and then: one gap, and no other book has any."""
    with emulated(venue) as emulator, Running(root, venue, emulator, REFRESH_SECONDS="2") as running:
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
    """It is subscribed anew on the running connection; what came before is not applied, prints go on."""
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
    assert gap["end"] - gap["start"] < 5 * 10**9
    assert whole.gaps == []
    for found, name in ((broken, symbols[0]), (whole, symbols[1])):
        ids = prints(root, name)
        assert found.trades == len(ids) == ids[-1] - ids[0] + 1


def prints(root, symbol: str) -> list[int]:
    """Ids of the emulator's prints of a symbol, from the capture file."""
    payloads = pl.read_parquet(next(root.captures.iterdir()))["payload"].cast(pl.String)
    texts = payloads.filter(payloads.str.contains(f'"{symbol}"') & payloads.str.contains("rade"))
    return texts.str.extract(r'"(?:i|tradeId)": "(?:\w+-)?(\d+)"').drop_nulls().cast(pl.Int64).to_list()


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
def test_a_snapshot_that_does_not_come_is_dialled_for(root, venue, symbols):
    """The renewal stays unanswered: five seconds later the line is dialled anew."""
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
    """Its diffs come and break nothing: the book is subscribed anew."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        emulator.withheld_openings = 1
        with Running(root, "bybit-linear", emulator) as running:
            until(lambda: emulator.renewed == 1)
            flows(emulator)
            summary = running.stop()
    assert (summary["reconnects"], summary["renewals"], summary["unknown_books"]) == (0, 1, [])
    assert len(truth(root, "bybit-linear", emulator)[0].applied) > 20


@pytest.mark.promise("A7")
def test_prints_that_a_full_queue_refused_are_a_gap(root):
    """Not one book message is missing; the ledger says so by its ids, and the book is anchored anew."""
    venue, more = "bybit-linear", {"REFUSED": LONE}
    with Emulator(venue, ["BTCUSDT"]) as emulator, Running(root, venue, emulator, **more) as running:
        anchored(emulator)

        def renewed() -> bool:
            entry = {"T": time.time_ns() // 10**6, "s": "BTCUSDT", "S": "Buy", "v": "1.000", "p": "1000.0", "i": LONE}
            told = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": entry["T"], "data": [entry]}
            emulator.inject(json.dumps(told))
            return emulator.renewed == 1

        until(renewed)
        flows(emulator, 100)
        running.process.send_signal(signal.SIGTERM)
        out, err = running.process.communicate(timeout=60)
    assert (running.process.returncode, json.loads(out.splitlines()[-1])["overflows"]) == (1, 1), err
    (gap,) = truth(root, venue, emulator)[0].gaps
    assert (gap["reason"], gap["from_id"] == gap["to_id"], gap["end"] is not None) == ("overflow", True, True)


def test_refused_and_stale_snapshots_are_asked_for_again(root):
    """429 is waited for, a snapshot older than the stream connects nothing; the third answer does."""
    with Emulator("binance-usdm", ["BTCUSDT"]) as emulator:
        emulator.refuse, emulator.stale_snapshots = 1, 1
        with Running(root, "binance-usdm", emulator) as running:
            until(lambda: emulator.served >= 2)
            flows(emulator)
            summary = running.stop()
    assert (summary["snapshot_failures"], summary["unknown_books"]) == (1, [])
    assert truth(root, "binance-usdm", emulator)[0].gaps == []


@pytest.mark.promise("A1", "A8")
def test_a_killed_capture_is_recovered_by_the_next(root):
    """SIGKILL loses nothing that the journal held; the next start says so and seals it."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        with Running(root, "bybit-linear", emulator):
            anchored(emulator)
        connected = emulator.connections
        with Running(root, "bybit-linear", emulator) as again:
            until(lambda: emulator.connections > connected)
            flows(emulator)
            again.process.send_signal(signal.SIGTERM)
            _, err = again.process.communicate(timeout=60)
    first = json.loads(err.splitlines()[0])
    assert (first["state"], first["records"] > 20) == ("recovered", True)
    (found,) = truth(root, "bybit-linear", emulator)
    assert len(found.gaps) == 1


@pytest.mark.slow
def test_a_lost_line_without_books_loses_no_book(root):
    """USD-M sends candles and mark prices over a line of their own: it is dialled again, the books go on.

    What is lost with it is on record for each symbol, with its bounds.
    """
    with emulated("binance-usdm") as emulator, Running(root, "binance-usdm", emulator) as running:
        anchored(emulator)
        connected = emulator.connections
        emulator.cut(books=False)
        until(lambda: emulator.connections > connected)
        flows(emulator)
        summary = running.stop()
    assert (summary["reconnects"], summary["breaks"], summary["unknown_books"]) == (1, 0, [])
    assert [found.gaps for found in truth(root, "binance-usdm", emulator)] == [[], []]
    frames = pl.read_parquet(next(root.captures.iterdir()))
    noted = [orjson.loads(payload) for payload in frames.filter(pl.col("kind") == Kind.LOSS)["payload"]]
    assert noted == [{"loss": "reconnect", "symbol": symbol, "books": False} for symbol in emulator.markets]


def test_a_capture_that_cannot_be_sealed_fails_and_is_recovered(root):
    """The way is blocked by a file: return code 2 with the reason, and the next start seals what the journal kept."""
    root.captures.parent.mkdir(parents=True)
    root.captures.write_text("in the way")
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        with Running(root, "bybit-linear", emulator) as running:
            anchored(emulator)
            running.process.send_signal(signal.SIGTERM)
            out, err = running.process.communicate(timeout=60)
        assert (running.process.returncode, "cannot be stored" in out + err) == (2, True)
        root.captures.unlink()
        with Running(root, "bybit-linear", emulator) as again:
            flows(emulator)
            again.stop()
    (found,) = truth(root, "bybit-linear", emulator)
    assert len(found.applied) > 20


def test_metrics_are_served_while_it_runs(root):
    """Prometheus text with the venue as label."""
    import socket
    from urllib.request import urlopen

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more = ("--metrics-port", str(port))
    with (
        Emulator("bybit-linear", ["BTCUSDT"]) as emulator,
        Running(root, "bybit-linear", emulator, *more) as running,
    ):
        anchored(emulator)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        running.stop()
    frames = next(line for line in text.splitlines() if line.startswith("lobforge_capture_frames_total"))
    assert 'venue="bybit-linear"' in frames
    assert float(frames.rpartition(" ")[2]) > 20


def test_an_unknown_venue_is_said(root, monkeypatch, capsys):
    """Nothing is dialled; the message lists the venues."""
    from live.capture import main

    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(Path(root.root)))
    assert main(["--venue", "kraken", "--symbols", "XBTUSD"]) == 2
    assert "okx-swap" in capsys.readouterr().err
