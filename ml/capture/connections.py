"""The only adapter of ccxt: connections that pass on text frames before anything parses them.

A connection opens, subscribes, detects silence and reconnects; REST snapshots are returned as text. Subscriptions
belong to `ml.capture.plans`, recording to `ml.capture.recorder`, candles to `ml.candles.history`.

ccxt opens and keeps the connection: proxies, the venue's own ping. Its message handlers are not used: its books hide
update ids and may lose updates between two watches.
"""

import asyncio
import logging
import random
from asyncio import sleep as _sleep
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, time_ns
from typing import Any

from ml.capture.plans import Messages, Plan, Subscription
from ml.core.errors import CaptureError, VenueRefused

LOG = logging.getLogger(__name__)
SILENCE_SECONDS = 5.0
"""A connection on which nothing is received for so long is closed; no subscribed venue is silent for a second."""
PONG_BYTES = 200
"""Answers to pings are shorter, and no market data are them."""
MAX_BACK_OFF = 30.0
CLOSE_SECONDS = 0.5
"""How long an old connection may take to close: a dead one never answers, and meanwhile nothing is captured."""

OnFrames = Callable[[int, list[bytes]], None]
"""Takes the receive time (ns UTC) and the text of the frames that came then."""


class Venue:
    """One ccxt exchange object: its session, pings and connection rules."""

    def __init__(self, plan: Plan) -> None:
        import ccxt.pro

        self.exchange: Any = getattr(ccxt.pro, plan.exchange)({"enableRateLimit": False})

    async def text(self, url: str) -> tuple[int, bytes]:
        """Receive time (ns UTC) and body of a GET.

        Raises:
            VenueRefused: there was no answer, or an error; `retry_after` holds the seconds it asks to wait.
        """
        from aiohttp import ClientError, ClientTimeout

        self.exchange.open()
        try:
            async with self.exchange.session.get(url, timeout=ClientTimeout(10)) as answer:
                body = await answer.read()
                if answer.status == 200:
                    return time_ns(), body
                raise VenueRefused(f"{url} answered {answer.status}: {body[:200]!r}", retry_after(answer.headers))
        except (ClientError, TimeoutError) as error:
            raise VenueRefused(f"{url} did not answer: {error!r}") from error

    async def close(self) -> None:
        """Close all that is open."""
        await self.exchange.close()


def retry_after(headers: Mapping[str, str] | None) -> float:
    """How long the headers of an answer ask to wait; 0 if they do not say it in seconds."""
    given = {name.lower(): value for name, value in (headers or {}).items()}.get("retry-after", "")
    return float(given) if given.replace(".", "", 1).isdecimal() else 0.0


