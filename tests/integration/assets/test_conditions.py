"""When an asset is due: a new input whose blocking checks passed."""

import dagster as dg
import pytest

from assets.conditions import ON_FRESH_DAY, ON_FRESH_DAYS, ON_FRESH_INPUT


def pair(passed):
    """A source with a blocking check that says `passed`, and a table that follows it."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="source", blocking=True)])
    def source():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="sound", passed=passed)

    @dg.asset(deps=[source], automation_condition=ON_FRESH_INPUT)
    def table(): ...

    return source, table


@pytest.mark.parametrize("passed", [True, False])
def test_a_table_follows_a_sound_input_only(passed):
    """A new input asks for the table once, and not at all if its blocking check failed."""
    source, table = pair(passed)
    defs = dg.Definitions([source, table])
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.evaluate_automation_conditions(defs, instance)
        dg.materialize([source], instance=instance, raise_on_error=False)
        second = dg.evaluate_automation_conditions(defs, instance, cursor=first.cursor)
        third = dg.evaluate_automation_conditions(defs, instance, cursor=second.cursor)
    assert [tick.total_requested for tick in (first, second, third)] == [0, int(passed), 0]


DAYS = dg.DailyPartitionsDefinition("2025-03-01", end_date="2025-04-01")
MONTHS = dg.MonthlyPartitionsDefinition("2025-03-01", end_date="2025-04-01")


def follow(assets, instance, made, target, partitions_def=DAYS):
    """The partitions of `target` asked for at the first look, and after each of `made` was materialized."""
    defs = dg.Definitions(assets)
    tick = dg.evaluate_automation_conditions(defs, instance)
    requested = [tick.get_requested_partitions(target)]
    for name, day in made:
        dg.materialize([a for a in assets if a.key.path == [name]], instance=instance, partition_key=day)
        tick = dg.evaluate_automation_conditions(defs, instance, cursor=tick.cursor)
        requested.append(tick.get_requested_partitions(target))
    return requested


def test_every_day_is_looked_at():
    """An older day, stored before the first look or after it, asks for what follows; so it does if it changes again."""

    @dg.asset(partitions_def=DAYS)
    def source(): ...

    @dg.asset(partitions_def=DAYS, deps=[source], automation_condition=ON_FRESH_INPUT)
    def table(): ...

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([source], instance=instance, partition_key="2025-03-02")
        made = [("source", "2025-03-05"), ("source", "2025-03-02"), ("source", "2025-03-02")]
        requested = follow([source, table], instance, made, table.key)
    assert requested == [{"2025-03-02"}, {"2025-03-05"}, {"2025-03-02"}, {"2025-03-02"}]


def checked(name, passed=True, **options):
    """An asset by day with a blocking check."""

    @dg.asset(
        name=name, partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("sound", asset=name, blocking=True)], **options
    )
    def table():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="sound", passed=passed)

    return table


@pytest.mark.parametrize("passed", [True, False])
def test_a_chain_is_one_run(passed):
    """All that follows from a sound day is asked for in one tick, and nothing of a day whose blocking check failed."""
    names = ["a", "b", "c"]
    follows = {"automation_condition": ON_FRESH_INPUT}
    assets = [
        checked("source", passed),
        *(checked(n, deps=[d], **follows) for d, n in zip(["source", *names[:2]], names, strict=True)),
    ]
    defs = dg.Definitions(assets)
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = dg.evaluate_automation_conditions(defs, instance).cursor
        dg.materialize(assets[:1], instance=instance, partition_key="2025-03-05", raise_on_error=False)
        tick = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        requested = {name: tick.get_requested_partitions(dg.AssetKey(name)) for name in names}
        again = dg.evaluate_automation_conditions(defs, instance, cursor=tick.cursor).total_requested
    assert requested == dict.fromkeys(names, {"2025-03-05"} if passed else set())
    assert again == 0


def test_a_new_baseline_recomputes_no_day():
    """But the baseline must be there, and a new day is compared with it."""

    @dg.asset(partitions_def=DAYS)
    def features(): ...

    @dg.asset
    def drift_baseline(): ...

    @dg.asset(partitions_def=DAYS, deps=[features, drift_baseline], automation_condition=ON_FRESH_DAY)
    def report(): ...

    graph = [features, drift_baseline, report]
    made = [("features", "2025-03-02"), ("drift_baseline", None), ("features", "2025-03-03")]
    with dg.DagsterInstance.ephemeral() as instance:
        requested = follow(graph, instance, made, report.key)
        dg.materialize([report], instance=instance, partition_key="2025-03-02")
        dg.materialize([report], instance=instance, partition_key="2025-03-03")
        again = follow(graph, instance, [("drift_baseline", None)], report.key)
    assert requested == [set(), set(), {"2025-03-02"}, {"2025-03-03"}]
    assert again == [set(), set()]


def test_a_month_follows_each_of_its_days():
    """Days that nobody captured do not hold it up; without any day there is no month."""

    @dg.asset(partitions_def=DAYS)
    def day(): ...

    @dg.asset(partitions_def=MONTHS, deps=[day], automation_condition=ON_FRESH_DAYS)
    def month(): ...

    made = [("day", "2025-03-02"), ("day", "2025-03-09")]
    with dg.DagsterInstance.ephemeral() as instance:
        requested = follow([day, month], instance, made, month.key)
    assert requested == [set(), {"2025-03-01"}, {"2025-03-01"}]


def test_what_is_derived_follows_and_what_is_received_does_not():
    """Raw frames wait for the sensor; archives and old columns for somebody who asks; the rest follows.

    What learns waits for the schedule, and is no part of this.
    """
    from assets.partitions import experiments
    from tests.integration.assets.play import graph

    specs = [spec for asset in graph() if asset.partitions_def not in (None, experiments) for spec in asset.specs]
    assert {s.key.path[-1] for s in specs if s.automation_condition is None} == {
        "archive_files",
        "raw_frames",
        "legacy_110",
        "legacy_112",
    }
    assert {s.automation_condition for s in specs if s.automation_condition} == {
        ON_FRESH_INPUT,
        ON_FRESH_DAY,
        ON_FRESH_DAYS,
    }
