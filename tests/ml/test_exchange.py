"""The ccxt window: text as it was sent, dialled again when cut, nothing of an old connection, answers that say no."""

import asyncio
import json

import pytest

from ml.capture import feeds
from ml.capture.feeds import Endpoints
from ml.errors import VenueRefused
from ml.exchange import Line, Venue
from tests.emulator.server import Emulator


def listen(emulator, seconds, meanwhile=None):
    """Frames and losses of one line over an emulator; `meanwhile` runs in a thread once frames flow."""
    plan = feeds.plan("bybit-linear")
    (asked,) = plan.connections(Endpoints(f"ws://127.0.0.1:{emulator.port}", ""), list(emulator.markets))
    heard: list[tuple[int, bytes]] = []
    lost: list[str] = []

    async def run() -> Line:
        venue = Venue(plan)
        line = Line(venue, asked, lambda ts, text: heard.append((ts, text)), lost.append)
        task = asyncio.create_task(line.run())
        while len(heard) < 30:
            await asyncio.sleep(0.02)
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile, line)
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await venue.close()
        return line

    return heard, lost, asyncio.run(run())


def test_frames_are_the_text_that_was_sent():
    """Not parsed, not re-rendered; the answer to the subscription too; receive times ascend."""
    sent: list[str] = []
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:

        def tap(_: str, frame: str) -> list[str]:
            sent.append(frame)
            return [frame]

        emulator.tap = tap
        heard, lost, _ = listen(emulator, 0.2)
    texts = [text.decode() for _, text in heard]
    delivered = [text for text in texts if text in set(sent)]
    assert len(delivered) > 25
    assert json.loads(texts[0])["op"] == "subscribe"
    assert [ts for ts, _ in heard] == sorted(ts for ts, _ in heard)
    assert lost == []


def test_a_cut_line_is_dialled_again_and_subscribed():
    """The loss is told once, and a fresh snapshot comes."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        heard, lost, line = listen(emulator, 2.0, lambda _: emulator.cut())
        assert emulator.connections == 2
    assert (lost, line.reconnects) == (["reconnect"], 1)
    assert sum(b'"snapshot"' in text and b"orderbook" in text for _, text in heard) == 2


def test_a_line_can_be_told_to_dial_again():
    """Where the stream sends its own snapshots, this is how a new one is asked for."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        _, lost, _ = listen(emulator, 2.0, lambda line: line.redial())
        assert emulator.connections == 2
    assert lost == ["reconnect"]


@pytest.mark.promise("A6")
def test_a_line_given_up_is_heard_no_more():
    """A late frame of an old connection must not be applied after the new one's snapshot."""
    with Emulator("bybit-linear", ["BTCUSDT"]) as emulator:
        heard: list[bytes] = []

        def speak_late(line: Line) -> None:
            old = line._client
            line.redial()
            while line._client is old or line._client is None:
                pass
            old.handle_text_or_binary_message("late")

        heard, _, _ = listen(emulator, 0.5, speak_late)
    assert b"late" not in [text for _, text in heard]


@pytest.mark.parametrize(("refuse", "path", "says"), [(1, "/fapi/v1/depth?symbol=BTCUSDT", "429"), (0, "/none", "404")])
def test_an_answer_that_is_no_snapshot_is_an_error(refuse, path, says):
    """With the venue's wish how long to wait."""

    async def ask(port: int) -> tuple[int, bytes]:
        venue = Venue(feeds.plan("binance-usdm"))
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
        venue = Venue(feeds.plan("binance-usdm"))
        try:
            await venue.text("http://127.0.0.1:9/fapi/v1/depth")
        finally:
            await venue.close()

    with pytest.raises(VenueRefused, match="did not answer"):
        asyncio.run(ask())
