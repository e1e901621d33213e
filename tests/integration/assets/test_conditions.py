"""When an asset is due: a new input whose blocking checks passed."""

import dagster as dg
import pytest

from assets.conditions import ON_FRESH_INPUT


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


def test_what_is_derived_follows_and_what_is_received_does_not():
    """Raw frames wait for the sensor; archives and old columns for somebody who asks; the rest follows."""
    from tests.integration.assets.play import graph

    specs = [spec for asset in graph() if asset.partitions_def is not None for spec in asset.specs]
    assert {s.key.path[-1] for s in specs if s.automation_condition is None} == {
        "archive_files",
        "raw_frames",
        "legacy_110",
        "legacy_112",
    }
    assert {s.automation_condition for s in specs if s.automation_condition} == {ON_FRESH_INPUT}
