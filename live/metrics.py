"""Prometheus metrics of a capture, served on the loopback interface.

This module names and exports the counters; `ml.capture` and `live.service` do the counting.
"""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ml.capture.delays import Delays

COUNTERS = {
    "frames": ("lobforge_capture_frames", "Frames recorded."),
    "bytes": ("lobforge_capture_bytes", "Bytes of frames recorded."),
    "overflows": ("lobforge_capture_overflows", "Frames dropped because the disk did not keep up."),
    "reconnects": ("lobforge_capture_reconnects", "Connections that ended and were reopened."),
    "breaks": ("lobforge_capture_sequence_gaps", "Gaps in update ids."),
    "crossed": ("lobforge_capture_crossed", "Books found crossed although their ids are continuous."),
    "renewals": ("lobforge_capture_resubscriptions", "Books resubscribed on a running connection."),
    "snapshots": ("lobforge_capture_snapshots", "Snapshots received."),
    "snapshot_failures": ("lobforge_capture_snapshot_failures", "Snapshot requests that were refused or failed."),
}
GAUGES = {
    "waiting_bytes": ("lobforge_capture_queue_bytes", "Bytes waiting for the disk."),
    "unsealed": ("lobforge_capture_unsealed_journals", "Journals waiting to be sealed."),
    "unknown_books": ("lobforge_capture_unknown_books", "Books waiting for a snapshot."),
}
DELAYS = ("lobforge_capture_journal_seconds", "Seconds from receiving a frame until the operating system has it.")


class StateCollector:
    """Exports the counters of a capture and the delays of its frames at each scrape."""

    def __init__(self, state: Callable[[], dict[str, Any]], delays: Delays) -> None:
        self.state = state
        self.delays = delays

    def collect(self) -> Iterator[Metric]:
        """All metrics, labelled with the venue."""
        state = self.state()
        for key, (name, text) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=["venue"])
            counter.add_metric([state["venue"]], state[key])
            yield counter
        for key, (name, text) in GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=["venue"])
            value = state[key]
            gauge.add_metric([state["venue"]], len(value) if isinstance(value, list) else value)
            yield gauge
        histogram = HistogramMetricFamily(*DELAYS, labels=["venue"])
        histogram.add_metric([state["venue"]], self.delays.cumulative(), self.delays.sum)
        yield histogram


def serve(state: Callable[[], dict[str, Any]], delays: Delays, port: int) -> None:
    """Serve `/metrics` in a background thread."""
    registry = CollectorRegistry()
    registry.register(StateCollector(state, delays))  # type: ignore[arg-type]
    start_http_server(port, "127.0.0.1", registry)
