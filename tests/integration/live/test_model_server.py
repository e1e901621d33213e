"""The model server: answers by row and by instrument, batches, reloads, trials, and what it refuses."""

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic, sleep, time_ns

import numpy as np
import pytest

from live import fast_path
from live import models as models_of_server
from live.fast_path import Rate
from live.model_server import Options, application, refuse_pickles
from ml.core.errors import ModelRefused
from ml.core.paths import DataRoot
from ml.core.time import SECOND
from ml.features.sets import BASE, WHOLE
from ml.learning.models.trained import load
from ml.promotion.life import Step
from ml.promotion.registry import Registry
from ml.promotion.routing import salt_of, to_challenger
from ml.simulation.instrument import INSTRUMENT
from ml.storage import keys
from ml.tables.schemas import NullReason
from tests.support.command import lobforge
from tests.support.model_server import publish, rows, two_models
from tests.support.served import Client, serving
from tests.support.shared import made_once

PREDICT = "/api/ml/predict"
BATCH = "/api/ml/predict/batch"
UNLIMITED = Options(rate=1e9)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with two registered models, of which the first is champion; tests only write newest rows."""
    folder = tmp_path_factory.mktemp("served") / "root"
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "two models", two_models), folder))


@pytest.fixture(scope="module")
def client(root):
    key = keys.create(root, "ann")
    with serving(application(root, UNLIMITED)) as port:
        yield Client(port, key)


@pytest.fixture
def own(tmp_path, tmp_path_factory):
    """Such a data root whose registry a test may change."""
    return DataRoot(shutil.copytree(made_once(tmp_path_factory, "two models", two_models), tmp_path / "own"))


@pytest.fixture
def asked(own):
    key = keys.create(own, "ann")
    with serving(application(own, UNLIMITED)) as port:
        yield Client(port, key)


def ids(root):
    """The models by version."""
    return {one.version: one.model_id for one in Registry(root).versions()}


def oracle(root, version, features):
    """Probabilities by LightGBM itself."""
    model = load(root.model(ids(root)[version])).model
    return model.booster.predict(features[:, model.used].astype(np.float32), num_threads=1)


def test_a_row_by_name_or_in_order_is_answered_as_lightgbm_answers_it(root, client):
    features = rows(3)
    expected = oracle(root, "1", features)
    for row, p in zip(features.tolist(), expected, strict=True):
        for given in (row, dict(zip(BASE.columns, row, strict=True))):
            answer = client.post(PREDICT, {"features": given})
            assert answer.status == 200
            assert answer.json["probabilities"] == p.tolist()
    named = ("experiment", "model", "version", "role", "feature_set", "horizon", "withheld", "data_age_ms")
    about = [answer.json[name] for name in named]
    assert about == ["base_35_10s", ids(root)["1"], "1", "champion", "base_35", 10, None, None]
    model = load(root.model(ids(root)["1"]))
    assert answer.json["direction"] == ("down", "neutral", "up")[model.directions(expected)[-1]]


def test_more_features_than_the_model_needs_change_nothing(root, client):
    """A row of the whole set serves every model."""
    values = publish(root)
    ts = values.pop("ts")
    needed = client.post(PREDICT, {"features": {name: values[name] for name in BASE.columns}}).json
    whole = client.post(PREDICT, {"features": values, "instrument": "x", "ts": ts}).json
    assert whole["probabilities"] == needed["probabilities"]
    assert whole["valid_until"] == ts + 10 * SECOND
    assert 0 < whole["data_age_ms"] < 60_000


def test_an_instrument_is_answered_by_its_newest_row(root, client):
    values = publish(root)
    answer = client.post(PREDICT, {"instrument": INSTRUMENT.id}).json
    expected = oracle(root, "1", np.array([[values[name] for name in BASE.columns]]))[0]
    assert (answer["withheld"], answer["probabilities"]) == (None, expected.tolist())
    assert (answer["ts"], answer["instrument"]) == (values["ts"], INSTRUMENT.id)
    assert 0 < answer["data_age_ms"] < 5_000


@pytest.mark.promise("D7")
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"age_s": 5.5}, "stale"),
        ({"nulls": {"ofi_1_5s": NullReason.WARM_UP}}, "warm_up"),
        ({"nulls": {"ofi_1_5s": NullReason.WARM_UP, "qi_1": NullReason.INVALID_BOOK}}, "invalid_book"),
        ({"hash_": "0" * 16}, "other_features"),
        (None, "no_row"),
    ],
)
def test_what_is_stale_gapped_or_absent_is_withheld(root, client, given, reason):
    """Neither an old answer nor a zero, alone and in a batch."""
    root.newest(INSTRUMENT.id).unlink(missing_ok=True)
    if given is not None:
        publish(root, **given)
    alone = client.post(PREDICT, {"instrument": INSTRUMENT.id})
    both = client.post(BATCH, {"rows": [{"instrument": INSTRUMENT.id}, {"features": rows(1)[0].tolist()}]})
    assert (alone.status, both.status) == (200, 200)
    for answer in (alone.json, both.json["predictions"][0]):
        assert (answer["withheld"], answer["direction"], answer["probabilities"]) == (reason, None, None)
        assert answer["valid_until"] is None
    assert both.json["predictions"][1]["withheld"] is None


def test_a_null_that_the_model_does_not_look_at_withholds_nothing(root, client):
    publish(root, nulls={next(n for n in WHOLE.columns if n not in BASE.columns): NullReason.WARM_UP})
    assert client.post(PREDICT, {"instrument": INSTRUMENT.id}).json["withheld"] is None


def test_a_null_feature_of_a_given_row_is_withheld(client):
    row = [None, *rows(1)[0].tolist()[1:]]
    assert client.post(PREDICT, {"features": row}).json["withheld"] == "null_feature"


def test_without_a_champion_every_row_is_withheld(root, tmp_path):
    empty = DataRoot(tmp_path / "empty")
    empty.root.mkdir()
    shutil.copy(root.config, empty.config)
    with serving(application(empty, UNLIMITED)) as port:
        asked = Client(port)
        answer = asked.post(PREDICT, {"features": rows(1)[0].tolist()}).json
        assert (answer["withheld"], answer["model"]) == ("no_model", None)
        assert asked.post(BATCH, {"rows": [{"features": [1.0]}]}).json["predictions"][0]["withheld"] == "no_model"
        assert asked.get("/api/ml/health").json["status"] == "no_model"


def test_a_batch_is_the_rows_one_by_one(root, client):
    features = rows(50)
    found = client.post(BATCH, {"rows": [{"features": row} for row in features.tolist()]}).json
    assert [one["probabilities"] for one in found["predictions"]] == oracle(root, "1", features).tolist()
    assert (found["version"], found["role"]) == ("1", "champion")


INVALID = (
    ({}, 422, "features and instrument are missing"),
    ({"instrument": "sim.OTHER"}, 404, "is not listed in lobforge.toml. Listed: " + INSTRUMENT.id),
    ({"instrument": "../../keys"}, 404, "is not listed"),
    ({"instrument": INSTRUMENT.id, "ts": 1}, 422, "ts is given without features"),
    ({"features": [1.0]}, 422, "has 1 values, but base_35 has 35"),
    ({"features": {"qi_1": 1.0}}, 422, "lacks 34 of the 35 features of base_35, first spread_ticks"),
    ({"features": dict.fromkeys([*BASE.columns, "qi_01"], 1.0)}, 422, "first 'qi_01'. Did you mean qi_1?"),
    ({"features": ["1.0"] * 35}, 422, "Expected `float | null`, got `str`"),
    ({"features": [True] * 35}, 422, "Expected `float | null`, got `bool`"),
    ({"features": [1e300] * 35}, 422, "$.features[...]"),
    ({"features": [1.0] * 35, "experiment": "other"}, 404, "There are no models of an experiment 'other'"),
    ({"features": [1.0] * 35, "unknown": 1}, 422, "unknown field"),
    ({"features": [1.0] * 35, "ts": -1}, 422, "$.ts"),
    ([], 422, "Expected `object`"),
    (b'{"features": [NaN]}', 400, "NaN and Infinity are not JSON"),
    (b'{"features": [1e999]}', 422, "out of range"),
    (b'{"features": {"\xff": 1}}', 400, "no JSON that can be read"),
    (b"", 400, "no JSON that can be read"),
    (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 422, "unknown field"),
    (b'{"features":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 422, "Expected `float | null`"),
)


@pytest.mark.promise("E1")
def test_an_invalid_request_is_told_what_is_wrong(client):
    """As problem+json, alone and as a row of a batch."""
    for body, code, says in INVALID:
        answer = client.post(PREDICT, body)
        assert (answer.status, answer.headers["content-type"]) == (code, "application/problem+json"), (body, answer)
        assert set(answer.json) == {"type", "title", "status", "detail"}
        assert answer.json["status"] == code
        if code != 400 and not isinstance(body, bytes):
            assert says in answer.json["detail"] or says.startswith("$"), answer.json
        if isinstance(body, dict) and "experiment" not in body:
            assert client.post(BATCH, {"rows": [body]}).status == code
    for empty in ({"rows": []}, {"rows": [{}] * 1_001}, {}):
        assert client.post(BATCH, empty).status == 422
    assert client.get(PREDICT).status == 405
    assert client.ask("DELETE", PREDICT).headers["allow"] == "POST"


@pytest.mark.promise("E1")
@pytest.mark.parametrize("framing", [b"Content-Length: 67108864\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_large_body_is_refused_before_it_is_read(client, framing):
    """64 MB, announced or in chunks without a length; the server stays."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as line:
        line.sendall(b"POST /api/ml/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n" + framing)
        if b"chunked" in framing:
            for _ in range(3):
                line.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 413")
    assert client.post(PREDICT, {"features": rows(1)[0].tolist()}).status == 200


