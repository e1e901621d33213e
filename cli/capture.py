"""`lobforge capture --venue VENUE --symbols A,B`: record what a venue sends, so that nothing is lost in silence.

Here: the verb, and the loop that keeps connections up, asks for snapshots and shows how it goes.
Not here: connections (`ml.capture.connections`), the journal (`ml.capture`).

Mode ONLY_TRAINING captures. Mode FULL feeds the same frames to the live runner beside it, and prints its signals.
"""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from functools import partial
from time import monotonic, time_ns
from typing import Any

import orjson

from cli.console import fail
from cli.progress import say
from ml.capture import plans
from ml.capture.connections import Line, Venue
from ml.capture.monitor import Watch
from ml.capture.recorder import Recorder
from ml.capture.resubscribe import Renewal
from ml.capture.seal import Sealed, recover
from ml.core import settings
from ml.core.errors import CaptureError, LobforgeError, VenueRefused
from ml.core.paths import DataRoot

SNAPSHOT_AFTER = 1.0
"""Seconds between a subscription and its snapshot, so that the diffs around it are on record."""
REFRESH_SECONDS = 3_600.0
"""How old the snapshot of a book may be that REST serves: none can be wrong for longer, though its ids follow."""
PROGRESS_SECONDS = 5.0
MODES = ("ONLY_TRAINING", "FULL")


def main(argv: list[str]) -> int:
    """Return 0 after a clean stop, 1 if frames were lost to overflow or signals ended early, 2 if it had to give up."""
    parser = argparse.ArgumentParser(prog="lobforge capture", description=__doc__)
    parser.add_argument("--venue", required=True, help=f"one of {', '.join(plans.PLANS)}")
    parser.add_argument("--symbols", required=True, help="the venue's own names, separated by commas")
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="FULL also runs the promoted model")
    parser.add_argument("--seconds", type=float, help="stop after so long; else on SIGTERM or SIGINT")
    parser.add_argument("--metrics-port", type=int, help="serve Prometheus metrics on 127.0.0.1")
    parser.add_argument("--stream-url", help="another WebSocket base address, for a gateway or an emulator")
    parser.add_argument("--rest-url", help="another REST base address")
    parser.add_argument("--json", action="store_true", help="print progress and the summary as JSON")
    options = parser.parse_args(argv)
    try:
        root = DataRoot(settings.load().data_root)
        for old in recover(root):
            _say(options, {"recovered": old.journal, "state": old.state, "records": old.records, "torn": old.torn})
        summary = asyncio.run(Capture(root, options).run())
    except LobforgeError as error:
        return fail(error, options.json)
    _say(options, summary, last=True)
    return 1 if summary["overflows"] or summary["signal_failure"] else 0


