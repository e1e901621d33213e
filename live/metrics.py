"""Prometheus metrics of a capture, on the loopback interface.

Here: what a capture's counters are called to Prometheus.
Not here: counting (`ml.capture`, `cli.capture`).
"""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ml.capture.delays import Delays

COUNTERS = {
    "frames": ("lobforge_capture_frames", "Frames recorded."),
    "bytes": ("lobforge_capture_bytes", "Bytes of frames recorded."),
    "overflows": ("lobforge_capture_overflows", "Frames refused because the disk did not keep up."),
    "reconnects": ("lobforge_capture_reconnects", "Connections that ended and were dialled again."),
    "breaks": ("lobforge_capture_breaks", "Breaks of update ids."),
    "crossed": ("lobforge_capture_crossed", "Books whose sides crossed though their ids follow, requested again."),
    "renewals": ("lobforge_capture_renewals", "Books subscribed again on their running connection."),
    "snapshots": ("lobforge_capture_snapshots", "Snapshots fetched."),
    "snapshot_failures": ("lobforge_capture_snapshot_failures", "Snapshots that were refused or failed."),
}
GAUGES = {
    "waiting_bytes": ("lobforge_capture_queue_bytes", "Bytes that wait for the disk."),
    "unsealed": ("lobforge_capture_unsealed_journals", "Journals that wait for their sealing."),
    "unknown_books": ("lobforge_capture_unknown_books", "Books that wait for a snapshot."),
}
DELAYS = ("lobforge_capture_journal_seconds", "From the receipt of a frame to its being with the kernel.")


class StateCollector:
    """Gives the counters of a capture, and how long its frames waited, whenever they are asked for."""

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
    """Serve `/metrics` from a thread of its own."""
    registry = CollectorRegistry()
    registry.register(StateCollector(state, delays))  # type: ignore[arg-type]
    start_http_server(port, "127.0.0.1", registry)
