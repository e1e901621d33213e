"""What we rely on in Dagster, and the traps that shaped the assets."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

SPEC = [dg.AssetCheckSpec("sound", asset="table", blocking=True)]
DAYS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition("2025-03-03", end_date="2025-03-06"),
        "instrument": dg.StaticPartitionsDefinition(["sim.A", "sim.B"]),
    }
)
KEY = dg.MultiPartitionKey({"instrument": "sim.A", "date": "2025-03-04"})


class Memory(dg.IOManager):
    """Keeps values, and the keys that it was asked for."""

    def __init__(self):
        self.values = {}
        self.asked = []

    def handle_output(self, context, obj):
        self.values[context.asset_partition_key if context.has_asset_partitions else None] = obj

    def load_input(self, context):
        self.asked.append(context.asset_partition_keys if context.has_asset_partitions else None)
        return self.values


def yielding(passed, severity=dg.AssetCheckSeverity.ERROR):
    @dg.asset(check_specs=SPEC)
    def table() -> Iterator[dg.MaterializeResult[int] | dg.AssetCheckResult]:
        yield dg.MaterializeResult(value=1)
        yield dg.AssetCheckResult(check_name="sound", passed=passed, severity=severity)

    @dg.asset(deps=[table])
    def follower(): ...

    return [table, follower]


def names(result):
    return [event.asset_key.path[-1] for event in result.get_asset_materialization_events()]


@pytest.mark.parametrize(
    ("passed", "severity", "made"),
    [
        (True, dg.AssetCheckSeverity.ERROR, ["table", "follower"]),
        (False, dg.AssetCheckSeverity.ERROR, ["table"]),
        (False, dg.AssetCheckSeverity.WARN, ["table", "follower"]),
    ],
    ids=["passed", "error", "warning"],
)
def test_a_blocking_check_stops_only_what_follows(passed, severity, made):
    """With an error the table itself is stored and recorded all the same, so impossible data must raise before that."""
    result = dg.materialize(yielding(passed, severity), resources={"io_manager": Memory()}, raise_on_error=False)
    assert names(result) == made
    assert result.success == (len(made) == 2)


def test_a_tuple_drops_its_check_in_silence():
    """That is why assets yield: returned as a tuple the failed check is lost and the run succeeds."""

    @dg.asset(check_specs=SPEC)
    def table() -> tuple[dg.MaterializeResult[int], dg.AssetCheckResult]:
        return dg.MaterializeResult(value=1), dg.AssetCheckResult(check_name="sound", passed=False)

    result = dg.materialize([table], resources={"io_manager": Memory()}, raise_on_error=False)
    assert result.success
    assert result.get_asset_check_evaluations() == []


def test_a_check_must_be_yielded():
    """A spec whose result never comes fails the run: no rule can be forgotten."""

    @dg.asset(check_specs=SPEC)
    def table() -> Iterator[dg.MaterializeResult[int] | dg.AssetCheckResult]:
        yield dg.MaterializeResult(value=1)

    with pytest.raises(dg.DagsterStepOutputNotFoundError, match="sound"):
        dg.materialize([table], resources={"io_manager": Memory()})


def test_a_key_names_its_dimensions_in_alphabetical_order():
    """date|instrument, however it was made; the IO manager takes it apart again."""
    assert KEY == "2025-03-04|sim.A"
    assert KEY.keys_by_dimension == {"date": "2025-03-04", "instrument": "sim.A"}
    assert DAYS.has_partition_key("2025-03-05|sim.B")
    assert not DAYS.has_partition_key("2025-03-06|sim.B")
    assert not DAYS.has_partition_key("2025-03-05|sim.C")


def test_an_open_calendar_ends_yesterday():
    """The day that goes on has no partition yet, so asking for it would fail."""
    daily = dg.DailyPartitionsDefinition("2025-03-03")
    for at, last in ((datetime(2025, 3, 5, 23, 59, tzinfo=UTC), "04"), (datetime(2025, 3, 6, tzinfo=UTC), "05")):
        with partition_loading_context(at):
            assert daily.get_last_partition_key() == f"2025-03-{last}"


def test_a_separate_check_would_load_every_partition():
    """That is why rules are checked inside the asset: asked apart, a partitioned table comes whole."""
    memory = Memory()

    @dg.asset(partitions_def=DAYS)
    def table() -> int:
        return 1

    @dg.asset_check(asset=table, blocking=True)
    def sound(table):
        return dg.AssetCheckResult(passed=True)

    dg.materialize([table, sound], partition_key=KEY, resources={"io_manager": memory}, raise_on_error=False)
    assert [len(keys) for keys in memory.asked] == [6]


def test_a_resource_hands_over_what_it_creates():
    """An asset, a sensor or a schedule gets the plain object; annotating the resource class would lie."""

    class Maker(dg.ConfigurableResource[int]):
        def create_resource(self, context):
            return 7

    @dg.asset
    def table(number: dg.ResourceParam[int]) -> None:
        assert number == 7

    @dg.sensor(target=[table])
    def watcher(number: dg.ResourceParam[int]):
        return dg.SkipReason(str(number))

    assert dg.materialize([table], resources={"number": Maker()}).success
    with dg.build_sensor_context(resources={"number": Maker()}) as context:
        assert watcher(context).skip_message == "7"


@pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
def test_one_unknown_partition_fails_the_whole_tick():
    """That is why the sensor asks only for partitions that exist."""

    @dg.asset(partitions_def=DAYS)
    def table() -> None: ...

    job = dg.define_asset_job("job", [table])

    @dg.sensor(job=job)
    def watcher():
        yield dg.RunRequest(partition_key=KEY)
        yield dg.RunRequest(partition_key="2031-01-01|sim.A")

    defs = dg.Definitions([table], jobs=[job], sensors=[watcher])
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance, definitions=defs) as context,
        pytest.raises(dg.DagsterUnknownPartitionError, match="2031-01-01"),
    ):
        watcher.evaluate_tick(context)
