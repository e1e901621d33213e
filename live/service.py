"""The capture of one venue as a service: it keeps connections up, requests snapshots and renews books.

Here: the loop from the first connection to the sealed file, with or without the promoted model beside it.
Not here: connections (`ml.capture.connections`), the journal (`ml.capture`), from frame to signal (`live.runner`), the
command (`cli.capture`).
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

from ml.capture import plans
from ml.capture.connections import Connection, Venue
from ml.capture.monitor import Watch
from ml.capture.recorder import Recorder
from ml.capture.resubscribe import Renewal
from ml.capture.seal import Sealed
from ml.core.errors import CaptureError, LobforgeError, VenueRefused
from ml.core.paths import DEFAULT_EXPERIMENT, LAYERING_MODEL, DataRoot

if TYPE_CHECKING:
    from ml.layering.collected import CueFiles

LOG = logging.getLogger(__name__)
SNAPSHOT_AFTER = 1.0
"""Seconds between a subscription and its snapshot, so that the diffs around it are on record."""
REFRESH_SECONDS = 3_600.0
"""How old the snapshot of a book may be that REST serves: none can be wrong for longer, though its ids follow."""
PROGRESS_SECONDS = 5.0
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Options:
    """What is captured.

    Args:
        venue: one of `ml.capture.plans.PLANS`.
        symbols: the venue's own names.
        seconds: stop after so long; None stops at SIGTERM or SIGINT alone.
        metrics_port: where Prometheus metrics are served on 127.0.0.1; None serves none.
        stream_url: another WebSocket base address.
        rest_url: another REST base address.
    """

    venue: str
    symbols: tuple[str, ...]
    seconds: float | None = None
    metrics_port: int | None = None
    stream_url: str | None = None
    rest_url: str | None = None


class Capture:
    """One venue's capture, from the first connection to the sealed file.

    Args:
        root: where the capture files are put.
        options: what is captured.
        report: it takes the state every few seconds, and what happens to the signals.
        emit: it takes the signals of the promoted model, which then runs beside the capture; None runs no model.
    """

    def __init__(self, root: DataRoot, options: Options, report: Report, emit: Report | None = None) -> None:
        self.plan = plans.plan(options.venue)
        self.endpoints = plans.Endpoints(
            options.stream_url or self.plan.endpoints.stream, options.rest_url or self.plan.endpoints.rest
        )
        self.symbols = options.symbols
        self.options = options
        self.report = report
        self.venue = Venue(self.plan)
        self.watch = Watch(options.venue, self.symbols)
        self.cues: CueFiles | None = None
        # before the recorder, whose threads would outlive a champion that is refused
        self.signals = self._signals(root, emit) if emit is not None else None
        self.signal_failure = ""
        self.files: list[Sealed] = []
        self.recorder = Recorder(root, options.venue, sealed=self.files.append)
        subscriptions = self.plan.subscriptions(self.endpoints, self.symbols)
        self.connections = [self._connection(number, one) for number, one in enumerate(subscriptions)]
        self.snapshots = 0
        self.snapshot_failures = 0
        self.renewals = 0

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
        tasks = [
            asyncio.create_task(work)
            for work in (*(connection.run() for connection in self.connections), self._progress())
        ]
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
        self._save_cues()
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
            "predictions_dropped": recorder.predictions_dropped,
            "waiting_bytes": recorder.waiting_bytes,
            "unsealed": recorder.unsealed,
            "reconnects": sum(connection.reconnects for connection in self.connections),
            "breaks": self.watch.breaks,
            "crossed": self.watch.crossed,
            "renewals": self.renewals,
            "snapshots": self.snapshots,
            "snapshot_failures": self.snapshot_failures,
            "unknown_books": self.watch.unknown(),
            "slowest_ms": round(recorder.slowest_ms, 3),
            "signal_failure": self.signal_failure,
        }

    def _signals(self, root: DataRoot, emit: Report) -> Callable[[str, dict[str, Any], int], None]:
        """A function that feeds frames to one live runner per symbol, and what becomes of the answers.

        The newest row is kept, what each model said is recorded, cues are saved, then the signal is emitted.
        """
        from live.router import router
        from live.runner import Runner
        from ml.core import config
        from ml.layering import thresholds
        from ml.layering.collected import CueFiles
        from ml.layering.detector import shipped_detector
        from ml.learning import experiment
        from ml.promotion import prediction_log
        from ml.promotion.registry import champion_of
        from ml.promotion.serving import Scored

        configuration = config.load(root)
        routed = router(root, configuration, DEFAULT_EXPERIMENT)

        def log(instrument: str, recv_ts: int, scored: Scored) -> None:
            lines = prediction_log.lines(DEFAULT_EXPERIMENT, instrument, recv_ts, scored, routed.versions)
            self.recorder.predicted(lines)

        of_cues = champion_of(root, LAYERING_MODEL)
        pressure = experiment.named(root, DEFAULT_EXPERIMENT).feature_set.has_pressure
        runners = dict[str, Runner]()
        for instrument in (configuration.instrument(f"{self.options.venue}.{name}") for name in self.options.symbols):
            cues = shipped_detector(instrument, thresholds.of(root, instrument, configuration.layering.budget), of_cues)
            runners[instrument.symbol] = Runner(
                instrument, None, store=root, cues=cues, router=routed, log=log, pressure=pressure
            )
        for runner in runners.values():
            runner.prepare()  # before the first connection: compiling would block it until it timed out
        named = {runner.instrument.id: runner.instrument for runner in runners.values()}
        self.cues = cue_files = CueFiles(root.patterns, named, self.report)

        def take(symbol: str, doc: dict[str, Any], recv_ts: int) -> None:
            for row in runners[symbol].take(doc, recv_ts):
                if "cue" in row:
                    cue_files.take(row)
                emit(row)

        return take

    def _save_cues(self) -> None:
        if self.cues is not None:
            try:
                self.cues.save()
            except OSError as error:  # the frames are what counts, and the cues can be found in them again
                self.report({"cues_not_saved": repr(error)})

    def _connection(self, number: int, subscription: plans.Subscription) -> Connection:
        name = f"{self.options.venue} {subscription.url}"
        self.recorder.connection(number, name, subscription.symbols, books=bool(subscription.books))

        def on_loss(reason: str) -> None:
            self.recorder.loss(number, reason)
            self._forget(subscription.books, reason)

        def on_frames(recv_ts: int, frames: list[bytes]) -> None:
            if self.recorder.offer(number, recv_ts, frames):
                self._take(recv_ts, frames, name)
            else:
                self._forget(subscription.books, "overflow")

        return Connection(self.venue, subscription, on_frames, on_loss)

    def _forget(self, books: tuple[str, ...], reason: str) -> None:
        """Frames of these books may be missing: what is known of them ends, for the signals too."""
        for symbol in set(books).difference(self.watch.unknown()):
            self.watch.lose(symbol, reason)
            self._predict(symbol, {"loss": reason, "symbol": symbol}, time_ns())

    def _take(self, recv_ts: int, frames: list[bytes], name: str) -> None:
        for text in frames if self.signals is not None else self.watch.relevant(frames):
            symbol, doc = self.watch.take(text, name, recv_ts)
            self._predict(symbol, doc, recv_ts)

    def _predict(self, symbol: str | None, doc: dict[str, Any] | None, recv_ts: int) -> None:
        if self.signals is None or symbol is None or doc is None:
            return
        try:
            self.signals(symbol, doc, recv_ts)
        except (LobforgeError, ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            # whatever a model does, the capture goes on
            LOG.exception("The model failed on a frame of %s: signals end, the capture goes on", symbol)
            self.signals = None
            self.signal_failure = repr(error)
            self.report({"signals_ended": self.signal_failure})

    async def _renew_books(self, messages: Callable[[str], plans.Messages]) -> None:
        """Subscribe again to books that stay unknown though their diffs come, then open their connection again."""
        renewal = Renewal([connection.subscription.books for connection in self.connections])
        while True:
            books, connections = renewal.due(self.watch.waiting(), monotonic())
            for number in connections:
                self.connections[number].reconnect()
            for connection in self.connections:
                for symbol in set(connection.subscription.books).intersection(books):
                    connection.send(messages(symbol))
            self.renewals += len(books)
            await asyncio.sleep(0.1)

    async def _ask_for_snapshots(self, address: Callable[[str], str]) -> None:
        """Ask for the snapshot of each book that is not known, as long as it is not, and of each other once an hour."""
        numbers = {symbol: len(self.connections) + position for position, symbol in enumerate(self.symbols)}
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
        self._predict(symbol, doc, recv_ts)
        return True

    def _stored(self) -> None:
        if self.recorder.failure is not None:
            raise CaptureError(
                f"{self.options.venue}: frames cannot be stored ({self.recorder.failure}). Make room on the disk "
                "and start again; the frames in the journals are recovered."
            )

    async def _progress(self) -> None:
        shown = monotonic()
        while True:
            await asyncio.sleep(0.5)
            self._stored()
            if monotonic() - shown >= PROGRESS_SECONDS:
                self.report(self.state())
                shown = monotonic()
                self.recorder.slowest_ms = 0.0


def _serve_metrics(capture: Capture, port: int) -> None:
    from live.metrics import serve

    serve(capture.state, capture.recorder.delays, port)