def test_a_slow_body_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr(fast_path, "BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as line:
        line.sendall(b"POST /api/ml/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        assert line.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.promise("E2")
def test_predicting_needs_no_key_but_a_wrong_one_is_refused(client):
    body = {"features": rows(1)[0].tolist()}
    assert Client(client.port).post(PREDICT, body).status == 200
    assert client.post(PREDICT, body).status == 200
    assert client.post(PREDICT, body, X_API_Key="lf_wrong").status == 401
    assert client.post(PREDICT, body, Host="evil.example").status == 400


@pytest.mark.promise("E2")
def test_what_changes_something_needs_a_key(own, asked):
    nobody = Client(asked.port)
    for path in ("/api/ml/models/reload", "/api/ml/ab-test/enable", "/api/ml/other"):
        assert nobody.post(path, {"version": "2"}).status == 401
    own.keys.unlink()
    answer = nobody.post("/api/ml/ab-test/enable", {"version": "2"})
    assert (answer.status, "lobforge key create NAME" in answer.json["detail"]) == (403, True)
    assert Registry(own).life().challenger is None


@pytest.mark.promise("E4")
def test_more_requests_than_the_rate_get_429(root):
    """Whatever they ask; who watches the server is answered, and after a second so are all."""
    body = {"features": rows(1)[0].tolist()}
    with serving(application(root, Options(rate=3))) as port:
        client = Client(port)
        answers = [client.post(PREDICT, body) for _ in range(12)]
        refused = [one for one in answers if one.status == 429]
        assert {one.status for one in answers} == {200, 429}
        assert {one.headers["retry-after"] for one in refused} == {"1"}
        assert client.get("/api/ml/health").status == 200
        assert f'route="/api/ml/predict",status="429"}} {len(refused)}' in client.get("/metrics").body.decode()
        wait_for(lambda: client.post(PREDICT, body).status == 200)


def test_the_rate_is_kept_on_average():
    """By a clock of the test's own: a quiet time saves up one second at most."""
    now = [0.0]
    rate = Rate(10, lambda: now[0])
    passed = [rate.admit() for _ in range(25)]
    assert passed == [True] * 10 + [False] * 15
    now[0] = 0.35
    assert [rate.admit() for _ in range(5)] == [True] * 3 + [False] * 2
    now[0] = 100.0
    assert sum(rate.admit() for _ in range(25)) == 10


def wait_for(holds, seconds=30):
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end
        sleep(0.02)


def test_a_promotion_is_followed_by_itself_and_at_once_by_a_reload(own, asked):
    registry = Registry(own)
    models = ids(own)
    body = {"features": rows(1)[0].tolist()}
    registry.promote("2", models["1"], "bob", "better", override=True)
    wait_for(lambda: asked.post(PREDICT, body).json["version"] == "2")
    registry.rollback(None, "bob", "worse")
    told = asked.post("/api/ml/models/reload").json["experiments"][0]
    assert (told["champion"]["version"], told["fault"]) == ("1", None)
    assert asked.post(PREDICT, body).json["model"] == models["1"]
    shown = asked.get("/api/ml/models").json["experiments"][0]
    assert [one["version"] for one in shown["versions"]] == ["2", "1"]
    assert shown["champion"]["features"] == BASE.columns


@pytest.mark.promise("D6")
@pytest.mark.parametrize("reloads", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_no_request_fails_while_models_change_and_no_batch_mixes_them(own, asked, reloads):
    """Every answer is that of the model that it names."""
    features = rows(20)
    models = ids(own)
    expected = {version: oracle(own, version, features).tolist() for version in models}
    single, batch = {"features": features[0].tolist()}, {"rows": [{"features": row} for row in features.tolist()]}
    stop = Event()

    def ask(_):
        seen = []
        while not stop.is_set():
            answers = [asked.post(PREDICT, single), asked.post(BATCH, batch)]
            assert {one.status for one in answers} == {200}
            one, many = (answer.json for answer in answers)
            assert one["probabilities"] == expected[one["version"]][0]
            assert [row["probabilities"] for row in many["predictions"]] == expected[many["version"]]
            seen.append(many["version"])
        return seen

    registry = Registry(own)
    with ThreadPoolExecutor(2) as pool:
        pending = [pool.submit(ask, k) for k in range(2)]
        try:
            for k in range(reloads):
                to = ("2", "1")[k % 2]
                registry.promote(to, registry.champion(), "bob", "", override=True)
                wait_for(lambda to=to: asked.post(PREDICT, single).json["version"] == to)
        finally:
            stop.set()
        seen = [version for one in pending for version in one.result()]
    assert set(seen) == {"1", "2"}


def test_a_damaged_champion_leaves_the_models_in_service(client, monkeypatch):
    """Health says so until it is whole again."""

    def damaged(*_):
        raise ModelRefused("its hash differs")

    monkeypatch.setattr(models_of_server, "as_now", damaged)
    told = client.post("/api/ml/models/reload").json["experiments"][0]
    assert (told["champion"]["version"], told["fault"]) == ("1", "its hash differs")
    assert client.get("/api/ml/health").json["status"] == "degraded"
    assert client.post(PREDICT, {"features": rows(1)[0].tolist()}).json["version"] == "1"
    monkeypatch.undo()
    assert client.post("/api/ml/models/reload").json["experiments"][0]["fault"] is None
    assert client.get("/api/ml/health").json["status"] == "ok"


def test_a_trial_is_that_of_the_registry_and_its_split_is_sticky(own, asked):
    """Shadow serves nobody; in the split the hash of instrument and 10 minutes decides, the same for every request."""
    models = ids(own)
    answer = asked.post("/api/ml/ab-test/enable", {"version": "2", "reason": "try it"})
    assert (answer.status, answer.json["challenger"], answer.json["champion"]) == (200, models["2"], models["1"])
    last = Registry(own).history()[-1]
    assert (last.decision, last.who, last.why, last.hash) == ("challenge", "ann", "try it", answer.json["record"])
    again = asked.post("/api/ml/ab-test/enable", {"version": "2"})
    assert (again.status, "challenges the champion of base_35_10s already" in again.json["detail"]) == (409, True)
    assert asked.post("/api/ml/ab-test/enable", {"version": "9"}).status == 409
    assert asked.post("/api/ml/ab-test/enable", {"version": "2", "experiment": "none"}).status == 409
    assert asked.post("/api/ml/ab-test/enable", {"version": "2", "share": 0.5}).status == 422
    row = rows(1)[0].tolist()
    wait_for(lambda: asked.get("/api/ml/models").json["experiments"][0]["stage"] == "shadow")
    served = {asked.post(PREDICT, {"features": row, "instrument": f"x{k}"}).json["version"] for k in range(40)}
    assert served == {"1"}
    Registry(own).advance(Step("split", models["2"], "time"), models["1"], "policy")
    wait_for(lambda: asked.get("/api/ml/models").json["experiments"][0]["stage"] == "split")
    salt = salt_of("lobforge", models["2"])
    ts = time_ns()
    for k in range(60):
        body = {"features": row, "instrument": f"x{k}", "ts": ts}
        expected = "challenger" if to_challenger(f"x{k}", ts, salt, 0.1) else "champion"
        assert [asked.post(PREDICT, body).json["role"] for _ in range(2)] == [expected] * 2
    assert (
        asked.post(BATCH, {"rows": [{"features": row, "instrument": f"x{k}"} for k in range(60)]}).json["role"]
        == "champion"
    )


def test_metrics_count_answers_and_reasons(own, asked):
    asked.post(PREDICT, {"features": rows(1)[0].tolist()})
    asked.post(BATCH, {"rows": [{"features": rows(1)[0].tolist()}, {"instrument": INSTRUMENT.id}]})
    asked.post("/api/ml/models/reload")
    asked.get("/no/such/path")
    lines = asked.get("/metrics").body.decode().splitlines()
    model = ids(own)["1"]
    for line in (
        f'lobforge_serving_predictions_total{{experiment="base_35_10s",model="{model}"}} 2.0',
        'lobforge_serving_withheld_total{experiment="base_35_10s",reason="no_row"} 1.0',
        'lobforge_serving_reloads_total{outcome="whole"} 1.0',
        'lobforge_serving_request_seconds_count{route="/api/ml/predict",status="200"} 1.0',
        'lobforge_serving_request_seconds_count{route="other",status="404"} 1.0',
    ):
        assert line in lines, lines


def test_pickles_are_refused():
    with pytest.raises(ModelRefused, match="A pickle was about to be loaded"):
        refuse_pickles("pickle.find_class", ("os", "system"))
    refuse_pickles("open", ("x",))


def test_a_root_without_configuration_or_a_taken_port_is_told(root, client, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    assert lobforge("serve", "--port", client.port) == 2
    assert f"Port {client.port} of 127.0.0.1 cannot be used" in capsys.readouterr().err
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "nothing"))
    assert lobforge("serve") == 2
    assert "Run `lobforge init`" in capsys.readouterr().err
