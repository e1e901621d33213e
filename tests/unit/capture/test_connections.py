"""The ccxt adapter: text as it was sent, reopened when cut, nothing of an old connection, answers that say no."""

import asyncio
import json

import pytest

from ml.capture import plans
from ml.capture.connections import Connection, Venue, retry_after
from ml.capture.plans import Endpoints
from ml.core.errors import VenueRefused
from tests.support.emulator.server import Emulator


def listen(emulator, seconds, meanwhile=None):
    """Frames and losses of one connection over an emulator; `meanwhile` runs in a thread once frames flow."""
    plan = plans.plan("bybit-linear")
    (subscription,) = plan.subscriptions(Endpoints(f"ws://127.0.0.1:{emulator.port}", ""), list(emulator.markets))
    received: list[tuple[int, bytes]] = []
    lost: list[str] = []

    async def run() -> Connection:
        venue = Venue(plan)
        connection = Connection(venue, subscription, lambda ts, text: received.append((ts, text)), lost.append)
        task = asyncio.create_task(connection.run())
        while len(received) < 30:
            await asyncio.sleep(0.02)
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile, connection)
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await venue.close()
        return connection

    return received, lost, asyncio.run(run())


def test_frames_are_the_text_that_was_sent():
    """Not parsed, not re-rendered; the answer to the subscription too; receive times ascend."""
    sent: list[str] = []
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:

        def tap(_: str, frame: str) -> list[str]:
            sent.append(frame)
            return [frame]

        emulator.tap = tap
        received, lost, _ = listen(emulator, 0.2)
    texts = [text.decode() for _, together in received for text in together]
    delivered = [text for text in texts if text in set(sent)]
    assert len(delivered) > 25
    assert json.loads(texts[0])["op"] == "subscribe"
    assert [ts for ts, _ in received] == sorted(ts for ts, _ in received)
    assert lost == []


def test_a_cut_connection_is_reopened_and_subscribed():
    """The loss is told once, and a fresh snapshot comes."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        received, lost, connection = listen(emulator, 2.0, lambda _: emulator.cut())
        assert emulator.connections == 2
    assert (lost, connection.reconnects) == (["reconnect"], 1)
    texts = [text for _, together in received for text in together]
    assert sum(b'"snapshot"' in text and b"orderbook" in text for text in texts) == 2


def test_a_line_can_be_told_to_dial_again():
    """The last way to a snapshot where the stream sends its own."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        _, lost, _ = listen(emulator, 2.0, lambda connection: connection.reconnect())
        assert emulator.connections == 2
    assert lost == ["reconnect"]


def test_a_book_is_resubscribed_on_the_running_connection():
    """The trades go on, a fresh snapshot comes, nothing is lost."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        messages = plans.plan("bybit-linear").renew("BTCUSDT")
        received, lost, _ = listen(emulator, 1.0, lambda connection: connection.send(messages))
        assert (emulator.connections, emulator.renewed) == (1, 1)
    texts = [text for _, together in received for text in together]
    assert sum(b'"snapshot"' in text and b"orderbook" in text for text in texts) == 2
    assert lost == []


def test_a_venue_that_closes_the_door_at_once_is_left_in_peace(monkeypatch):
    """Each try waits longer, though each was let in; one that was open for a while is reopened at once."""
    waits = back_offs(monkeypatch, stood=0.0)
    assert waits == sorted(waits)
    assert waits[-1] >= 2 * waits[0]
    assert max(back_offs(monkeypatch, stood=5.0)) <= 0.1


def back_offs(monkeypatch, stood: float) -> list[float]:
    """The pauses after each of five connections that ended after `stood` seconds."""
    waits: list[float] = []
    clock = [0.0]

    class Ended(Connection):
        async def _connect(self) -> None:
            self._open_since = clock[0]

        async def _listen(self) -> str:
            clock[0] += stood
            return "reconnect"

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            raise asyncio.CancelledError

    monkeypatch.setattr("ml.capture.connections.monotonic", lambda: clock[0])
    monkeypatch.setattr("ml.capture.connections._sleep", pause)
    monkeypatch.setattr("ml.capture.connections.random.uniform", lambda low, high: high)
    connection = Ended(None, None, lambda *_: None, lambda _: None)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(connection.run())
    assert connection.reconnects == 5
    return waits


def test_a_venue_that_cannot_be_reached_loses_nothing():
    """What was never open cannot end: no loss is told and no reconnect counted, until it opens and falls."""
    lost: list[str] = []

    async def run() -> Connection:
        venue = Venue(plans.plan("bybit-linear"))
        (subscription,) = plans.plan("bybit-linear").subscriptions(Endpoints("ws://127.0.0.1:9", ""), ["BTCUSDT"])
        connection = Connection(venue, subscription, lambda *_: None, lost.append)
        task = asyncio.create_task(connection.run())
        await asyncio.sleep(0.6)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await venue.close()
        return connection

    assert asyncio.run(run()).reconnects == 0
    assert lost == []


@pytest.mark.promise("A6")
def test_a_closed_connection_delivers_no_more():
    """A late frame of an old connection must not be applied after the new one's snapshot."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        received: list[bytes] = []

        def deliver_late(connection: Connection) -> None:
            old = connection._client
            connection.reconnect()
            while connection._client is old or connection._client is None:
                pass
            old.handle_text_or_binary_message("late")

        received, _, _ = listen(emulator, 0.5, deliver_late)
    assert b"late" not in [text for _, text in received]


@pytest.mark.parametrize(("refuse", "path", "says"), [(1, "/fapi/v1/depth?symbol=BTCUSDT", "429"), (0, "/none", "404")])
def test_an_answer_that_is_no_snapshot_is_an_error(refuse, path, says):
    """With the venue's wish how long to wait."""

    async def ask(port: int) -> tuple[int, bytes]:
        venue = Venue(plans.plan("binance-usdm"))
        try:
            return await venue.text(f"http://127.0.0.1:{port}{path}")
        finally:
            await venue.close()

    with Emulator("binance-usdm", ["BTCUSDT"]) as emulator:
        emulator.refuse = refuse
        with pytest.raises(VenueRefused, match=says) as caught:
            asyncio.run(ask(emulator.port))
    assert caught.value.retry_after == (0.2 if refuse else 0.0)


def test_a_venue_that_is_not_there_is_an_error():
    """Nothing listens on that port."""

    async def ask() -> None:
        venue = Venue(plans.plan("binance-usdm"))
        try:
            await venue.text("http://127.0.0.1:9/fapi/v1/depth")
        finally:
            await venue.close()

    with pytest.raises(VenueRefused, match="did not answer"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (None, 0),
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "²"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
    ],
)
def test_how_long_to_wait_is_read_off_the_headers(headers, seconds):
    """A date is not read: the usual pause is taken."""
    assert retry_after(headers) == seconds
