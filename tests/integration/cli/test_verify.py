"""`lobforge verify`: return codes, the JSON contract and what people see."""

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ml.storage.commit import publish
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "verify.json").read_text())


@pytest.fixture
def stored(root, monkeypatch):
    """A data root of the settings with one stored file."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    publish(root, "trades", root.partition("trades", "2025-01-01", "sim.X"), pl.DataFrame({"ts": [1]}), "v")
    return root


def run(capsys):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("verify", "--json")
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def test_a_sound_root_is_zero(stored, capsys):
    """What was checked is counted, for programs and for people."""
    code, report = run(capsys)
    assert (code, report["files"], report["faults"]) == (0, {"trades": 1}, [])
    assert lobforge("verify") == 0
    shown = capsys.readouterr().out
    assert "trades" in shown
    assert "0 decisions, 0 faults" in shown


def test_a_fault_is_one_and_names_its_file(stored, capsys):
    """With what to do about it."""
    stored.partition("trades", "2025-01-01", "sim.X").write_bytes(b"PAR1")
    code, report = run(capsys)
    assert (code, [fault["kind"] for fault in report["faults"]]) == (1, ["changed"])
    assert lobforge("verify") == 1
    shown = capsys.readouterr().out
    assert "changed: trades/date=2025-01-01/trades_sim.X.parquet" in shown
    assert "fix: materialize the partition again" in shown


def test_no_data_root_is_two(root, capsys, monkeypatch):
    """Nothing could be checked."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root / "misspelt"))
    code, report = run(capsys)
    assert (code, report["error"]) == (2, "StoreError")
