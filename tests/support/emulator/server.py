"""The emulated venue as a server: WebSocket and REST on one loopback port, in its own thread, with faults on call."""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from tests.support.emulator.market import Market
from tests.support.emulator.protocols import PROTOCOLS

Tap = Callable[[str, str], list[str]]
"""(symbol, frame) -> the frames that are delivered instead."""


def deliver(symbol: str, frame: str) -> list[str]:
    """No fault."""
    return [frame]


class Emulator:
    """One venue; use as a context manager. `rate` is changes per second and symbol.

    `tap` may be replaced while it runs; `muted`, `delay` (seconds between a change and its frames) and `refuse` (how
    many snapshot requests are answered by 429) are read at each use.
    """

    def __init__(self, venue: str, symbols: list[str], rate: float = 200.0, seed: int = 1) -> None:
        self.protocol = PROTOCOLS[venue](venue)
        self.markets = {name: Market(name, seed + k, self.protocol.gap_ids) for k, name in enumerate(symbols)}
        self.rate = rate
        self.tap = deliver
        self.muted = False
        self.refuse = 0
        self.stale_snapshots = 0
        self.sockets: dict[web.WebSocketResponse, set[str]] = {}
        self.said: dict[web.WebSocketResponse, list[str]] = {}
        """All that each connection was sent, in order of the connections."""
        self.aside: set[web.WebSocketResponse] = set()
        self.ended: set[tuple[web.WebSocketResponse, str]] = set()
        """Books that were unsubscribed on a connection, which still brings the symbol's trades."""
        self.connections = self.sent = self.served = self.renewed = 0
        self.delay = 0.0
        self.withheld_openings = 0
        self.late: deque[tuple[float, str, str]] = deque()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Emulator":
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def arguments(self) -> list[str]:
        """What `lobforge capture` needs to find it."""
        return ["--stream-url", f"ws://127.0.0.1:{self.port}", "--rest-url", f"http://127.0.0.1:{self.port}"]

    def cut(self, *, books: bool = True) -> None:
        """Break every connection without a goodbye; with `books` False only those that carry no book."""
        asyncio.run_coroutine_threadsafe(self._cut(books=books), self._loop).result(5)

    def halt(self) -> None:
        """Leave every connection half open: it stays up, but this end neither reads nor writes any more."""
        self._loop.call_soon_threadsafe(self._halt)

    def restart(self) -> None:
        """Begin the ids of every book again, in the running streams."""
        asyncio.run_coroutine_threadsafe(self._restart(), self._loop).result(5)

    def inject(self, text: str) -> None:
        """Send a frame of the test's own to everybody."""
        asyncio.run_coroutine_threadsafe(self._send_all(text), self._loop).result(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._any)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        ticking = asyncio.create_task(self._tick())
        await self._stop.wait()
        ticking.cancel()
        await self._cut()
        await runner.cleanup()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        if request.path != self.protocol.rest:
            return web.Response(status=404)
        if self.refuse > 0:
            self.refuse -= 1
            return web.Response(status=429, headers={"Retry-After": "0.2"}, text="too many requests")
        self.served += 1
        market = self.markets[request.query["symbol"]]
        if self.stale_snapshots > 0:
            self.stale_snapshots -= 1
            return web.Response(text=json.dumps({"lastUpdateId": 1, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]}))
        return web.Response(text=self.protocol.snapshot(market, _now()))

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self.connections += 1
        self.sockets[socket] = set()
        self.said[socket] = []
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                await self._on_message(socket, message.data)
        self.sockets.pop(socket, None)
        return socket

    async def _on_message(self, socket: web.WebSocketResponse, text: str) -> None:
        if text == "ping":
            await self._say(socket, "pong")
            return
        message = json.loads(text)
        alive = self.protocol.keep_alive(message)
        if alive is not None:
            await self._say(socket, alive)
            return
        if str(message.get("op", message.get("method"))).lower() == "unsubscribe":
            await self._end(socket, message)
            return
        symbols, answers = self.protocol.subscribed(message)
        again = self.sockets[socket].intersection(symbols).difference(one for at, one in self.ended if at is socket)
        if again:  # as Bybit says it: a second subscription brings no snapshot
            await self._say(socket, json.dumps({"success": False, "ret_msg": "error: already subscribed"}))
            return
        for answer in answers:
            await self._say(socket, answer)
        if not symbols and not self.sockets[socket]:
            self.aside.add(socket)
        for symbol in symbols:
            if symbol in self.markets and socket.closed is False:
                if self.withheld_openings > 0:
                    self.withheld_openings -= 1
                else:
                    for frame in self.protocol.opening(self.markets[symbol]):
                        await self._say(socket, frame)
                self.renewed += symbol in self.sockets[socket]
                self.sockets[socket].add(symbol)
                self.ended.discard((socket, symbol))
                self.aside.discard(socket)

    async def _end(self, socket: web.WebSocketResponse, message: dict) -> None:
        symbols, answers = self.protocol.unsubscribed(message)
        self.ended |= {(socket, symbol) for symbol in symbols if symbol in self.sockets[socket]}
        for answer in answers:
            await self._say(socket, answer)

    async def _tick(self) -> None:
        period = 1.0 / self.rate
        while True:
            started = time.monotonic()
            for market in self.markets.values():
                frames = self.protocol.frames(market, market.step(_now()))
                if self.muted:
                    continue
                self._put(market.symbol, [text for frame in frames for text in self.tap(market.symbol, frame)])
                while self.late and self.late[0][0] <= time.monotonic():
                    _, text, symbol = self.late.popleft()
                    await self._send_all(text, symbol)
                for socket in [one for one in self.aside if one in self.sockets and not one.closed]:
                    await self._say(socket, self.protocol.aside(market, _now()))
            await asyncio.sleep(max(period - (time.monotonic() - started), 0))

    async def _say(self, socket: web.WebSocketResponse, text: str) -> None:
        self.said[socket].append(text)
        await socket.send_str(text)

    async def _send_all(self, text: str, symbol: str | None = None) -> None:
        for socket, symbols in list(self.sockets.items()):
            ended = (socket, symbol) in self.ended and self.protocol.book in text
            if (symbol is None or symbol in symbols) and not socket.closed and not ended:
                self.sent += 1
                try:
                    await self._say(socket, text)
                except ConnectionError:
                    self.sockets.pop(socket, None)

    def _put(self, symbol: str, texts: list[str]) -> None:
        """Line frames up; they are sent in this order, each when it is due."""
        self.late += [(time.monotonic() + self.delay, text, symbol) for text in texts]

    def _halt(self) -> None:
        for socket in list(self.sockets):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.pause_reading()
            self.sockets.pop(socket)

    async def _restart(self) -> None:
        for market in self.markets.values():
            self._put(market.symbol, self.protocol.restart(market, _now()))

    async def _cut(self, *, books: bool = True) -> None:
        for socket in list(self.sockets) if books else [one for one in self.aside if one in self.sockets]:
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
            self.sockets.pop(socket, None)


def _now() -> int:
    return time.time_ns() // 10**6
