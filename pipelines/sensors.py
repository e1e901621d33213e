"""What runs when data arrive, or when somebody asks for it.

Here: new capture files start `raw_frames`, the automation conditions of the assets start all that follows, stored data
that call for it start a training, and a request to train the model of layering cues starts its run.
Not here: who asks (`live.collector`), the conditions (`assets.conditions`), indexing (`assets.raw.capture_index`).
"""

import json
from time import time_ns
from typing import Any

import dagster as dg

from assets.partitions import INSTRUMENTS
from ml.core import config
from ml.core.paths import DataRoot
from ml.learning import experiment
from pipelines.jobs import index_captures, learn, receive

EVERY_SECONDS = 5
"""A tick of either sensor takes a fraction of a second; a file waits for three of them."""
RAW = dg.AssetKey("raw_frames")


@dg.sensor(
    jobs=[index_captures, receive],
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Index capture files that came or changed, then store the raw frames of each partition they reach.",
)
def capture_arrivals(
    context: dg.SensorEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> dg.SensorResult | dg.SkipReason:
    """One run per partition whose capture files changed; the cursor holds the last change that was asked for.

    Instruments that `lobforge.toml` lists become partitions. A day that has not ended, and one after the last date that
    was listed when the definitions were loaded, have no partition yet: asking for one would fail the whole tick, so the
    cursor names them until they have.
    """
    from ml.market.files import arrivals

    configuration = config.load(data_root)
    added = [
        name for name in configuration.ids if name not in context.instance.get_dynamic_partitions(str(INSTRUMENTS.name))
    ]
    requests = [INSTRUMENTS.build_add_request(added)] if added else []
    seen = arrivals.listing(configuration)
    known = arrivals.known(data_root)
    if not seen and not added:
        return dg.SkipReason(f"no capture file in {configuration.captures}")
    runs: list[dg.RunRequest] = []
    if seen != known.listing:
        runs.append(dg.RunRequest(run_key=f"index|{seen}", job_name=index_captures.name))
    cursor: dict[str, Any] = json.loads(context.cursor) if context.cursor else {"changed": 0, "waiting": []}
    fresh = {key for key, changed in known.changed.items() if changed > cursor["changed"]}
    fresh |= known.contents.keys() & set(cursor["waiting"])
    dates = _dates(context)
    waiting = {key for key in fresh if not dates.has_partition_key(key.partition("|")[0])}
    for key in sorted(fresh - waiting):
        content = known.contents[key]
        if content != _stored(context.instance, key):
            runs.append(dg.RunRequest(run_key=f"{key}|{content}", job_name=receive.name, partition_key=key))
    last = max(known.changed.values(), default=0)
    return dg.SensorResult(
        run_requests=runs,
        dynamic_partitions_requests=requests,
        cursor=json.dumps({"changed": last, "waiting": sorted(waiting)}),
    )


def _dates(context: dg.SensorEvaluationContext) -> dg.PartitionsDefinition[str]:
    """The dates that have partitions in the loaded definitions."""
    loaded = context.repository_def
    days = loaded.get_job(receive.name).partitions_def if loaded else None
    assert isinstance(days, dg.MultiPartitionsDefinition)  # noqa: S101 - raw frames are partitioned, and a tick has definitions
    return days.get_partitions_def_for_dimension("date")


def _stored(instance: dg.DagsterInstance, key: str) -> str | None:
    """The content of the captures that the stored raw frames of a partition were made of, whoever made them."""
    wanted = dg.AssetRecordsFilter(asset_key=RAW, asset_partitions=[key])
    records = instance.fetch_materializations(wanted, limit=1).records
    made = records[0].asset_materialization if records else None
    content = made.metadata.get("captures") if made else None
    return str(content.value) if content else None


CONTENT = "lobforge/content"
TRIGGER = "lobforge/trigger"
"""Tags of a training: what it is trained on, and why it began."""
EXPERIMENT = "dagster/partition"
IN_FLIGHT = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def may_train(
    instance: dg.DagsterInstance, name: str, content: str | None, cooldown_s: float, now: float
) -> str | None:
    """Why a training that nobody asked for by hand must not begin now; None if it may.

    The runs themselves are the memory: a cursor that was reset, a tick that was killed and a daemon that was restarted
    neither lose nor double a training.
    """
    filters = dg.RunsFilter(job_name=learn.name, tags={EXPERIMENT: name})
    runs = instance.get_run_records(filters, limit=50)
    if any(one.dagster_run.status in IN_FLIGHT for one in runs):
        return f"{name}: a training is in flight"
    trained = [one for one in runs if content is not None and one.dagster_run.tags.get(CONTENT) == content]
    if trained:
        return f"{name}: run {trained[0].dagster_run.run_id[:8]} was trained on the same content"
    newest = max((one.create_timestamp.timestamp() for one in runs), default=None)
    if newest is not None and now - newest < cooldown_s:
        return f"{name}: the last training began {(now - newest) / 3600:.1f} h ago, less than the cooldown"
    return None


@dg.sensor(
    job=learn,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Train an experiment again for enough new days, drift, or a champion that predicts worse than before.",
)
def retraining(
    context: dg.SensorEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> dg.SensorResult | dg.SkipReason:
    """One run per experiment whose stored data give a trigger, keyed by their content."""
    from ml.promotion import triggers

    plan = config.load(data_root).retraining
    runs = list[dg.RunRequest]()
    held = list[str]()
    for name, wanted in experiment.load(data_root).items():
        found = triggers.trigger(data_root, wanted, plan)
        if found is None:
            continue
        content = triggers.content_of(data_root, wanted)
        why = may_train(context.instance, name, content, plan.cooldown_hours * 3600, time_ns() / 1e9)
        if why is not None:
            held.append(why)
            continue
        tags = {CONTENT: str(content), TRIGGER: f"{found.kind}: {found.detail}"}
        runs.append(dg.RunRequest(run_key=f"{name}|{content}", partition_key=name, tags=tags))
    if not runs:
        return dg.SkipReason("; ".join(held) or "no trigger")
    return dg.SensorResult(run_requests=runs)


TRAINING_JOB = "learn_layering"
REQUEST = "lobforge/train_request"
"""Tag of a run: the request that it answers."""
WILL_RETRY = "dagster/will_retry"


@dg.sensor(
    job_name=TRAINING_JOB,
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Start one run for each request to train the model of layering cues, and note what became of it.",
)
def train_requests(
    context: dg.SensorEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> dg.SensorResult | dg.SkipReason:
    """One run per request, found again by its tag; the request's row says what became of it."""
    from ml.layering.requests import TrainRequests

    if not data_root.train_requests.exists():
        return dg.SkipReason("nobody has asked for training")
    runs = list[dg.RunRequest]()
    with TrainRequests(data_root.train_requests) as requests:
        for request in requests.open():
            key = f"{request.id}-{request.asked_at}"
            run = next(iter(context.instance.get_runs(dg.RunsFilter(tags={REQUEST: key}), limit=1)), None)
            if run is None:
                runs.append(dg.RunRequest(run_key=key, tags={REQUEST: key}))
            elif (state := _state(run)) != request.state or run.run_id != request.run_id:
                requests.move(request.id, state, time_ns(), run.run_id, f"run {run.status.value.lower()}")
    return dg.SensorResult(run_requests=runs)


def _state(run: dg.DagsterRun) -> str:
    """The state of a request by its newest run; a run that will be retried has not ended."""
    from ml.layering.requests import FAILED, STARTED, SUCCEEDED

    if run.status is dg.DagsterRunStatus.SUCCESS:
        return SUCCEEDED
    if run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        return STARTED if run.tags.get(WILL_RETRY) == "true" else FAILED
    return STARTED


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=EVERY_SECONDS,
    description="Make what follows from raw frames, days long past included, as soon as its inputs are stored.",
)
