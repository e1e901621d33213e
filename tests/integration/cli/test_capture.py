"""`lobforge capture` against a local exchange through the real ccxt client: rows and gaps together are the truth."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest

from ml.capture import connections
from ml.capture.journal import Kind
from tests.support.command import lobforge
from tests.support.emulator.protocols import PROTOCOLS
from tests.support.emulator.running import SYMBOLS, Running, anchored, emulated, flows, truth, until
from tests.support.emulator.server import Emulator

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
def test_a_silent_connection_is_found(root):
    """The venue keeps the connection open and sends nothing: the capture connects again, and the gap says why."""
    with emulated("bybit-linear") as emulator, Running(root, "bybit-linear", emulator, silence=1.0) as running:
        anchored(emulator)
        connected = emulator.connections
        emulator.muted = True
        until(lambda: emulator.connections > connected)
        emulator.muted = False
        flows(emulator)
        running.stop()
    assert truth(root, "bybit-linear", emulator)[0].gaps[0]["reason"] == "silent"


@pytest.mark.slow
@pytest.mark.promise("A6", "A8")
def test_a_half_open_connection_holds_up_neither_the_next_nor_the_stop(root):
    """The venue's end is dead and answers no goodbye: reconnected within six seconds, stopped within five."""
    silence = connections.SILENCE_SECONDS
    venue = "bybit-linear"
    with Emulator(venue, ["BTCUSDT"]) as emulator, Running(root, venue, emulator, silence=silence) as running:
        anchored(emulator)
        connected = emulator.connections
        halted = time.monotonic()
        emulator.halt()
        until(lambda: emulator.connections > connected)
        found_after = time.monotonic() - halted
        flows(emulator)
        emulator.halt()
        summary = running.stop()
    assert found_after <= 6.5
    assert summary["stop_s"] < 5
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


def test_refused_and_stale_snapshots_are_asked_for_again(root):
    """429 is waited for, a snapshot older than the stream connects nothing; the third answer does."""
    with Emulator("binance-usdm", ["BTCUSDT"]) as emulator:
        emulator.refuse = 1
        emulator.stale_snapshots = 1
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
            _, err = again.process.communicate()
    first = json.loads(err.splitlines()[0])
    assert (first["state"], first["records"] > 20) == ("recovered", True)
    (found,) = truth(root, "bybit-linear", emulator)
    assert len(found.gaps) == 1


@pytest.mark.slow
def test_a_lost_line_without_books_loses_no_book(root):
    """USD-M sends candles and mark prices over a connection of their own: it is reopened, the books go on.

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
            out, err = running.process.communicate()
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
    """No connection is opened; the message lists the venues."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(Path(root.root)))
    assert lobforge("capture", "--venue", "kraken", "--symbols", "XBTUSD") == 2
    assert "okx-swap" in capsys.readouterr().err
