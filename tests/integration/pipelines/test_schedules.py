"""Retraining by the clock."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from ml.core.config import render
from ml.layering.days import cue_frame
from ml.layering.labels import LabelLog
from ml.storage.commit import publish
from ml.storage.durable import write_text
from pipelines.demo import default_config
from pipelines.schedules import weekly_layering, weekly_retraining


def test_each_sunday_at_midnight_utc():
    """A year of ticks: Sundays, 00:00 UTC, seven days apart also where clocks are put forward."""
    start = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    given = weekly_retraining.cron_schedule, weekly_retraining.execution_timezone
    ticks = [tick.astimezone(UTC) for tick in islice(schedule_execution_time_iterator(start, *given), 53)]
    assert {(tick.strftime("%A"), tick.hour, tick.minute) for tick in ticks} == {("Sunday", 0, 0)}
    assert {later - tick for tick, later in pairwise(ticks)} == {timedelta(days=7)}


def test_a_tick_asks_for_the_learning_job_of_each_experiment(defs, root):
    """Also of one that was listed since the definitions were loaded."""
    write_text(root.config, render(default_config()) + "\n[experiments.slow]\nhorizon = 30\n")
    at = datetime(2025, 3, 9, tzinfo=UTC)
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, at, resources={"data_root": root}) as context,
    ):
        asked = list(weekly_retraining(context))
        assert instance.get_dynamic_partitions("experiment") == ["base_35_10s", "slow"]
    assert [(one.partition_key, one.run_key) for one in asked] == [
        ("base_35_10s", "base_35_10s|2025-03-09"),
        ("slow", "slow|2025-03-09"),
    ]
    assert defs.resolve_schedule_def("weekly_retraining").job_name == "learn"


def test_cues_are_learned_from_once_a_week_when_there_are_votes(defs, root):
    """An hour after the others; without cues or votes there is nothing to learn from."""
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2025, 3, 9, 1, tzinfo=UTC), resources={"data_root": root}
    )
    assert isinstance(weekly_layering(context), dg.SkipReason)
    publish(root, "layering_cues", root.partition("layering_cues", "2025-03-03", "sim.X"), cue_frame([], 0.9), "")
    assert isinstance(weekly_layering(context), dg.SkipReason)
    with LabelLog(root.label_log):
        pass
    assert weekly_layering(context).run_key == "layering|2025-03-09"
    assert (weekly_layering.cron_schedule, weekly_layering.execution_timezone) == ("0 1 * * 0", "UTC")
    assert defs.resolve_schedule_def("weekly_layering").job_name == "learn_layering"
