"""What lies under deploy/ can be started: it parses, has the form that its reader wants, and names what exists."""

import re
from configparser import ConfigParser

import click
import jsonschema
import pytest
import yaml

from tests.architecture.sources import PROJECT
from tests.support.command import lobforge

DEPLOY = PROJECT / "deploy"
GROUPS = ("features", "key", "layering")
"""Commands that are groups of commands."""
CONDITIONS = ["service_started", "service_healthy", "service_completed_successfully"]
WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
TIME = {"type": "string", "pattern": r"^\d+(ms|s|m|h)$"}
SERVICE = {
    "type": "object",
    "properties": {
        "image": {"type": "string"},
        "build": {"type": "object", "propertyNames": {"enum": ["context", "dockerfile"]}},
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "read_only": {"type": "boolean"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "healthcheck": {
            "type": "object",
            "properties": {"test": WORDS, "interval": TIME, "timeout": TIME, "start_period": TIME}
            | {"retries": {"type": "integer"}},
            "required": ["test"],
            "additionalProperties": False,
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"condition": {"enum": CONDITIONS}},
                "required": ["condition"],
                "additionalProperties": False,
            },
        },
        "stop_grace_period": TIME,
    }
    | dict.fromkeys(("command", "volumes", "secrets", "ports", "profiles", "tmpfs", "cap_drop", "security_opt"), WORDS),
    "required": ["image"],
    "additionalProperties": False,
}
"""The part of the Compose Specification that the file uses."""
COMPOSE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "secrets": {"type": "object"},
        "volumes": {"type": "object"},
    },
    "patternProperties": {"^x-": {}},
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def unit():
    parser = ConfigParser(interpolation=None, strict=True, delimiters="=")
    parser.optionxform = str
    parser.read(DEPLOY / "lobforge-capture.service")
    return parser


def commands(services):
    """Every command line that a container runs, the lines of a shell script each."""
    for service in services.values():
        words = service.get("command", [])
        yield from (line.split() for line in words[-1].splitlines()) if words[:1] == ["sh"] else [words]
        yield [word for word in service.get("healthcheck", {}).get("test", []) if word != "CMD"]


def dagster_options(words):
    """The long options that one of Dagster's commands takes."""
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import create_dagster_webserver_cli

    group = {
        "dagster": create_dagster_cli,
        "dagster-daemon": create_dagster_daemon_cli,
        "dagster-webserver": create_dagster_webserver_cli,
    }[words[0]]()
    for word in words[1:]:
        if not isinstance(group, click.Group):
            break
        group = group.commands[word]
    return {option for parameter in group.params for option in parameter.opts}


def long_options(words):
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def test_the_compose_file_has_its_form(compose):
    """Keys, conditions and durations as the specification has them."""
    jsonschema.validate(compose, COMPOSE)
    assert set(compose["services"]) == {
        "postgres",
        "init",
        "code",
        "webserver",
        "daemon",
        "capture",
        "live",
    }


def test_what_services_name_is_there(compose):
    """Services that are waited for, with a health check where health is waited for; volumes, secrets, files."""
    services = compose["services"]
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            assert (wanted["condition"] != "service_healthy") or "healthcheck" in services[name]
        assert {v.split(":")[0] for v in service.get("volumes", [])} <= set(compose["volumes"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    named = set(re.findall(r"/app/(\S+?)[\s,\]\"]", (DEPLOY / "compose.yaml").read_text()))
    assert named
    assert [path for path in named if not (PROJECT / path).is_file()] == []


def test_nobody_is_let_in_by_default(compose):
    """No port beyond this machine, no Docker socket; our containers are read-only and without privileges."""
    text = (DEPLOY / "compose.yaml").read_text()
    assert "docker.sock" not in text
    assert [p for s in compose["services"].values() for p in s.get("ports", []) if not p.startswith("127.0.0.1:")] == []
    ours = [service for service in compose["services"].values() if service["image"] == "lobforge"]
    assert len(ours) == 6
    assert all(s["read_only"] and s["cap_drop"] == ["ALL"] for s in ours)
    assert "\nUSER lobforge\n" in (DEPLOY / "Dockerfile").read_text()


def test_the_password_stays_out(compose):
    """In no repository, no image, no environment of the file itself."""
    (secret,) = compose["secrets"].values()
    for ignoring in (".gitignore", ".dockerignore"):
        assert f"deploy/{secret['file']}" in (PROJECT / ignoring).read_text().splitlines()
    variables = [name for s in compose["services"].values() for name in s.get("environment", {})]
    assert [name for name in variables if "PASSWORD" in name and not name.endswith("_FILE")] == []


def test_the_unit_has_its_form(unit):
    """Three sections; stopping takes longer than a capture does, and only SIGTERM seals."""
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert (service["KillSignal"], service["Restart"]) == ("SIGTERM", "always")
    assert int(service["TimeoutStopSec"]) >= 10
    assert service["Environment"].startswith("LOBFORGE_DATA_ROOT=/var/lib/" + service["StateDirectory"])


def test_every_command_exists_and_takes_its_options(compose, unit, capsys):
    """`lobforge` as the unit, the containers and docs/operations.md call it."""
    called = [words for words in commands(compose["services"]) if words[:1] == ["lobforge"]]
    called.append(unit["Service"]["ExecStart"].replace("/opt/lobforge/.venv/bin/", "").split())
    operations = (PROJECT / "docs" / "operations.md").read_text()
    called += [line.split("#")[0].split() for line in re.findall(r"^(?:\S+=\S+ )?(lobforge .*)$", operations, re.M)]
    assert {"init", "capture", "fetch"} <= {words[1] for words in called}
    for words in called:
        command = [word for word in words[1:3] if word.isalpha()] if words[1] in GROUPS else words[1:2]
        assert lobforge(*command, "--help") == 0
        shown = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert long_options(words) <= shown, words


def test_every_dagster_command_exists_and_takes_its_options(compose):
    """As installed, and not as remembered."""
    called = [words for words in commands(compose["services"]) if words and words[0].startswith("dagster")]
    assert len(called) >= 6
    for words in called:
        assert long_options(words) <= dagster_options(words), words


def test_the_dagster_instance_is_configured_for_postgres(monkeypatch):
    """Dagster reads the file, finds the storage's class, and the class accepts its configuration."""
    from dagster._config import process_config
    from dagster._core.instance.ref import InstanceRef
    from dagster_postgres import DagsterPostgresStorage

    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "secret")
    storage = InstanceRef.from_dir(str(DEPLOY)).storage_data
    assert (storage.module_name, storage.class_name) == ("dagster_postgres", "DagsterPostgresStorage")
    checked = process_config(DagsterPostgresStorage.config_type(), storage.config_dict)
    assert checked.success, checked.errors
    assert checked.value["postgres_db"]["password"] == "secret"  # noqa: S105 - set above
    plain = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert {k: v for k, v in yaml.safe_load((DEPLOY / "dagster.yaml").read_text()).items() if k != "storage"} == plain


def test_the_workspace_points_at_the_code_service(compose):
    """Host and port of the service, under the name that the location has everywhere."""
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    (origin,) = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    assert (origin.host, origin.location_name) == ("code", "lobforge")
    assert str(origin.port) in compose["services"]["code"]["command"]
