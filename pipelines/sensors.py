"""Sensors: new capture files."""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

import dagster as dg

from assets.partitions import instrument_day
from ml.core import config
from ml.core.errors import CaptureError
from ml.core.paths import DataRoot
from pipelines.jobs import ingest

LEAD_IN_NS = 3_660 * 10**9
CLOSING_NS = 60 * 10**9
"""How far a day looks back into the captures before it, and on into those after it."""


@dg.sensor(
    job=ingest,
    minimum_interval_seconds=60,
    description="Ingest each configured date and instrument whose capture files changed.",
)
def capture_arrivals(data_root: dg.ResourceParam[DataRoot]) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per partition, keyed by the content of the files that reach into it: a restart asks for nothing twice.

    A day that has not ended, and an instrument listed since the definitions were loaded, have no partition yet: asking
    for one would fail the whole tick, so they wait.
    """
    found = {
        key: content for key, content in partition_contents(data_root).items() if instrument_day.has_partition_key(key)
    }
    if not found:
        yield dg.SkipReason("no capture file of an existing partition")
    for key, content in sorted(found.items()):
        yield dg.RunRequest(run_key=f"{key}|{content}", partition_key=key)


def partition_contents(root: DataRoot) -> dict[str, str]:
    """Per partition key (date|instrument) the hash over the capture files that it reads."""
    from ml.market.files import captures, index

    listed = config.load(root)
    try:
        paths = captures.find(listed.captures)
    except CaptureError:
        return {}
    names = set(listed.ids)
    contents: dict[str, set[str]] = {}
    for summary in map(partial(index.load, root), paths):
        for name, span in summary.instruments.items():
            if name in names and span.last_event:
                for date in listed.between(span.first_event - CLOSING_NS, span.last_event + LEAD_IN_NS):
                    contents.setdefault(f"{date}|{name}", set()).add(summary.sha256)
    return {key: sha256("".join(sorted(hashes)).encode()).hexdigest()[:16] for key, hashes in contents.items()}
