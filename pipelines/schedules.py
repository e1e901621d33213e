"""Schedules: the weekly retraining of direction models and of the model of layering cues; looks at challengers."""

from collections.abc import Iterator
from time import time_ns

import dagster as dg

from assets.partitions import experiments
from ml.core import config
from ml.core.paths import DataRoot
from ml.learning import experiment
from ml.promotion import trial, triggers
from ml.storage import decisions
from ml.storage.commit import manifest
from pipelines.jobs import challenge, learn, learn_layering, measure
from pipelines.sensors import CONTENT, TRIGGER, may_train

CUES = "layering_cues"


@dg.schedule(
    job=learn,
    cron_schedule="0 0 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Train each experiment on the days of its window, each Sunday at midnight UTC; the gates decide.",
)
def weekly_retraining(
    context: dg.ScheduleEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per experiment whose data no other run was trained on.

    An experiment that was added since the definitions were loaded is among them.
    """
    defined = experiment.load(data_root)
    context.instance.add_dynamic_partitions(str(experiments.name), list(defined))
    held = list[str]()
    for name, wanted in defined.items():
        content = triggers.content_of(data_root, wanted)
        why = may_train(context.instance, name, content, 0.0, context.scheduled_execution_time.timestamp())
        if why is not None:
            held.append(why)
            continue
        key = f"{name}|{context.scheduled_execution_time:%Y-%m-%d}"
        tags = {TRIGGER: "schedule: each week"} | ({CONTENT: content} if content else {})
        yield dg.RunRequest(run_key=key, partition_key=name, tags=tags)
    if len(held) == len(defined):
        yield dg.SkipReason("; ".join(held))


@dg.schedule(
    job=learn_layering,
    cron_schedule="0 1 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Train the model of layering cues on all votes, each Sunday at one UTC; the gates decide.",
)
def weekly_layering(
    context: dg.ScheduleEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> dg.RunRequest | dg.SkipReason:
    """One run, once there are cues and votes on them."""
    if not data_root.label_log.exists() or not manifest(data_root, CUES):
        return dg.SkipReason("no votes on cues of layering, or no cues")
    return dg.RunRequest(run_key=f"layering|{context.scheduled_execution_time:%Y-%m-%d}")


@dg.schedule(
    job=challenge,
    cron_schedule="10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compare each challenger with its champion on the stored days, once an hour; the policy decides.",
)
def hourly_challenge(
    context: dg.ScheduleEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per experiment that has a model beside its champion."""
    plan, now = config.load(data_root).lifecycle, time_ns()
    names = [name for name in experiment.load(data_root) if trial.is_running(data_root, name, plan, now)]
    stamp = f"{context.scheduled_execution_time:%Y-%m-%dT%H}"
    yield from _one_each(names, stamp, "no challenger, and no promotion that is watched")


@dg.schedule(
    job=measure,
    cron_schedule="30 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Measure each champion on the newest stored days, each morning; a drop starts a training.",
)
def daily_performance(
    context: dg.ScheduleEvaluationContext, data_root: dg.ResourceParam[DataRoot]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per experiment that has a champion."""
    names = [name for name in experiment.load(data_root) if decisions.champion_at(data_root, time_ns(), name)]
    yield from _one_each(names, f"{context.scheduled_execution_time:%Y-%m-%d}", "no champion")


def _one_each(names: list[str], stamp: str, why_none: str) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each experiment at a time, or the reason why there is none."""
    if not names:
        yield dg.SkipReason(why_none)
    for name in names:
        yield dg.RunRequest(run_key=f"{name}|{stamp}", partition_key=name)
