"""`lobforge signals`: the signals of a data root as a service, with an HTTP stream on the loopback interface if asked.

Here: the service from start to stop, its routes and metrics.
Not here: signals (`live.signals`), sinks (`live.sinks`), the command (`cli.signals`).
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from live.models import ServedModels
from live.predictions import Predictor
from live.server import build_app, problems, serve
from live.signal_table import SignalTable
from live.signals import Missed, Signal, Signals, Sink
from live.sinks import Listeners, Stored
from ml.core.paths import DataRoot
from ml.learning import experiment
from ml.learning.models import trees

LOG = logging.getLogger(__name__)
ALIVE_SECONDS = 15.0
"""A stream on which nothing happens sends a comment, so that either side sees that the other one is there."""
router = APIRouter(tags=["signals"])


@dataclass(frozen=True)
class Options:
    """What is made and where it goes.

    Args:
        experiments: their names; none means all.
        url: the database of SQLAlchemy.
        lines: a sink for standard output, None for none.
        port: of the HTTP stream; None for none.
        max_age: seconds after a step at which its row counts as missing.
        seconds: stop after so long; None stops at SIGTERM or SIGINT alone.
    """

    experiments: tuple[str, ...]
    url: str
    lines: Sink | None = None
    port: int | None = None
    max_age: float = 5.0
    seconds: float | None = None


class Counts:
    """How many signals were made, by outcome, and how many intervals were missed."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], int] = {}
        self.missed = 0

    def put(self, signal: Signal) -> None:
        """Count a signal."""
        key = (signal.experiment, signal.withheld or "answered")
        self.made[key] = self.made.get(key, 0) + 1

    def miss(self, missed: Missed) -> None:
        """Count an interval of missed steps."""
        self.missed += 1


class Service:
    """Signals with their sinks.

    Args:
        root: the data root.
        options: what is made.

    Raises:
        SettingsError: an experiment is unknown, or the database cannot be opened.
    """

    def __init__(self, root: DataRoot, options: Options) -> None:
        self.options = options
        self.table = SignalTable(options.url)
        self.stored = Stored(self.table)
        self.listeners = Listeners()
        self.counts = Counts()
        names = options.experiments or tuple(experiment.load(root))
        steps = {name: experiment.named(root, name).row_spacing for name in names}
        trees.prepare()  # compiling would hold the first signals up
        self.models = ServedModels(root, lambda _: None)
        sinks: list[Sink] = [self.stored, self.listeners, self.counts]
        if options.lines is not None:
            sinks.append(options.lines)
        predictor = Predictor(root, self.models, options.max_age)
        self.signals = Signals(root, predictor, steps, sinks, self.table.newest(), options.max_age)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Follow decisions and make signals meanwhile; the process is asked to stop if either fails.

        Raises:
            Exception: what either failed with.
        """
        tasks = [asyncio.create_task(work) for work in (self.models.follow(), self.signals.run())]
        for task in tasks:
            task.add_done_callback(_stop_if_failed)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    def summary(self) -> dict[str, Any]:
        """Counts so far."""
        answered = sum(count for (_, outcome), count in self.counts.made.items() if outcome == "answered")
        return {
            "signals": answered,
            "withheld": _by_reason(self.counts),
            "missed": self.counts.missed,
            "waiting": self.stored.waiting,
            "dropped": self.stored.dropped,
            "failures": self.stored.failures,
        }


@router.get("/api/ml/signals", responses=problems())
def newest(request: Request) -> list[dict[str, Any]]:
    """The newest signal of each experiment and instrument."""
    service: Service = request.app.state.service
    return [msgspec.to_builtins(one) for one in service.signals.newest.values()]


@router.get("/api/ml/signals/stream", response_class=StreamingResponse, responses=problems())
def stream(request: Request) -> StreamingResponse:
    """Signals from now on as server-sent events, each with its id; a listener that does not read is cut off."""
    service: Service = request.app.state.service

    async def events() -> AsyncIterator[bytes]:
        with service.listeners.listening() as queue:
            yield b": signals from here on\n\n"
            while True:
                try:
                    one = await asyncio.wait_for(queue.get(), ALIVE_SECONDS)
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                if one is None:
                    return
                yield b"id: " + one.id.encode() + b"\ndata: " + msgspec.json.encode(one) + b"\n\n"

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/api/ml/signals/health", responses=problems())
def health(request: Request) -> dict[str, Any]:
    """Counts of signals, withheld ones by reason, missed intervals, and what waits for the database."""
    service: Service = request.app.state.service
    return service.summary()


@router.get("/metrics", responses=problems())
def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Collector(request.app.state.service))  # type: ignore[arg-type]
    return Response(generate_latest(registry), media_type="text/plain; version=1.0.0; charset=utf-8")


def run(root: DataRoot, options: Options) -> dict[str, Any]:
    """Make signals until SIGINT or SIGTERM, or for the seconds of the options; returns the summary.

    Raises:
        SettingsError: an experiment is unknown, the database cannot be opened, or the port is taken.
    """
    service = Service(root, options)
    if options.port is None:
        asyncio.run(_until_told(service))
    else:
        serve(lambda: _application(root, service), options.port)
    service.stored.close()
    return service.summary()


def _application(root: DataRoot, service: Service) -> FastAPI:
    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncGenerator[None]:
        async with service.running():
            yield

    app = build_app(root, "lobforge signals", (router,), running)
    app.state.service = service
    return app


async def _until_told(service: Service) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with service.running():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), service.options.seconds)


def _stop_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        LOG.error("Signals end", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def _by_reason(counts: Counts) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, outcome), count in counts.made.items():
        if outcome != "answered":
            found[outcome] = found.get(outcome, 0) + count
    return found


class _Collector:
    def __init__(self, service: Service) -> None:
        self.service = service

    def collect(self) -> Iterator[Metric]:
        made = CounterMetricFamily("lobforge_signals", "Signals made.", labels=["experiment", "outcome"])
        for labels, count in self.service.counts.made.items():
            made.add_metric(list(labels), count)
        yield made
        stored = self.service.stored
        waiting = "Signals that wait for the database."
        yield GaugeMetricFamily("lobforge_signals_waiting", waiting, value=stored.waiting)
        for name, text, count in (
            ("lobforge_signals_missed_intervals", "Intervals of steps without signals.", self.service.counts.missed),
            ("lobforge_signals_dropped", "Signals dropped because the database did not answer.", stored.dropped),
            ("lobforge_signals_store_failures", "Tries to store signals that failed.", stored.failures),
        ):
            yield CounterMetricFamily(name, text, value=count)