class Capture:
    """One venue's capture, from the first dial to the sealed file."""

    def __init__(self, root: DataRoot, options: argparse.Namespace) -> None:
        self.plan = plans.plan(options.venue)
        self.endpoints = plans.Endpoints(
            options.stream_url or self.plan.endpoints.stream, options.rest_url or self.plan.endpoints.rest
        )
        self.symbols = tuple(name for name in options.symbols.split(",") if name)
        self.options = options
        self.venue = Venue(self.plan)
        self.watch = Watch(options.venue, self.symbols)
        self.signals = _signals(root, options) if options.mode == "FULL" else None
        self.signal_failure = ""
        self.files: list[Sealed] = []
        self.recorder = Recorder(root, options.venue, sealed=self.files.append)
        asked = self.plan.connections(self.endpoints, self.symbols)
        self.lines = [self._line(number, connection) for number, connection in enumerate(asked)]
        self.snapshots = self.snapshot_failures = self.renewals = 0

    async def run(self) -> dict[str, Any]:
        """Capture until told to stop; returns the summary."""
        gc.collect()
        gc.freeze()  # what was imported stays: walking over it would hold frames up for a tenth of a second
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if self.options.metrics_port:
            _serve_metrics(self, self.options.metrics_port)
        tasks = [asyncio.create_task(work) for work in (*(line.run() for line in self.lines), self._progress())]
        if self.plan.snapshot is not None:
            address = partial(self.plan.snapshot, self.endpoints)
            tasks.append(asyncio.create_task(self._ask_for_snapshots(address)))
        elif self.plan.renew is not None:
            tasks.append(asyncio.create_task(self._renew_books(self.plan.renew)))
        waiting = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([waiting, *tasks], timeout=self.options.seconds, return_when="FIRST_COMPLETED")
        stopping = monotonic()
        for task in (waiting, *tasks):
            task.cancel()
        await asyncio.gather(waiting, *tasks, return_exceptions=True)
        await self.venue.close()
        await asyncio.to_thread(self.recorder.stop)
        for task in done - {waiting}:
            task.result()  # a task that ended by itself failed: say so
        self._stored()
        files = [str(sealed.path) for sealed in self.files]
        return self.state() | {"files": files, "stop_s": round(monotonic() - stopping, 3)}

    def state(self) -> dict[str, Any]:
        """Counters so far."""
        recorder = self.recorder
        return {
            "venue": self.options.venue,
            "frames": recorder.frames,
            "bytes": recorder.bytes,
            "overflows": recorder.overflows,
            "waiting_bytes": recorder.waiting_bytes,
            "unsealed": recorder.unsealed,
            "reconnects": sum(line.reconnects for line in self.lines),
            "breaks": self.watch.breaks,
            "crossed": self.watch.crossed,
            "renewals": self.renewals,
            "snapshots": self.snapshots,
            "snapshot_failures": self.snapshot_failures,
            "unknown_books": self.watch.unknown(),
            "slowest_ms": round(recorder.slowest_ms, 3),
            "signal_failure": self.signal_failure,
        }

    def _line(self, number: int, asked: plans.Connection) -> Line:
        name = f"{self.options.venue} {asked.url}"
        self.recorder.connection(number, name, asked.symbols, books=bool(asked.books))

        def lost(reason: str) -> None:
            self.recorder.loss(number, reason)
            self._forget(asked.books, reason)

        def heard(recv_ts: int, frames: list[bytes]) -> None:
            if self.recorder.offer(number, recv_ts, frames):
                self._take(recv_ts, frames, name)
            else:
                self._forget(asked.books, "overflow")

        return Line(self.venue, asked, heard, lost)

    def _forget(self, books: tuple[str, ...], reason: str) -> None:
        """Frames of these books may be missing: what is known of them ends, for the signals too."""
        for symbol in set(books).difference(self.watch.unknown()):
            self.watch.lose(symbol, reason)
            self._speak(symbol, {"loss": reason, "symbol": symbol}, time_ns())

    def _take(self, recv_ts: int, frames: list[bytes], name: str) -> None:
        for text in frames if self.signals is not None else self.watch.telling(frames):
            symbol, doc = self.watch.take(text, name, recv_ts)
            self._speak(symbol, doc, recv_ts)

    def _speak(self, symbol: str | None, doc: dict[str, Any] | None, recv_ts: int) -> None:
        if self.signals is None or symbol is None or doc is None:
            return
        try:
            self.signals(symbol, doc, recv_ts)
        except (LobforgeError, ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            # whatever a model does, the capture goes on
            self.signals = None
            self.signal_failure = repr(error)
            _say(self.options, {"signals_ended": self.signal_failure})

    async def _renew_books(self, messages: Callable[[str], plans.Messages]) -> None:
        """Subscribe again to books that stay unknown though their diffs come, then dial their line again."""
        renewal = Renewal([line.asked.books for line in self.lines])
        while True:
            books, lines = renewal.due(self.watch.waiting(), monotonic())
            for number in lines:
                self.lines[number].reconnect()
            for line in self.lines:
                for symbol in set(line.asked.books).intersection(books):
                    line.say(messages(symbol))
            self.renewals += len(books)
            await asyncio.sleep(0.1)

    async def _ask_for_snapshots(self, address: Callable[[str], str]) -> None:
        """Ask for the snapshot of each book that is not known, as long as it is not, and of each other once an hour."""
        numbers = {symbol: len(self.lines) + position for position, symbol in enumerate(self.symbols)}
        for symbol, number in numbers.items():
            self.recorder.connection(number, f"{self.options.venue} {address(symbol)}")
        since = dict[str, float]()
        asked = dict.fromkeys(numbers, monotonic())
        while True:
            now = monotonic()
            since = {symbol: since.get(symbol, now) for symbol in self.watch.waiting()}
            due = [symbol for symbol, begun in since.items() if now - begun > SNAPSHOT_AFTER]
            old = [symbol for symbol, when in asked.items() if now - when > REFRESH_SECONDS]
            for symbol in due or old[:1]:  # what is not known comes first
                if await self._snapshot(symbol, address(symbol), numbers[symbol]):
                    asked[symbol] = monotonic()
                await asyncio.sleep(self.plan.snapshot_pause)
            await asyncio.sleep(0.1)

    async def _snapshot(self, symbol: str, address: str, number: int) -> bool:
        try:
            recv_ts, text = await self.venue.text(address)
        except VenueRefused as error:
            self.snapshot_failures += 1
            await asyncio.sleep(error.retry_after or 1.0)
            return False
        self.snapshots += 1
        if not self.recorder.offer(number, recv_ts, (text,)):
            return False  # it is not on record, so it makes nothing known
        _, doc = self.watch.take(text, f"{self.options.venue} {address}", recv_ts)
        self._speak(symbol, doc, recv_ts)
        return True

    def _stored(self) -> None:
        if self.recorder.failure is not None:
            raise CaptureError(
                f"{self.options.venue}: what came cannot be stored ({self.recorder.failure}). Make room on the disk "
                "and start again; what the journals hold is recovered."
            )

    async def _progress(self) -> None:
        shown = monotonic()
        while True:
            await asyncio.sleep(0.5)
            self._stored()
            if monotonic() - shown >= PROGRESS_SECONDS:
                _say(self.options, self.state())
                shown = monotonic()
                self.recorder.slowest_ms = 0.0


def _say(options: argparse.Namespace, state: dict[str, Any], last: bool = False) -> None:
    """Progress goes to standard error, the summary to standard output."""
    sink = sys.stdout if last else sys.stderr
    text = orjson.dumps(state).decode() if options.json else "  ".join(f"{k} {v}" for k, v in state.items())
    print(text, file=sink, flush=True)


def _signals(root: DataRoot, options: argparse.Namespace) -> Callable[[str, dict[str, Any], int], None]:
    """A function that feeds frames to one live runner per symbol, keeps the newest rows, and prints what it says."""
    from live.runner import Runner, promoted
    from ml.core import config, kernel_cache

    say(kernel_cache.notice())
    listed = config.load(root)
    model = promoted(root, "champion")
    names = options.symbols.split(",")
    runners = {name: Runner(listed.instrument(f"{options.venue}.{name}"), model, store=root) for name in names if name}
    for runner in runners.values():
        runner.prepare()  # before the first dial: who compiles hears nothing, and his lines times out

    def take(symbol: str, doc: dict[str, Any], recv_ts: int) -> None:
        for row in runners[symbol].take(doc, recv_ts):
            print(orjson.dumps(row).decode(), flush=True)

    return take


def _serve_metrics(capture: Capture, port: int) -> None:
    from live.metrics import serve

    serve(capture.state, capture.recorder.delays, port)
