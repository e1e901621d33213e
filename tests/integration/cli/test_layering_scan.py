"""`lobforge layering scan`: cues from capture files, the JSON contract, and what cannot be judged."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.support import venue_frames
from tests.support.command import lobforge
from tests.support.layered import ASK, BID, MS, START, Script, frames, layered, stump, write
from tests.support.venue_frames import VENUES

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "layering_scan.json").read_text())
SIM = "sim.SIMUSDT"


@pytest.fixture(autouse=True)
def scorer(monkeypatch):
    """Every cluster of two prices or more is a cue: what is scored how is not the command's matter."""
    monkeypatch.setattr("ml.layering.scan.load", lambda: stump("layers", 1.5, -50, 50))


def run(capsys, *arguments):
    """Return code and the one JSON object, checked against its schema."""
    code = lobforge("layering", "scan", *arguments, "--json")
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, SCHEMA)
    return code, report


def busy():
    """Layers as in the textbook, and single orders that come and go."""
    script = layered(90)
    for k in range(40):
        side, price = (1, BID - 9) if k % 2 else (-1, ASK + 9)
        script.order(side, price, 20 + k, 61_000 + 500 * k, 61_450 + 500 * k)
    return script


def test_layers_are_a_cue_with_their_prices_and_times(capsys, tmp_path):
    """The textbook case, from the file to the document."""
    code, report = run(capsys, write(tmp_path / "sim__simusdt.jsonl", frames(busy())))
    assert code == 0
    found = report["instruments"][SIM]
    (cue,) = found["cues"]
    assert cue["side"] == "bid"
    assert cue["prices"] == [999.5, 999.4, 999.3]
    assert cue["volume"] == pytest.approx(0.6)
    assert (cue["start"], cue["last_pull"], cue["end"]) == tuple(START + ms * MS for ms in (70_000, 72_000, 72_050))
    assert cue["verdict_band"]["verdict"] == "cue"
    assert "3 bid layers" in cue["reason"]
    assert found["calibration"]["source"] == "simulator"


@pytest.mark.parametrize("instrument", VENUES)
def test_every_venue_gives_the_same_cue(capsys, tmp_path, instrument):
    """The market as Bybit and OKX write it, of which they show the best levels only."""
    _, report = run(capsys, write(tmp_path / "sim__simusdt.jsonl", frames(busy())))
    (expected,) = report["instruments"][SIM]["cues"]
    name, conn, words = VENUES[instrument]
    code, report = run(capsys, venue_frames.write(tmp_path / name, conn, words(frames(busy()))))
    assert code == 0
    found = report["instruments"][instrument]
    assert (found["not_judged"], found["quarantined"]) == (None, {})
    assert found["hours"] == pytest.approx(report["instruments"][instrument]["hours"])
    (cue,) = found["cues"]
    for key in ("side", "start", "first_pull", "last_pull", "end", "prices", "volume"):
        assert cue[key] == expected[key], key
    assert cue["features"] == pytest.approx(expected["features"])


def test_the_same_file_gives_the_same_bytes_and_text_names_every_cue(capsys, tmp_path):
    path = write(tmp_path / "sim__simusdt.jsonl", frames(busy()))
    texts = []
    for _ in range(2):
        lobforge("layering", "scan", path, "--json")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert lobforge("layering", "scan", path) == 0
    shown = capsys.readouterr()
    assert "3 bid layers" in shown.out
    assert "intent" not in shown.out


def test_calibrating_with_flow_says_what_its_hours_support(capsys, tmp_path):
    path = write(tmp_path / "sim__simusdt.jsonl", frames(busy()))
    _, report = run(capsys, path, "--calibrate", path, "--budget", "1")
    told = report["instruments"][SIM]["calibration"]
    assert told["source"] == "captures"
    assert told["budget"] == 1
    assert told["bound"] >= 3 / told["hours"] * 0.99


def test_every_file_after_calibrate_calibrates(capsys, tmp_path):
    """None of them is scanned; more flow supports more."""
    path = write(tmp_path / "sim__simusdt.jsonl", frames(busy()))
    quiet = Script(90, seed=1, start=START + 200 * 10**9)
    quiet.trade(1_000, 1, ASK, 1)
    more = write(tmp_path / "sim__simusdt_later.jsonl", frames(quiet))
    one, two = (run(capsys, path, "--calibrate", *given)[1]["instruments"][SIM] for given in ([path], [path, more]))
    assert two["calibration"]["hours"] > one["calibration"]["hours"]
    assert two["hours"] == one["hours"]


def test_frames_that_cannot_be_read_are_counted(capsys, tmp_path):
    """By file where they belong to no instrument; the return code tells a script."""
    path = write(tmp_path / "sim__simusdt.jsonl", frames(busy()))
    with path.open("ab") as sink:
        sink.write(b'{"cut off\n')
    code, report = run(capsys, path)
    assert code == 1
    assert sum(report["quarantined"][path.name].values()) == 1
    assert len(report["instruments"][SIM]["cues"]) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"trades": False}, "no trades"), ({"diffs": False}, "snapshot")],
    ids=["no trades", "no changes"],
)
def test_what_cannot_be_judged_is_said(capsys, tmp_path, changes, told):
    """No cue is better than a wrong one; the return code tells a script."""
    code, report = run(capsys, write(tmp_path / "sim__simusdt.jsonl", frames(busy(), **changes)))
    found = report["instruments"][SIM]
    assert code == 1
    assert found["cues"] == []
    assert told in found["not_judged"]


def test_a_book_of_one_level_is_not_judged(capsys, tmp_path):
    """Nobody can see layers behind the best price."""
    script = Script(75)
    script.rows = {k: [(1, BID, 100 + k % 7)] for k in script.rows}
    script.trade(1_000, 1, ASK, 1)
    code, report = run(capsys, write(tmp_path / "sim__simusdt.jsonl", frames(script, levels=1)))
    assert code == 1
    assert "1 level" in report["instruments"][SIM]["not_judged"]


def test_a_short_capture_is_not_judged(capsys, tmp_path):
    script = Script(30)
    script.trade(1_000, 1, ASK, 1)
    code, report = run(capsys, write(tmp_path / "sim__simusdt.jsonl", frames(script)))
    assert code == 1
    assert "60 s" in report["instruments"][SIM]["not_judged"]


def test_bad_arguments_are_refused(capsys, tmp_path):
    path = write(tmp_path / "sim__simusdt.jsonl", frames(Script(5)))
    assert run(capsys, path, "--budget", "0")[0] == 2
    assert run(capsys, tmp_path / "missing")[0] == 2
