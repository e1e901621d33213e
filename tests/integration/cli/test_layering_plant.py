"""`lobforge layering plant` writes a file that is read like any other, and says what it planted."""

import json

import pytest

from ml.market.days.replay import inspect
from ml.simulation.plants import Alpha
from ml.simulation.publish import frames, write_captures
from ml.simulation.venue import Market, simulate
from tests.support.command import lobforge

START = 1_741_046_400 * 10**9


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    found = frames(simulate(Market(5, 150, Alpha(0.1))), START, 5)
    return write_captures(tmp_path_factory.mktemp("captures"), found)[0]


def test_the_file_and_its_truth_are_written(source, tmp_path, capsys, monkeypatch):
    """By default beside nothing: into the working directory, named after the source."""
    monkeypatch.chdir(tmp_path)
    assert lobforge("layering", "plant", source, "--seed", 3, "--variant", "single_wall,two_layers", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    name = source.name.replace(".jsonl.zst", "_planted.jsonl.zst")
    assert told["file"] == name
    assert told["seed"] == 3
    assert {row["variant"] for row in told["episodes"]} <= {"single_wall", "two_layers"}
    assert told == json.loads((tmp_path / name.replace(".jsonl.zst", ".truth.json")).read_text())
    assert inspect([tmp_path / name])["quarantined"] == []


def test_people_get_a_table(source, tmp_path, capsys):
    """Episodes per variant, and where the files are."""
    assert lobforge("layering", "plant", source, "--to", tmp_path / "out.zst", "--size", "2", "--episodes", 2) == 0
    shown = capsys.readouterr().out
    assert "sim.SIMUSDT" in shown
    assert "simultaneous" in shown
    assert "out.truth.json" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{source}", "--size", "big"], "--size 'big' is no list of numbers"),
        (["{source}", "--size", "0,1"], "must be numbers above 0"),
        (["{source}", "--to", "{source}"], "is the file that is read"),
        (["{source}", "--variant", "spoofy"], "There is no variant spoofy"),
        (["nowhere.gz"], "nowhere.gz is no file"),
    ],
)
def test_what_cannot_be_done_is_said(source, tmp_path, monkeypatch, capsys, arguments, said):
    """With the option to change; nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert lobforge("layering", "plant", *(a.format(source=source) for a in arguments)) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
