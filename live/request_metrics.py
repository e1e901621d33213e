"""Prometheus metrics of the model server: requests, answers, reloads.

Here: the counters and their text.
Not here: the metrics of a capture (`live.metrics`).

With several workers each writes its counts to the folder `PROMETHEUS_MULTIPROC_DIR`, and any of them reports the sum of
all; prometheus_client reads that variable when it is imported.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class RequestMetrics:
    """The counts of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "lobforge_serving_request_seconds",
            "Seconds from a request's headers to its answer; the count is that of the requests.",
            ["route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.predictions = Counter(
            "lobforge_serving_predictions", "Rows answered.", ["experiment", "model"], registry=self.registry
        )
        self.withheld = Counter(
            "lobforge_serving_withheld", "Rows withheld.", ["experiment", "reason"], registry=self.registry
        )
        self.reloads = Counter(
            "lobforge_serving_reloads", "Reloads of models, by outcome.", ["outcome"], registry=self.registry
        )
        self._seconds: dict[tuple[str, int], Histogram] = {}
        self._predictions: dict[tuple[str, str], Counter] = {}
        self._withheld: dict[tuple[str, str], Counter] = {}

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is one of few."""
        histogram = self._seconds.get((route, status))
        if histogram is None:  # finding a labelled histogram costs more than counting
            histogram = self._seconds[route, status] = self.seconds.labels(route, str(status))
        histogram.observe(seconds)

    def answered(self, experiment: str, model: str, rows: int = 1) -> None:
        """Count rows that a model answered."""
        counter = self._predictions.get((experiment, model))
        if counter is None:
            counter = self._predictions[experiment, model] = self.predictions.labels(experiment, model)
        counter.inc(rows)

    def kept(self, experiment: str, reason: str) -> None:
        """Count a row that was withheld."""
        counter = self._withheld.get((experiment, reason))
        if counter is None:
            counter = self._withheld[experiment, reason] = self.withheld.labels(experiment, reason)
        counter.inc()

    def reloaded(self, is_whole: bool) -> None:
        """Count a reload; it is whole if every decision could be followed."""
        self.reloads.labels("whole" if is_whole else "failed").inc()

    def text(self) -> bytes:
        """All of them in Prometheus' text format, of all workers."""
        if FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
