"""The key check and the form of errors that every server shares."""

import socket
import stat

import pytest

from live.server import build_app
from ml.core.errors import SettingsError
from ml.core.paths import DataRoot
from ml.storage import keys
from tests.support.command import lobforge
from tests.support.served import Client, review_app, serving

MUTATIONS = (
    "/api/review/undo",
    "/api/review/cues/x/votes",
    "/api/review/votes.csv",
    "/api/ml/data-collector/update-label",
    "/api/ml/adaptive-model/train",
    "/no/such/path",
)


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path)


@pytest.fixture
def client(root):
    with serving(review_app(root)) as port:
        yield Client(port)


def test_without_any_key_a_mutation_is_forbidden_and_the_command_is_named(client):
    for path in MUTATIONS:
        answer = client.post(path, {})
        assert answer.status == 403
        assert "lobforge key create NAME" in answer.json["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_mutation_without_a_valid_key_is_refused_whatever_its_path(root, client, method):
    keys.create(root, "ann")
    for path in MUTATIONS:
        for headers in ({}, {"X_API_Key": ""}, {"X_API_Key": "lf_wrong"}, {"Authorization": "Bearer l\u00e4"}):
            answer = client.ask(method, path, **headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("has_keys", [True, False])
def test_it_is_refused_before_its_body_is_read(root, client, has_keys):
    """A body of a gigabyte is announced and never sent: the answer comes all the same."""
    if has_keys:
        keys.create(root, "ann")
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as line:
        line.sendall(
            b"POST /api/review/undo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000000\r\n\r\n"
        )
        assert line.recv(100).startswith(b"HTTP/1.1 401" if has_keys else b"HTTP/1.1 403")


def test_a_key_is_taken_from_either_header_until_it_is_revoked(root, client):
    key = keys.create(root, "ann")
    for headers in ({"X_API_Key": key}, {"Authorization": f"Bearer {key}"}, {"Authorization": f"bearer {key}"}):
        answer = client.post("/api/review/undo", {}, **headers)
        assert (answer.status, answer.json["detail"][:17]) == (409, "ann has no vote t")
    assert client.get("/api/review/queue", X_API_Key=key).json["reviewer"] == "ann"
    keys.revoke(root, "ann")
    keys.create(root, "bob")
    assert client.post("/api/review/undo", {}, X_API_Key=key).status == 401
    assert client.get("/api/review/queue", X_API_Key=key).status == 401
    assert client.get("/api/review/queue").status == 200


def test_a_host_that_somebody_pointed_here_is_refused(client):
    """A page of another site cannot read the server through a name of its own."""
    assert client.get("/api/review/queue", Host="evil.example").status == 400


def test_only_the_hash_is_stored_and_only_its_owner_can_read_it(root, monkeypatch, capsys):
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    assert lobforge("key", "create", "ann") == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("lf_")
    assert key not in root.keys.read_text()
    assert stat.S_IMODE(root.keys.stat().st_mode) == 0o600
    assert keys.owner(keys.listing(root), key) == "ann"
    assert keys.owner(keys.listing(root), key + "x") is None
    assert lobforge("key", "create", "ann") == 2
    assert "There is a key 'ann'" in capsys.readouterr().err
    assert lobforge("key", "list") == 0
    assert "ann" in capsys.readouterr().out
    assert lobforge("key", "revoke", "ann") == 0
    assert lobforge("key", "revoke", "ann") == 2
    assert keys.listing(root) == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 65, " ann"])
def test_a_name_that_nobody_could_read_is_refused(root, name):
    with pytest.raises(SettingsError, match="is no name of a key"):
        keys.create(root, name)


def test_a_damaged_file_of_keys_is_told_and_lets_nobody_in(root, client):
    root.keys.write_text("[{]")
    answer = client.post("/api/review/undo", {}, X_API_Key="lf_x")
    assert answer.status == 503
    assert "damaged" in answer.json["detail"]


def test_no_page_of_documentation_loads_scripts_from_elsewhere(root):
    with serving(build_app(root, "x", ())) as port:
        assert [Client(port).get(path).status for path in ("/docs", "/redoc", "/openapi.json")] == [404, 404, 200]


def test_a_port_that_is_taken_is_told(root, client, monkeypatch, capsys):
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    assert lobforge("layering", "review", "--port", client.port) == 2
    assert f"Port {client.port} of 127.0.0.1 cannot be used" in capsys.readouterr().err
