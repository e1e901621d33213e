"""Retraining by the clock."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.schedules import weekly_retraining


def test_each_sunday_at_midnight_utc():
    """A year of ticks: Sundays, 00:00 UTC, seven days apart also where clocks are put forward."""
    start = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    given = weekly_retraining.cron_schedule, weekly_retraining.execution_timezone
    ticks = [tick.astimezone(UTC) for tick in islice(schedule_execution_time_iterator(start, *given), 53)]
    assert {(tick.strftime("%A"), tick.hour, tick.minute) for tick in ticks} == {("Sunday", 0, 0)}
    assert {later - tick for tick, later in pairwise(ticks)} == {timedelta(days=7)}


def test_a_tick_asks_for_the_learning_job(defs):
    """One run, of everything that learns."""
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2025, 3, 9, tzinfo=UTC))
    schedule = defs.resolve_schedule_def("weekly_retraining")
    assert schedule.job_name == "learn"
    assert len(schedule.evaluate_tick(context).run_requests) == 1
