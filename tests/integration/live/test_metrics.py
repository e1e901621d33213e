"""Prometheus metrics of a capture: named for what they count, with their unit, labelled by venue."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from live.metrics import COUNTERS, DELAYS, GAUGES, StateCollector
from ml.capture.delays import Delays
from ml.tables.schemas import END_REASONS
from tests.architecture.sources import PROJECT

STATE = {
    "venue": "sim",
    "frames": 7,
    "bytes": 70,
    "overflows": 1,
    "reconnects": 2,
    "breaks": 3,
    "crossed": 9,
    "renewals": 8,
    "snapshots": 4,
    "snapshot_failures": 5,
    "waiting_bytes": 6,
    "unsealed": 2,
    "unknown_books": ["A", "B"],
    "slowest_ms": 1.0,
}


@pytest.fixture
def text():
    delays = Delays()
    delays.add(0.002, 90)
    delays.add(0.004, 9)
    delays.add(60.0, 1)
    registry = CollectorRegistry()
    registry.register(StateCollector(lambda: STATE, delays))
    return generate_latest(registry).decode()


@pytest.mark.parametrize("key", COUNTERS)
def test_a_counter_shows_its_count(text, key):
    """Counters end in _total."""
    assert f'{COUNTERS[key][0]}_total{{venue="sim"}} {float(STATE[key])}' in text


def test_a_gauge_shows_what_is_now(text):
    """Of a list it is the length."""
    assert f'{GAUGES["waiting_bytes"][0]}{{venue="sim"}} 6.0' in text
    assert f'{GAUGES["unknown_books"][0]}{{venue="sim"}} 2.0' in text


def test_the_delays_are_a_histogram(text):
    """Buckets hold what lies at or below their bound; the last holds all."""
    buckets = {
        line.split('le="')[1].split('"')[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(f"{DELAYS[0]}_bucket")
    }
    assert [buckets[bound] for bound in ("0.001", "0.0025", "0.005", "10.0", "+Inf")] == [0, 90, 99, 99, 100]
    assert f'{DELAYS[0]}_sum{{venue="sim"}} {0.002 * 90 + 0.004 * 9 + 60.0}' in text


def test_every_metric_is_of_the_product_and_has_a_help_text(text):
    """Names share one prefix."""
    helped = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert len(helped) == len(COUNTERS) + len(GAUGES) + 1
    assert all(name.startswith("lobforge_capture_") for name in helped)


def test_every_metric_and_reason_is_explained():
    """docs/operations.md says what each metric counts and what each reason of a gap means."""
    explained = (PROJECT / "docs" / "operations.md").read_text()
    names = [f"`{name}_total`" for name, _ in COUNTERS.values()] + [f"`{name}`" for name, _ in GAUGES.values()]
    assert [name for name in (*names, *(f"| `{reason}` |" for reason in END_REASONS)) if name not in explained] == []
