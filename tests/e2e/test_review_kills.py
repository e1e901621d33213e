"""A label that the server answered with 200 survives a SIGKILL of the server, and the next server goes on."""

import http.client
import os
import random
import shutil
import signal
import subprocess
import sys
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from ml.core.paths import DataRoot
from ml.layering import stored
from ml.layering.labels import LabelLog
from ml.layering.requests import TrainRequests
from ml.storage import keys
from tests.architecture.sources import PROJECT
from tests.e2e.browser import free_port
from tests.support.cues import store
from tests.support.served import KILLABLE, Client
from tests.support.shared import made_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = 30


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "cues", store), tmp_path / "root"))


@pytest.mark.promise("F1")
def test_thirty_kills_lose_no_acknowledged_label_and_no_request(root):
    """Votes and requests to train go on while the server is killed at any moment; what was answered is on record."""
    cues = stored.cues(root)["id"].to_list()
    client = Client(free_port(), keys.create(root, "ann"))
    rng = random.Random(1)
    acknowledged = list[int]()
    requested = set[int]()
    command = [sys.executable, "-c", KILLABLE, str(root.root), str(client.port)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as servers:
        for kill in range(KILLS):
            servers.stdin.write("\n")
            server = int(servers.stdout.readline())
            answering(client)
            answered = Event()
            work = Thread(target=vote, args=(client, cues, kill, acknowledged, requested, answered))
            work.start()
            assert answered.wait(30)
            sleep(rng.random() * 0.1)
            os.kill(server, signal.SIGKILL)
            work.join(60)
            with LabelLog(root.label_log) as log:
                assert set(acknowledged) <= set(log.votes()["vote_id"])
                assert log.connection.execute("pragma integrity_check").fetchone() == ("ok",)
            with TrainRequests(root.train_requests) as requests:
                assert requested <= {one.id for one in requests.open()}
        servers.stdin.close()
    assert len(acknowledged) >= KILLS
    assert len(requested) >= KILLS


def vote(client, cues, kill, acknowledged, requested, answered):
    """Vote and ask for training until the server is gone; an interrupted answer acknowledges nothing."""
    k = 0
    while True:
        try:
            asked = client.post("/api/ml/adaptive-model/train", Idempotency_Key=f"{kill}-{k}")
            assert asked.status == 202
            requested.add(asked.json["id"])
            label = {"data_id": cues[k % len(cues)], "label": k % 2 == 0}
            answer = client.post("/api/ml/data-collector/update-label", label)
            assert answer.status == 200
            acknowledged.append(answer.json["vote_id"])
            answered.set()
        except (OSError, http.client.HTTPException):
            return
        k += 1


def answering(client):
    deadline = monotonic() + 60
    while True:
        try:
            client.get("/api/review/queue")
        except OSError:
            assert monotonic() < deadline, "the server did not start"
            sleep(0.05)
        else:
            return
