"""What we rely on in Dagster's automation conditions."""

import dagster as dg
import pytest

EAGER = dg.AutomationCondition.eager()
WAITING = EAGER & dg.AutomationCondition.all_deps_blocking_checks_passed()
DAYS = dg.DailyPartitionsDefinition("2025-03-03", end_date="2025-03-06")


@pytest.mark.parametrize(("condition", "requested"), [(EAGER, 1), (WAITING, 0)], ids=["eager", "eager and checks"])
def test_eager_alone_does_not_wait_for_checks(condition, requested):
    """It asks for what follows a table whose blocking check failed; joined with the second condition it does not."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="table", blocking=True)])
    def table():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="sound", passed=False)

    @dg.asset(deps=[table], automation_condition=condition)
    def follower(): ...

    defs = dg.Definitions([table, follower])
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.evaluate_automation_conditions(defs, instance)
        dg.materialize([table], instance=instance, raise_on_error=False)
        assert dg.evaluate_automation_conditions(defs, instance, cursor=first.cursor).total_requested == requested


def test_eager_looks_at_the_latest_day_alone():
    """An older day that is recomputed asks for nothing downstream: that is what the sensor's job is for."""

    @dg.asset(partitions_def=DAYS)
    def table(): ...

    @dg.asset(partitions_def=DAYS, deps=[table], automation_condition=WAITING)
    def follower(): ...

    defs = dg.Definitions([table, follower])
    requested = {}
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = dg.evaluate_automation_conditions(defs, instance).cursor
        for day in ("2025-03-03", "2025-03-05"):
            dg.materialize([table], instance=instance, partition_key=day)
            tick = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
            cursor = tick.cursor
            requested[day] = tick.get_requested_partitions(follower.key)
    assert requested == {"2025-03-03": set(), "2025-03-05": {"2025-03-05"}}
