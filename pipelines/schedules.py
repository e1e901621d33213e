"""Schedules: the weekly retraining."""

import dagster as dg

from pipelines.jobs import learn

weekly_retraining = dg.ScheduleDefinition(
    name="weekly_retraining",
    job=learn,
    cron_schedule="0 0 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Train on all stored partitions each Sunday at midnight UTC; the gates decide.",
)
