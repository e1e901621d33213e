"""New captures: each content is asked for once."""

from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from ml.core import config
from ml.core.config import Config
from ml.market.files import arrivals
from ml.storage.durable import write_text
from pipelines.definitions import build_defs, resources_of
from pipelines.jobs import index_captures, receive
from pipelines.sensors import capture_arrivals
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
    """An empty folder of captures; the data root lists one instrument."""
    folder = tmp_path / "captures"
    folder.mkdir()
    write_text(
        root.config,
        config.render(Config(folder, date(2025, 3, 3), date(2025, 3, 6), (INSTRUMENT,))),
    )
    return folder


def record(folder, name, start_ms, symbol="SIMUSDT", venue="sim/"):
    """A file of three diffs."""
    docs = [diff(n + 2, n + 1, start_ms + 100 * n, [("99.0", str(n + 1))], symbol=symbol) for n in range(3)]
    return capture(folder / name, [doc | {"stream": venue + doc["stream"]} for doc in docs], start_ms)


class Daemon:
    """The sensor as the daemon asks it: an instance, and the cursor from tick to tick."""

    def __init__(self, root, instance):
        self.root = root
        self.defs = build_defs(root)
        self.instance = instance
        self.cursor = None
        self.now = 1_000

    def tick(self):
        given = {"data_root": resources_of(self.root)["data_root"]}
        with dg.build_sensor_context(self.instance, self.cursor, definitions=self.defs, resources=given) as context:
            context.caching_dynamic_partitions_loader = self.instance  # a daemon's context opens it by itself
            answer = capture_arrivals.evaluate_tick(context)
        for request in answer.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        self.cursor = answer.cursor
        return answer

    def requests(self):
        """Partition and run key of each requested run of raw frames."""
        return {r.partition_key: r.run_key for r in self.tick().run_requests if r.job_name == receive.name}

    def index(self):
        """What the indexing job does, and the requests that follow it."""
        self.now += 1
        arrivals.update(self.root, config.load(self.root), self.now)
        return self.requests()


@pytest.fixture
def daemon(captures, root):
    """A daemon on a fresh instance."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(root, instance)


def test_no_capture_is_no_error(daemon):
    """An empty folder is waited for, once the listed instruments are partitions."""
    assert daemon.tick().run_requests == []
    answer = daemon.tick()
    assert answer.run_requests == []
    assert answer.skip_message.startswith("no capture file")


def test_a_tick_opens_no_capture_file(captures, daemon, monkeypatch):
    """New files ask for the indexing job, once per state of the folder; nothing is known before it ran."""
    record(captures, "a.log", NOON)
    monkeypatch.setattr(arrivals.index, "load", lambda *_: pytest.fail("a file was indexed inside a tick"))
    keys = [[(r.job_name, r.run_key) for r in daemon.tick().run_requests] for _ in range(2)]
    assert keys[0] == keys[1]
    assert [name for name, _ in keys[0]] == [index_captures.name]


def test_each_content_is_asked_for_once(captures, daemon):
    """A second look, another name or a copy of a file asks for nothing; a lost cursor asks with the same run key."""
    record(captures, "a.log", NOON)
    first = daemon.index()
    assert list(first) == [f"2025-03-04|{SIM}"]
    assert daemon.requests() == {}
    (captures / "b.log").write_bytes((captures / "a.log").read_bytes())
    (captures / "a.log").rename(captures / "c.log")
    assert daemon.index() == {}
    daemon.cursor = None
    assert daemon.requests() == first


def test_what_is_stored_already_is_not_asked_for(captures, daemon):
    """Raw frames that somebody else made of the same files stand, even if the sensor never asked for them."""
    record(captures, "a.log", NOON)
    arrivals.update(daemon.root, config.load(daemon.root), 1)
    key = f"2025-03-04|{SIM}"
    content = arrivals.known(daemon.root).contents[key]
    made = dg.AssetMaterialization("raw_frames", partition=key, metadata={"captures": content})
    daemon.instance.report_runless_asset_event(made)
    assert daemon.requests() == {}


def test_a_further_file_asks_for_its_day_alone(captures, daemon):
    """New content gives its partition a new key and leaves the others."""
    record(captures, "a.log", NOON)
    record(captures, "b.log", NOON - DAY)
    first = daemon.index()
    assert set(first) == {f"2025-03-03|{SIM}", f"2025-03-04|{SIM}"}
    record(captures, "c.log", NOON + 60_000)
    second = daemon.index()
    assert set(second) == {f"2025-03-04|{SIM}"}
    assert second.items().isdisjoint(first.items())


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
    assert sorted(contents(root)) == [f"2025-03-{day}|{SIM}" for day in days]


def test_what_nobody_listed_is_not_asked_for(captures, root):
    """Frames of another instrument make no run, which could only fail."""
    record(captures, "a.log", NOON, symbol="ETHUSDT")
    assert contents(root) == {}


def test_an_instrument_listed_meanwhile_needs_no_restart(captures, daemon, root):
    """It becomes a partition, and its captures are asked for, while the definitions stay loaded."""
    record(captures, "a.log", NOON)
    record(captures, "b.log", NOON, symbol="BTCUSDT", venue="")
    assert set(daemon.index()) == {f"2025-03-04|{SIM}"}
    configuration = config.load(root)
    both = replace(configuration, instruments=(INSTRUMENT, replace(INSTRUMENT, id=BTC)))
    write_text(root.config, config.render(both))
    assert set(daemon.index()) == {f"2025-03-04|{BTC}"}
    assert daemon.requests() == {}


def test_a_partition_is_asked_for_as_soon_as_it_exists(captures, daemon, root):
    """A day past the last one fails no tick; it has a partition once the definitions know later dates."""
    record(captures, "a.log", NOON)
    record(captures, "b.log", NOON + 3 * DAY)
    write_text(root.config, config.render(replace(config.load(root), last_date=date(2025, 3, 9))))
    assert set(daemon.index()) == {f"2025-03-04|{SIM}"}
    daemon.defs = build_defs(root)
    assert set(daemon.requests()) == {f"2025-03-07|{SIM}"}
    assert daemon.requests() == {}


def contents(root):
    return arrivals.update(root, config.load(root), 1).contents
