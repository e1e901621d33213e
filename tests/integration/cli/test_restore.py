"""`lobforge restore`: return codes, the JSON contract and what people see."""

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ml.core.paths import DataRoot
from ml.storage.backup import backup
from ml.storage.commit import publish
from ml.storage.durable import write_text
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "copy.json").read_text())


@pytest.fixture
def stored(root, tmp_path, monkeypatch):
    """A data root with one stored file; the settings name another one, which does not exist yet."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "again"))
    publish(root, "trades", root.partition("trades", "2025-01-01", "sim.X"), pl.DataFrame({"ts": [1]}), "v")
    write_text(root.config, "# any")
    return root


def run(capsys, *arguments):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("restore", *arguments, "--json")
    summary = json.loads(capsys.readouterr().out)
    jsonschema.validate(summary, SCHEMA)
    return code, summary


def test_a_restored_root_is_zero_and_not_restored_twice(stored, tmp_path, capsys):
    """The second time it is not empty any more."""
    made = backup(stored, tmp_path / "copy")
    code, summary = run(capsys, tmp_path / "copy")
    assert (code, summary["files"], summary["faults"]) == (0, made.files, [])
    assert DataRoot(tmp_path / "again").config.read_text() == "# any"
    code, answer = run(capsys, tmp_path / "copy")
    assert (code, answer["error"]) == (2, "StoreError")


def test_faults_of_the_source_are_one(stored, tmp_path, capsys):
    """A backup keeps a broken chain of decisions as it is; restoring says so."""
    write_text(stored.decisions / "000001-0.json", "{}")
    backup(stored, tmp_path / "copy")
    assert lobforge("restore", tmp_path / "copy") == 1
    assert "decision: decisions/000001-0.json: it has no line in the journal" in capsys.readouterr().out


def test_no_backup_is_two(stored, tmp_path, capsys):
    """Nothing is created."""
    code, answer = run(capsys, tmp_path)
    assert (code, answer["error"]) == (2, "StoreError")
    assert not (tmp_path / "again").exists()
