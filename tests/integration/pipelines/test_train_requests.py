"""Requests to train: each starts one run, and its row says what became of it."""

import dagster as dg
import pytest

from ml.core.paths import DataRoot
from ml.layering.requests import TrainRequests
from pipelines.definitions import resources_of
from pipelines.sensors import REQUEST, TRAINING_JOB, train_requests


class Daemon:
    """The sensor as the daemon asks it, in a code location whose training succeeds or fails as the test wants."""

    def __init__(self, root, instance):
        self.root = root
        self.instance = instance
        self.fails = False

        @dg.op
        def work():
            if self.fails:
                raise RuntimeError("too few labels")

        @dg.job(name=TRAINING_JOB)
        def training():
            work()

        self.job = training
        self.defs = dg.Definitions(jobs=[training], sensors=[train_requests])

    def tick(self):
        given = {"data_root": resources_of(self.root)["data_root"]}
        with dg.build_sensor_context(self.instance, definitions=self.defs, resources=given) as context:
            return train_requests.evaluate_tick(context)

    def run(self, request, **tags):
        """What the daemon does with a request of a run."""
        self.job.execute_in_process(instance=self.instance, raise_on_error=False, tags={**request.tags, **tags})


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path)


@pytest.fixture
def daemon(root):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(root, instance)


@pytest.fixture
def requests(root):
    with TrainRequests(root.train_requests) as made:
        yield made


def test_nothing_is_made_where_nobody_asked(root, daemon):
    assert daemon.tick().skip_message == "nobody has asked for training"
    assert not root.train_requests.exists()


def test_each_request_becomes_one_run_and_its_row_follows_it(daemon, requests):
    first, _ = requests.ask("a", "ann", 1)
    second, _ = requests.ask("b", "ann", 2)
    asked = daemon.tick().run_requests
    assert [run.run_key for run in asked] == ["1-1", "2-2"]
    assert [run.run_key for run in daemon.tick().run_requests] == ["1-1", "2-2"]  # the daemon starts a key once
    daemon.run(asked[0])
    daemon.fails = True
    daemon.run(asked[1])
    assert daemon.tick().run_requests == []
    found = [requests.get(one.id) for one in (first, second)]
    assert [(one.state, one.detail) for one in found] == [("succeeded", "run success"), ("failed", "run failure")]
    assert all(one.run_id for one in found)
    assert requests.open() == []


def test_a_run_that_will_be_retried_has_not_ended(daemon, requests):
    requests.ask("a", "ann", 1)
    (asked,) = daemon.tick().run_requests
    daemon.fails = True
    daemon.run(asked, **{"dagster/will_retry": "true"})
    daemon.tick()
    assert requests.get(1).state == "started"
    daemon.fails = False
    daemon.run(asked)
    daemon.tick()
    assert requests.get(1).state == "succeeded"


def test_a_run_of_an_older_file_of_requests_is_not_taken_for_a_new_one(daemon, requests):
    """Ids begin again at 1 where the file was lost; the time of the request tells them apart."""
    with_tag = dg.RunRequest(tags={REQUEST: "1-1"})
    daemon.run(with_tag)
    requests.ask("a", "ann", 7)
    assert [run.run_key for run in daemon.tick().run_requests] == ["1-7"]
