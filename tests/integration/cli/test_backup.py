"""`lobforge backup`: return codes, the JSON contract and what people see."""

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ml.storage.commit import publish
from ml.storage.durable import write_text
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "copy.json").read_text())


@pytest.fixture
def stored(root, monkeypatch):
    """A data root of the settings with one stored file and one capture."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    publish(root, "trades", root.partition("trades", "2025-01-01", "sim.X"), pl.DataFrame({"ts": [1]}), "v")
    write_text(root.config, "# any")
    write_text(root.captures / "a.log", "frames")
    return root


def run(capsys, *arguments):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("backup", *arguments, "--json")
    summary = json.loads(capsys.readouterr().out)
    jsonschema.validate(summary, SCHEMA)
    return code, summary


def test_a_whole_backup_is_zero(stored, tmp_path, capsys):
    """Captures only if they are asked for."""
    code, summary = run(capsys, tmp_path / "copy")
    assert (code, summary["folder"], summary["left_out"]) == (0, str(tmp_path / "copy"), [])
    code, with_captures = run(capsys, tmp_path / "more", "--captures")
    assert (code, with_captures["files"]) == (0, summary["files"] + 1)
    assert lobforge("backup", tmp_path / "third") == 0
    assert capsys.readouterr().out.startswith(f"{summary['files']} files, 0.0 MB in {tmp_path / 'third'}")


def test_a_file_that_was_left_out_is_one(stored, tmp_path, capsys):
    """And is named."""
    stored.partition("trades", "2025-01-01", "sim.X").unlink()
    code, summary = run(capsys, tmp_path / "copy")
    assert (code, len(summary["left_out"])) == (1, 1)
    assert lobforge("backup", tmp_path / "more") == 1
    assert "left out: trades/date=2025-01-01/trades_sim.X.parquet: it is listed" in capsys.readouterr().out


def test_a_folder_in_use_is_two(stored, tmp_path, capsys):
    """Nothing was copied."""
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").touch()
    code, summary = run(capsys, tmp_path / "copy")
    assert (code, summary["error"]) == (2, "StoreError")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["mine"]
