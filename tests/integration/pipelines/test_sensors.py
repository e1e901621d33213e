"""New captures: each content is asked for once."""

from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from ml.core import config
from ml.core.config import Config
from ml.storage.durable import write_text
from pipelines.definitions import defs, resources_of
from pipelines.sensors import capture_arrivals, partition_contents
from tests.support.scenario import INSTRUMENT, capture, diff

# Dagster calls the tags that it makes of partition dimensions non-compliant itself
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
SIM = INSTRUMENT.id
BTC = "binance-usdm.BTCUSDT"
DAY = 86_400_000
NOON = 1_741_089_600_000
"""2025-03-04 12:00 UTC in ms."""


@pytest.fixture
def captures(root, tmp_path):
    """An empty folder of captures; the data root lists two instruments, of which the definitions know the first."""
    folder = tmp_path / "captures"
    folder.mkdir()
    write_text(
        root.config,
        config.render(Config(folder, date(2025, 3, 3), date(2025, 3, 6), (INSTRUMENT, replace(INSTRUMENT, id=BTC)))),
    )
    return folder


def record(folder, name, start_ms, symbol="SIMUSDT", venue="sim/"):
    """A file of three diffs."""
    docs = [diff(n + 2, n + 1, start_ms + 100 * n, [("99.0", str(n + 1))], symbol=symbol) for n in range(3)]
    return capture(folder / name, [doc | {"stream": venue + doc["stream"]} for doc in docs], start_ms)


def tick(root, instance):
    """What the sensor asks for now, as the daemon would evaluate it."""
    given = {"data_root": resources_of(root)["data_root"]}
    with dg.build_sensor_context(instance, definitions=defs, resources=given) as context:
        return capture_arrivals.evaluate_tick(context)


def requests(root):
    with dg.DagsterInstance.ephemeral() as instance:
        return {request.partition_key: request.run_key for request in tick(root, instance).run_requests}


def test_no_capture_is_no_error(captures, root):
    """An empty folder is waited for."""
    with dg.DagsterInstance.ephemeral() as instance:
        answer = tick(root, instance)
    assert answer.run_requests == []
    assert answer.skip_message.startswith("no capture file")


def test_the_same_files_ask_for_the_same_run(captures, root):
    """A second look, a restart, another name or a copy of a file: the run key stands, so nothing runs twice."""
    record(captures, "a.log", NOON)
    first = requests(root)
    (captures / "b.log").write_bytes((captures / "a.log").read_bytes())
    (captures / "a.log").rename(captures / "c.log")
    assert list(first) == [f"2025-03-04|{SIM}"]
    assert requests(root) == first


def test_a_further_file_asks_for_its_day_alone(captures, root):
    """New content gives its partition a new key and leaves the others."""
    record(captures, "a.log", NOON)
    record(captures, "b.log", NOON - DAY)
    first = requests(root)
    record(captures, "c.log", NOON + 60_000)
    second = requests(root)
    assert second[f"2025-03-03|{SIM}"] == first[f"2025-03-03|{SIM}"]
    assert second[f"2025-03-04|{SIM}"] != first[f"2025-03-04|{SIM}"]


@pytest.mark.parametrize(
    ("at", "days"),
    [
        (NOON + 10 * 3_600_000, ["04"]),
        (NOON + 11 * 3_600_000, ["04", "05"]),
        (NOON - 12 * 3_600_000, ["03", "04"]),
        (NOON - 11 * 3_600_000, ["04"]),
        (NOON + 20 * DAY, []),
    ],
    ids=["ten in the evening", "the last hour", "midnight", "one at night", "not listed"],
)
def test_a_file_counts_for_every_day_that_reads_it(captures, root, at, days):
    """The hour before midnight opens the next day, the first frames after it close the day before."""
    record(captures, "a.log", at)
    assert sorted(partition_contents(root)) == [f"2025-03-{day}|{SIM}" for day in days]


def test_what_nobody_listed_is_not_asked_for(captures, root):
    """Frames of another instrument make no run, which could only fail."""
    record(captures, "a.log", NOON, symbol="ETHUSDT")
    assert partition_contents(root) == {}


def test_what_has_no_partition_yet_waits(captures, root):
    """An instrument that was listed meanwhile, and a day past the known ones, must not fail the others' tick."""
    record(captures, "a.log", NOON)
    record(captures, "b.log", NOON, symbol="BTCUSDT", venue="")
    record(captures, "c.log", NOON + 2 * DAY)
    assert {f"2025-03-04|{BTC}", f"2025-03-06|{SIM}"} < set(partition_contents(root))
    assert set(requests(root)) == {f"2025-03-04|{SIM}"}
