"""The predecessor's paths: labels, statistics, the state of the model, requests to train."""

import shutil

import pytest

from ml.core.paths import DataRoot
from ml.layering.requests import SUCCEEDED, TrainRequests
from ml.storage import decisions, keys
from tests.support.cues import store
from tests.support.served import Client, review_app, serving
from tests.support.shared import made_once

COLLECTOR = "/api/ml/data-collector"
MODEL = "/api/ml/adaptive-model"


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "cues", store), tmp_path / "root"))


@pytest.fixture
def ann(root):
    with serving(review_app(root)) as port:
        yield Client(port, keys.create(root, "ann"))


@pytest.fixture
def cues(ann):
    return sorted(item["id"] for item in ann.get("/api/review/queue").json["items"])


def test_a_label_as_the_predecessor_sent_it_is_a_vote_of_the_keys_owner(ann, cues):
    sent = {"data_id": cues[0], "label": True, "label_source": "manual", "label_confidence": 0.8, "notes": "clear"}
    answer = ann.post(f"{COLLECTOR}/update-label", sent)
    assert (answer.status, answer.json["label"], answer.json["label_source"]) == (200, True, "silver")
    ann.post(f"{COLLECTOR}/update-label", {"data_id": cues[1], "label": False})
    ann.post(f"{COLLECTOR}/update-label", {"data_id": cues[2], "label": None})
    told = ann.get(f"/api/review/cues/{cues[0]}").json["revealed"]["votes"]
    assert [(one["labeller"], one["note"]) for one in told] == [("ann", "clear (confidence 0.8)")]
    found = ann.get(f"{COLLECTOR}/labeled-data").json
    assert found["total"] == 2
    assert [(row["data_id"], row["label"]) for row in found["data"]] == [(cues[0], True), (cues[1], False)]
    assert found["data"][0]["features"]["layers"] == 3
    assert ann.get(f"{COLLECTOR}/labeled-data?tier=gold").json == {"total": 0, "data": []}
    assert len(ann.get(f"{COLLECTOR}/labeled-data?limit=1&offset=1").json["data"]) == 1
    counted = ann.get(f"{COLLECTOR}/statistics").json
    named = ("enabled", "total_collected", "total_labeled", "buffer_size", "files_on_disk", "labeling_rate")
    assert [counted[name] for name in named] == [True, 6, 2, 0, 1, pytest.approx(1 / 3)]
    assert counted["tiers"]["silver"] == 2


INVALID = (
    ({"data_id": "sim.X-1740960071550000000-ask"}, 404, "There is no cue"),
    ({"label": "yes"}, 422, "body.label: Input should be a valid boolean"),
    ({"label": 1}, 422, "body.label: Input should be a valid boolean"),
    ({"label_confidence": 1.5}, 422, "less than or equal to 1"),
    ({"label_source": "automatic"}, 422, "body.label_source: Input should be 'manual'"),
    ({"labels": True}, 422, "body.labels: Extra inputs are not permitted"),
)


def test_an_invalid_label_is_told_and_changes_nothing(ann, cues):
    for change, code, said in INVALID:
        answer = ann.post(f"{COLLECTOR}/update-label", {"data_id": cues[0], "label": True} | change)
        assert answer.status == code
        assert said in answer.json["detail"]
    assert ann.get(f"{COLLECTOR}/statistics").json["total_labeled"] == 0


def test_what_training_lacks_is_said(ann, cues):
    for k, cue in enumerate(cues):
        ann.post(f"{COLLECTOR}/update-label", {"data_id": cue, "label": k != 0})
    found = ann.get(f"{MODEL}/status").json
    assert found["missing"] == ["94 more labels", "4 more cues that are not"]
    assert (found["champion"], found["labels"], found["last_request"]) == (None, 6, None)
    assert found["scorer"]["features"] == 24


def test_metrics_are_the_gates_of_the_last_decision(root, ann):
    answer = ann.get(f"{MODEL}/metrics")
    assert answer.status == 404
    assert "POST /api/ml/adaptive-model/train" in answer.json["detail"]
    gate = {"name": "pr_auc", "outcome": "pass", "value": 0.8, "threshold": 0.5, "required": True}
    content = {
        "candidate": "abc",
        "champion_before": None,
        "decision": "promote",
        "decided_at": 1,
        "evidence": "e",
        "gates": [gate],
    }
    record = decisions.stage(root, content, "layering")
    decisions.publish(root, record, "layering")
    decisions.enter(root, record, "layering")
    found = ann.get(f"{MODEL}/metrics").json
    assert (found["decision"], found["champion"], found["gates"]) == ("promote", "abc", [gate])
    assert ann.get(f"{MODEL}/status").json["champion"] == "abc"


def test_a_request_to_train_is_a_row_that_can_be_read(root, ann):
    """202 and a Location; the same idempotency key gives the same request, another one a new request."""
    first = ann.post(f"{MODEL}/train", Idempotency_Key="a")
    assert (first.status, first.headers["location"]) == (202, f"{MODEL}/train/1")
    again = ann.post(f"{MODEL}/train", {}, Idempotency_Key="a")
    assert (again.status, again.json) == (202, first.json | {"is_new": False})
    assert ann.post(f"{MODEL}/train").headers["location"] == f"{MODEL}/train/2"
    assert ann.get(first.headers["location"]).json["state"] == "queued"
    with TrainRequests(root.train_requests) as requests:
        requests.move(1, SUCCEEDED, 5, "run")
    told = ann.get(first.headers["location"]).json
    assert (told["state"], told["run_id"], told["asked_by"]) == ("succeeded", "run", "ann")
    assert ann.get(f"{MODEL}/status").json["last_request"]["id"] == 2


def test_an_idempotency_key_of_another_person_is_refused(root, ann):
    ann.post(f"{MODEL}/train", Idempotency_Key="a")
    bob = Client(ann.port, keys.create(root, "bob"))
    answer = bob.post(f"{MODEL}/train", Idempotency_Key="a")
    assert (answer.status, "Another person used" in answer.json["detail"]) == (409, True)


def test_a_request_that_was_never_made_is_told(ann):
    for number, code in (("7", 404), ("0", 404), ("-1", 404), ("9" * 30, 404), ("x", 422)):
        assert ann.get(f"{MODEL}/train/{number}").status == code
