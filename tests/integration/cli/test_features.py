"""`lobforge features list`: the JSON contract and what people see."""

import json
from pathlib import Path

import jsonschema
import pytest

from ml.features.candle.table import UNIFIED
from ml.features.docs import markdown
from ml.features.legacy.table import LEGACY_SETS
from ml.features.sets import SETS
from tests.support.command import lobforge

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "features.json").read_text())


def test_every_set_with_its_columns(capsys):
    """Name, hash and the columns in order, against the schema."""
    assert lobforge("features", "list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    found = {s["name"]: (s["hash"], [c["id"] for c in s["columns"]]) for s in document["sets"]}
    samples = {name: (chosen.hash, chosen.columns) for name, chosen in (SETS | LEGACY_SETS).items()}
    assert found == samples | {UNIFIED.name: (UNIFIED.hash, UNIFIED.names)}


def test_people_see_a_table_a_set(capsys, monkeypatch):
    """Name and hash, then a line a feature."""
    monkeypatch.setenv("COLUMNS", "200")
    assert lobforge("features", "list") == 0
    shown = capsys.readouterr().out
    for chosen in SETS.values():
        assert f"{chosen.name} {chosen.hash}" in shown
        assert all(column in shown for column in chosen.columns)


def test_the_page_can_be_regenerated(capsys):
    """What stands in the documentation, and nothing else."""
    assert lobforge("features", "list", "--markdown") == 0
    assert capsys.readouterr().out == markdown()


@pytest.mark.parametrize("arguments", [[], ["write"], ["list", "--json", "--markdown"]])
def test_nothing_else_is_understood(arguments, capsys):
    """Two outputs at once, or a word that is none."""
    assert lobforge("features", *arguments) == 2
    shown = capsys.readouterr()
    assert "Usage: lobforge features" in shown.out + shown.err
