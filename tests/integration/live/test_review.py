"""What the review page asks for: the queue, one cue, votes, undo, CSV; scores only after the vote."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml.core.paths import DataRoot
from ml.layering.labels import LabelLog
from ml.storage import keys
from tests.support.cues import store
from tests.support.served import Client, review_app, serving
from tests.support.shared import made_once

CUES = 6
SECRETS = ("score", "threshold", "contributions", "log_odds", "counterfactual")


@pytest.fixture
def root(tmp_path, tmp_path_factory):
    """A data root of its own with stored cues, without votes."""
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "cues", store), tmp_path / "root"))


@pytest.fixture
def ann(root):
    """The served application, asked with a key."""
    with serving(review_app(root)) as port:
        yield Client(port, keys.create(root, "ann"))


def another(root, client, name):
    return Client(client.port, keys.create(root, name))


def ids(client):
    return [item["id"] for item in client.get("/api/review/queue").json["items"]]


def vote(client, cue, verdict, note=""):
    answer = client.post(f"/api/review/cues/{cue}/votes", {"verdict": verdict, "note": note})
    assert answer.status == 200
    return answer.json


def test_the_queue_holds_every_cue_and_those_voted_on_come_last(ann):
    order = ids(ann)
    assert len(set(order)) == CUES
    vote(ann, order[0], "accept")
    found = ann.get("/api/review/queue").json
    assert found["reviewer"] == "ann"
    assert found["items"][-1] == found["items"][-1] | {"id": order[0], "verdict": "accept"}
    assert {item["verdict"] for item in found["items"][:-1]} == {None}
    assert found["progress"] == {"cues": CUES, "voted": 1, "labelled": 1, "layering": 1, "disputed": 0}


def test_a_cue_on_which_others_disagree_comes_first(root, ann):
    cue = ids(ann)[-1]
    vote(another(root, ann, "bob"), cue, "accept")
    vote(another(root, ann, "cid"), cue, "reject")
    assert ids(ann)[0] == cue


def test_the_score_is_told_after_the_vote_and_hidden_again_when_it_is_taken_back(root, ann):
    cue = ids(ann)[0]
    bob = another(root, ann, "bob")
    vote(bob, cue, "reject", "a hedge")
    before = ann.get(f"/api/review/cues/{cue}")
    assert before.json["revealed"] is None
    assert not any(secret in before.body.decode() for secret in SECRETS)
    assert "bob" not in before.body.decode()
    assert ann.get(f"/api/review/cues/{cue}/evidence.html").status == 409
    vote(ann, cue, "accept")
    told = ann.get(f"/api/review/cues/{cue}").json["revealed"]
    assert 0.5 <= told["score"] < 1
    assert len(told["contributions"]) == 24
    assert [(one["labeller"], one["note"]) for one in told["votes"]] == [("bob", "a hedge"), ("ann", "")]
    assert ann.get(f"/api/review/cues/{cue}/evidence.html").status == 200
    ann.post("/api/review/undo", {})
    assert ann.get(f"/api/review/cues/{cue}").json["revealed"] is None
    assert Client(ann.port).get(f"/api/review/cues/{cue}").json["revealed"] is None


def test_features_stand_beside_those_of_all_stored_cues(ann):
    """The lots of the first cue are the smallest: of six cues its percentile is the middle of the lowest sixth."""
    cue = min(ids(ann))
    features = {one["name"]: one for one in ann.get(f"/api/review/cues/{cue}").json["features"]}
    assert features["lot_size"]["percentile"] == pytest.approx(100 / 12)
    assert features["layers"]["percentile"] == 50
    assert features["layers"]["quartiles"] == [3, 3, 3]


def test_the_picture_is_a_png(ann):
    answer = Client(ann.port).get(f"/api/review/cues/{ids(ann)[0]}/picture.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.body.startswith(b"\x89PNG")


@pytest.mark.promise("F2")
def test_an_undo_brings_back_the_vote_before_and_the_log_keeps_both(root, ann):
    cue = ids(ann)[0]
    vote(ann, cue, "accept")
    vote(ann, cue, "reject")
    assert ann.post("/api/review/undo", {"cue_id": cue}).json == {"cue_id": cue}
    assert ann.get(f"/api/review/cues/{cue}").json["verdict"] == "accept"
    assert ann.post("/api/review/undo", {}).status == 200
    assert ann.post("/api/review/undo", {}).status == 409
    with LabelLog(root.label_log) as log:
        assert log.votes()["undone"].null_count() == 0
        assert log.votes().height == 2


@pytest.mark.promise("F2")
def test_two_reviewers_at_once_lose_no_vote(root, ann):
    """Both vote on all cues at the same time, several times over; every acknowledged vote is in the log."""
    bob = another(root, ann, "bob")
    order = ids(ann)

    def work(client):
        return [vote(client, order[k % CUES], ("accept", "reject")[k % 2])["vote_id"] for k in range(24)]

    with ThreadPoolExecutor(4) as pool:
        acknowledged = [number for found in pool.map(work, (ann, bob, ann, bob)) for number in found]
    with LabelLog(root.label_log) as log:
        assert sorted(acknowledged) == log.votes()["vote_id"].to_list()
        assert log.votes().group_by("labeller").len().sort("labeller").rows() == [("ann", 48), ("bob", 48)]
    pairs = ann.get("/api/review/queue").json["agreement"]
    assert [(pair["first"], pair["second"], pair["cues"]) for pair in pairs] == [("ann", "bob", CUES)]


@pytest.mark.promise("F3")
def test_votes_travel_as_csv(root, ann, tmp_path):
    """What is exported can be imported elsewhere, and the export of that is the same text."""
    first, second = ids(ann)[:2]
    vote(ann, first, "accept", 'a "note",\nwith lines')
    vote(ann, first, "unsure")
    vote(ann, second, "reject")
    ann.post("/api/review/undo", {"cue_id": first})
    text = ann.get("/api/review/votes.csv").body
    other = DataRoot(shutil.copytree(root.root, tmp_path / "other"))
    shutil.rmtree(other.layering)
    with serving(review_app(other)) as port:
        there = Client(port, keys.create(other, "dee"))
        answer = there.post("/api/review/votes.csv", text, Content_Type="text/csv")
        assert answer.json == {"added": 3, "known": 0, "bad": []}
        assert there.get("/api/review/votes.csv").body == text


def test_a_csv_is_told_what_is_wrong_with_it(ann):
    """A missing column adds nothing; a row for an unknown cue is told by line, and the others are added."""
    answer = ann.post("/api/review/votes.csv", "cue_id,verdict\nx,accept\n", Content_Type="text/csv")
    assert answer.status == 409
    assert "no column labeller, source, time. Its first line must name cue_id," in answer.json["detail"]
    cue = ids(ann)[0]
    rows = "".join(f"{name},accept,eve,review,2025-03-03T10:00:00Z\n" for name in ("x", cue))
    answer = ann.post("/api/review/votes.csv", "cue_id,verdict,labeller,source,time\n" + rows, Content_Type="text/csv")
    assert answer.status == 200
    assert answer.json["added"] == 1
    assert [row["line"] for row in answer.json["bad"]] == [2]


def test_what_does_not_exist_or_is_invalid_is_told(ann):
    """Each answer says what to do."""
    cue = ids(ann)[0]
    unknown = ann.post("/api/review/cues/sim.X-1740960071550000000-ask/votes", {"verdict": "accept"})
    assert (unknown.status, "Take an id from /api/review/queue" in unknown.json["detail"]) == (404, True)
    for path in ("", "/picture.png", "/evidence.html"):
        assert ann.get(f"/api/review/cues/nonsense{path}").status == 404
    bad = ann.post(f"/api/review/cues/{cue}/votes", {"verdict": "guilty"})
    assert bad.status == 422
    assert "body.verdict: Input should be 'accept', 'reject' or 'unsure'" in bad.json["detail"]
    assert ann.post(f"/api/review/cues/{cue}/votes", "{", Content_Type="application/json").status in (400, 422)
    broken = ann.post(f"/api/review/cues/{cue}/votes", b'{"verdict": "accept", "note": "\\ud800"}')
    assert broken.status == 422


def test_the_page_and_its_files_name_nothing_elsewhere(ann):
    for path, kind in (
        ("/", "text/html"),
        ("/static/review.js", "text/javascript"),
        ("/static/review.css", "text/css"),
    ):
        answer = ann.get(path)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)
        assert b"http:" not in answer.body
        assert b"https:" not in answer.body
    assert "default-src 'self'" in ann.get("/").headers["content-security-policy"]
    assert ann.get("/static/../server.py").status in (404, 422)


def test_a_data_root_without_cues_has_an_empty_queue(tmp_path):
    root = DataRoot(tmp_path)
    with serving(review_app(root)) as port:
        found = Client(port).get("/api/review/queue").json
        assert (found["items"], found["progress"]["cues"]) == ([], 0)
        assert Client(port).get("/api/ml/data-collector/statistics").json["labeling_rate"] == 0
