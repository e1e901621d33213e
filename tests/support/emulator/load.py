"""A venue under load, as a process of its own: plays a tape to whoever subscribes, at a multiple of its rate.

    python -m tests.support.emulator.load --market FOLDER --symbols 50 --speed 5 --seconds 30 --journals FOLDER --log
    FILE

Here: the WebSocket and REST answers of Binance USD-M, keeping time, and the record of what was sent when and how far
the capture's journals had grown by then. Not here: rendering (`tests.support.emulator.tape`).

Says `{"port": …}` when it listens, and `{"sent": …}` when all was played. Speed 0 sends as fast as it is taken.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path
from time import monotonic_ns, process_time, time_ns

import numpy as np
from aiohttp import WSMsgType, web

from tests.support.emulator.tape import Tape, busiest, quiet, render

BUSY = "/public/stream"
QUIET = "/market/stream"
SNAPSHOT = "/fapi/v1/depth"
RECORDED = "BTCUSDT"
TICK = 0.001
SETTLED = 2.0
LOOKS = 20
"""Seconds without growth after which all has arrived, fewer than those after which the capture calls a line silent and
dials it; and ticks between two looks for a new journal."""
ROOM = 1 << 20
CHUNK = 1 << 18
"""Most bytes that wait in the sender, and most of one write at speed 0."""


def names(count: int) -> list[str]:
    """Symbols as long as the recorded one."""
    return [f"S{number:02d}USDT" for number in range(count)]


class Player:
    """Plays one tape over a transport.

    Args:
        tape: what to play.
        speed: multiple of its rate; 0 for as fast as it is taken.
        frames: how many to send.
    """

    def __init__(self, tape: Tape, speed: float, frames: int) -> None:
        self.tape = tape
        self.speed = speed
        self.frames = frames
        self.lap = 1
        self.place = 0
        self.sent = 0
        self.begun = 0

    def play(self, transport: asyncio.Transport) -> None:
        """Write what is due and fits."""
        self.begun = self.begun or monotonic_ns()
        while self.sent < self.frames and transport.get_write_buffer_size() < ROOM:
            end = min(self._due(), self.place + self.frames - self.sent)
            if end == self.place:
                return
            if self.place == 0:
                self.tape.begin(self.lap)
            first = self.tape.ends[self.place - 1] if self.place else 0
            transport.write(memoryview(self.tape.wire)[first : self.tape.ends[end - 1]])
            self.sent = self.sent + end - self.place
            self.place = end
            if self.place == len(self.tape.ends):
                self.lap = self.lap + 1
                self.place = 0

    def _due(self) -> int:
        """The frame of this lap before which all are due, at most a write's worth away."""
        begin = self.tape.ends[self.place - 1] if self.place else 0
        fits = int(np.searchsorted(self.tape.ends, begin + CHUNK)) or 1
        if not self.speed:
            return max(fits, self.place + 1)
        now = (monotonic_ns() - self.begun) * self.speed - (self.lap - 1) * self.tape.period
        return max(min(int(np.searchsorted(self.tape.due, int(now), "right")), fits), self.place)


class Growth:
    """How far the journals of a folder have grown; each is linked aside, so that it outlives its sealing."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder = folder
        self.kept = kept
        self.kept.mkdir(exist_ok=True)
        self.names: list[str] = []
        self.looks = 0
        self.newest = -1

    def now(self) -> tuple[int, int]:
        """Number of the newest journal, and its bytes."""
        self.looks += 1
        if self.looks % LOOKS == 1 and self.folder.is_dir():
            for path in sorted(self.folder.iterdir()):
                if path.name not in self.names:
                    self.names.append(path.name)
                    (self.kept / path.name).hardlink_to(path)
                    self.newest = os.open(self.kept / path.name, os.O_RDONLY)
        return len(self.names) - 1, os.fstat(self.newest).st_size if self.names else 0


class Load:
    """The server: two streams and snapshots."""

    def __init__(self, options: argparse.Namespace) -> None:
        symbols = names(options.symbols)
        period = int(options.lap * 1e9)
        files = sorted((options.market / "binance_raw").glob(f"*{RECORDED.lower()}*"))
        tape = render(*busiest(files, options.lap), RECORDED, symbols, period)
        frames = int(len(tape.ends) * options.seconds / options.lap)
        self.symbols = {name: number for number, name in enumerate(symbols)}
        self.players = {BUSY: Player(tape, options.speed, frames), QUIET: Player(quiet(symbols), 1.0, 1 << 60)}
        self.growth = Growth(options.journals, options.log.with_suffix(".journals"))
        self.log = options.log
        self.seen: list[tuple[int, int, int, int, int]] = []
        self.connections = self.others = 0
        self.done = asyncio.Event()

    async def serve(self) -> None:
        """Listen, play, and say what was sent."""
        app = web.Application()
        app.router.add_get(SNAPSHOT, self._snapshot)
        app.router.add_get("/{path:.*}", self._stream)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await self.done.wait()
        busy = self.players[BUSY]
        took = (monotonic_ns() - busy.begun) / 1e9
        await self._settled()
        np.save(self.log, np.array(self.seen, np.int64))
        told = {
            "sent": self.others + sum(player.sent for player in self.players.values()),
            "wall_s": took,
            "connections": self.connections,
            "cpu_s": process_time(),
        }
        print(json.dumps(told), flush=True)
        await asyncio.sleep(1 << 20)

    async def _settled(self) -> None:
        """Until the journals do not grow any more."""
        grown = monotonic_ns()
        while monotonic_ns() - grown < SETTLED * 1e9:
            await asyncio.sleep(TICK)
            if self._look(time_ns()):
                grown = monotonic_ns()

    def _look(self, before: int) -> bool:
        """Note what was sent and how far the journals have grown, if that is news."""
        now = (self.players[BUSY].sent, *self.growth.now())
        if self.seen and self.seen[-1][1:4] == now:
            return False
        self.seen.append((before, *now, time_ns()))
        return True

    async def _snapshot(self, request: web.Request) -> web.Response:
        player = self.players[BUSY]
        if self.done.is_set():
            return web.Response(status=429, headers={"Retry-After": "60"})
        self.others += 1
        last = player.tape.last_id(self.symbols[request.query["symbol"]], player.lap, player.place)
        book = {"lastUpdateId": last, "E": 1, "T": 1, "bids": [["1.0", "1"]], "asks": [["2.0", "1"]]}
        return web.json_response(book)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.connections += 1
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                self.others += 1
                await socket.send_str(json.dumps({"result": None, "id": 1}))
                assert request.transport is not None
                asyncio.get_running_loop().create_task(self._play(request.path, request.transport))
        return socket

    async def _play(self, path: str, transport: asyncio.Transport) -> None:
        player = self.players[path]
        while not (transport.is_closing() or self.done.is_set() or player.sent == player.frames):
            before = time_ns()
            player.play(transport)
            if path == BUSY:
                self._look(before)
            await asyncio.sleep(TICK if player.speed else 0)
        while path == BUSY and not transport.is_closing() and transport.get_write_buffer_size():
            await asyncio.sleep(TICK)
        if path == BUSY:
            self.done.set()


def main() -> None:
    """Play until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--market", type=Path, required=True)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument(
        "--lap", type=float, default=60.0, help="seconds of the recording that are played over and over"
    )
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="how much of the tape to play, in its own time")
    parser.add_argument("--journals", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    asyncio.run(Load(parser.parse_args()).serve())


if __name__ == "__main__":
    main()