class Connection:
    """One connection of a plan, kept up until it is closed.

    Args:
        venue: whose session and rules.
        subscription: address, and the messages that subscribe.
        on_frames: takes frames as received.
        on_loss: called with the reason, `reconnect` or `silent`, each time an open connection ended.
    """

    def __init__(
        self,
        venue: Venue,
        subscription: Subscription,
        on_frames: OnFrames,
        on_loss: Callable[[str], None],
    ) -> None:
        self.venue = venue
        self.subscription = subscription
        self.on_frames = on_frames
        self.on_loss = on_loss
        self.last_received = 0.0
        self.reconnects = 0
        self._client: Any = None
        self._reconnect_requested = False
        self._unsent = deque[dict[str, Any]]()
        self._open_since: float | None = None

    async def run(self) -> None:
        """Connect and receive until cancelled."""
        failures = 0
        while True:
            try:
                await self._connect()
                reason = await self._listen()
            except (OSError, TimeoutError, CaptureError):
                LOG.info("A connection ended", exc_info=True)
                reason = "reconnect"
            finally:
                await self._close_connection()
            failures = 0 if self._was_stable() else failures + 1
            if self._open_since is not None:
                self.on_loss(reason)
                self.reconnects += 1
            # jitter, so that connections that ended together do not come back together
            await _sleep(min(0.1 * 2 ** min(failures, 9), MAX_BACK_OFF) * random.uniform(0.5, 1.0))  # noqa: S311

    def reconnect(self) -> None:
        """Close the connection, open it again and subscribe to everything."""
        self._reconnect_requested = True

    def send(self, messages: Messages) -> None:
        """Send messages over the open connection; a new one begins without them."""
        self._unsent.extend(messages)

    def _was_stable(self) -> bool:
        """Whether the last connection was open for a while, not closed at once by the venue."""
        return self._open_since is not None and monotonic() - self._open_since >= SILENCE_SECONDS

    async def _connect(self) -> None:
        self._reconnect_requested = False
        self._open_since = None
        self._unsent.clear()
        exchange = self.venue.exchange
        exchange.open()
        self._client = _client(exchange, self.subscription.url, self._on_message)
        self._client.connect(exchange.session)
        try:
            await asyncio.wait_for(asyncio.shield(self._client.connected), 12)
        except _network_error() as error:
            raise CaptureError(f"{self.subscription.url} cannot be reached: {error}") from error
        self._open_since = monotonic()
        for message in self.subscription.subscribe:
            await self._client.send(message)
        self.last_received = monotonic()

    async def _listen(self) -> str:
        while not (self._reconnect_requested or self._client.closed() or self._client.error):
            quiet = monotonic() - self.last_received
            if quiet >= SILENCE_SECONDS:
                return "silent"
            while self._unsent:
                await self._client.send(self._unsent.popleft())
            await _sleep(min(0.05, SILENCE_SECONDS - quiet))
        return "reconnect"

    async def _close_connection(self) -> None:
        """Let nothing of the old connection through any more, then close it."""
        client = self._client
        self._client = None
        if client is not None:
            with suppress(_network_error(), OSError):
                await asyncio.wait_for(client.close(), CLOSE_SECONDS)

    def _on_message(self, client: Any, frames: list[bytes]) -> None:
        if client is self._client:  # a late frame of a connection that was given up is not applied
            self.last_received = monotonic()
            self.on_frames(time_ns(), frames)


def _client(exchange: Any, url: str, on_frames: Callable[[Any, list[bytes]], None]) -> Any:
    """A ccxt client that hands frames on as received, all that came together at once; answers to its pings it keeps."""
    from aiohttp import WSMsgType
    from ccxt.async_support.base.ws.client import Client

    loop = asyncio.get_running_loop()
    text = WSMsgType.TEXT

    class Tee(Client):
        def create_connection(self, session: Any) -> Any:
            return super().create_connection(_Undecoded(session))

        def handle_message(self, message: Any) -> None:
            if message.type is text:
                self.handle_text_or_binary_message(message.data)
            else:
                super().handle_message(message)

        def handle_text_or_binary_message(self, data: bytes) -> None:
            if not received:
                loop.call_soon(self.hand_on)
            received.append(data)

        def hand_on(self) -> None:
            frames = [frame for frame in received if len(frame) >= PONG_BYTES or b"pong" not in frame]
            if len(frames) < len(received):
                self.lastPong = exchange.milliseconds()
            received.clear()
            if frames:
                on_frames(self, frames)

    received: list[bytes] = []

    def ignore(*_: Any) -> None:
        return None

    options = exchange.extend(exchange.streaming, {"ping": getattr(exchange, "ping", None), "asyncio_loop": loop})
    return Tee(url, ignore, ignore, ignore, ignore, options)


class _Undecoded:
    """An aiohttp session whose text frames come as bytes: nothing is decoded only to be encoded again."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.cookie_jar = session.cookie_jar

    def ws_connect(self, url: str, **options: Any) -> Any:
        """As the session's own."""
        return self.session.ws_connect(url, decode_text=False, **options)


def ccxt_errors() -> tuple[type[Exception], type[Exception]]:
    """What ccxt raises where a venue did not answer or asks to wait, and the base of all that it raises."""
    import ccxt

    return ccxt.NetworkError, ccxt.BaseError


def _network_error() -> type[Exception]:
    import ccxt

    return ccxt.NetworkError
