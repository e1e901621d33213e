"""What runs when data arrive.

Here: new capture files start `raw_frames`, and the automation conditions of the assets start all that follows.
Not here: the conditions (`assets.conditions`), indexing (`assets.raw.capture_index`).
"""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.partitions import instrument_day
from ml.core import config
from ml.core.paths import DataRoot
from pipelines.jobs import index_captures, receive

RAW = dg.AssetKey("raw_frames")


@dg.sensor(
    jobs=[index_captures, receive],
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Index capture files that came or changed, then store the raw frames of each partition they reach.",
)
def capture_arrivals(
    context: dg.SensorEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per partition whose capture files changed; the cursor holds the last change that was asked for.

    A day that has not ended, and an instrument listed since the definitions were loaded, have no partition yet: asking
    for one would fail the whole tick, so the cursor names them until they have.
    """
    from ml.market.files import arrivals

    listed = config.load(data_root)
    seen = arrivals.listing(listed)
    known = arrivals.known(data_root)
    if not seen:
        yield dg.SkipReason(f"no capture file in {listed.captures}")
        return
    if seen != known.listing:
        yield dg.RunRequest(run_key=f"index|{seen}", job_name=index_captures.name)
    cursor: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"changed": 0, "waiting": []}
    fresh = {key for key, changed in known.changed.items() if changed > cursor["changed"]}
    fresh |= known.contents.keys() & set(cursor["waiting"])
    waiting = {key for key in fresh if not instrument_day.has_partition_key(key)}
    for key in sorted(fresh - waiting):
        content = known.contents[key]
        if content != _stored(context.instance, key):
            yield dg.RunRequest(run_key=f"{key}|{content}", job_name=receive.name, partition_key=key)
    last = max(known.changed.values(), default=0)
    context.update_cursor(json.dumps({"changed": last, "waiting": sorted(waiting)}))


def _stored(instance: dg.DagsterInstance, key: str) -> str | None:
    """The content of the captures that the stored raw frames of a partition were made of, whoever made them."""
    wanted = dg.AssetRecordsFilter(asset_key=RAW, asset_partitions=[key])
    records = instance.fetch_materializations(wanted, limit=1).records
    made = records[0].asset_materialization if records else None
    content = made.metadata.get("captures") if made else None
    return str(content.value) if content else None


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Make what follows from raw frames, days long past included, as soon as its inputs are stored.",
)
