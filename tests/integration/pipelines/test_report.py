"""The end of the demo as a person reads it."""

import json
import re

import pytest

from ml.learning.walk_forward import SCORES
from pipelines.report import SHOWN_SCORES, show


@pytest.fixture
def report(demonstrated):
    """A copy of a real report that a test may change."""
    return json.loads(json.dumps(demonstrated[2]))


def text(report, capsys, root):
    show(report, root)
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)


def test_everything_that_was_asked_for_is_there(report, capsys, root):
    """What was captured and its gap, every canary and gate with its number, parity, decision, and where to look."""
    shown = text(report, capsys, root)
    for gate in report["gates"]:
        assert re.search(rf"{gate['name']}\s*│ {gate['outcome']}", shown)
    for canary in report["canaries"]:
        assert canary["name"] in shown
    assert "2025-03-03|sim.SIMUSDT" in shown
    (gap,) = report["gaps"]
    assert f"sim.SIMUSDT 03-03 18:08:59.750 to 03-03 18:10:00.250: sequence_gap, ids {gap['from_id']} to" in shown
    assert "1080 rows compared with the batch, 0 mismatches" in shown
    assert "signals       0, withheld: 1080 no_model" in shown
    assert f"decision      insufficient, champion none, record {report['record'][:16]}" in shown
    assert f"LOBFORGE_DATA_ROOT={root.root} make ui" in shown


def test_a_table_without_rows_is_not_shown(report, capsys, root):
    """No folds were judged, so none are titled."""
    assert "Walk-forward" not in text(report, capsys, root)


def test_folds_have_a_line_each(report, capsys, root):
    """With the score of the model and of each baseline."""
    report["folds"] = [{"fold": n, "rows": 12_345} | dict.fromkeys(SCORES, 0.4 + n / 100) for n in (1, 2)]
    shown = text(report, capsys, root)
    assert "Walk-forward" in shown
    assert shown.count("12,345") == 2
    assert shown.count("0.4200") == len(SHOWN_SCORES)


def test_a_gap_that_never_ended_says_so(report, capsys, root):
    """Without a later snapshot there is no end to tell."""
    report["gaps"][0] |= {"end": None, "to_id": None}
    assert "to the end: sequence_gap" in text(report, capsys, root)


@pytest.mark.parametrize("decision", ["promote", "refuse", "insufficient"])
def test_every_decision_has_its_line(report, capsys, root, decision):
    """With the champion in force."""
    report |= {"decision": decision, "champion": "0123456789abcdef"}
    assert f"decision      {decision}, champion 0123456789abcdef" in text(report, capsys, root)
