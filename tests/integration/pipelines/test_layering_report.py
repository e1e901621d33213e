"""What a person reads of a training on votes."""

import pytest

from ml.core.paths import DataRoot
from pipelines.layering_report import show

GATE = {"name": "labels", "outcome": "insufficient", "value": 60, "threshold": 100, "required": True}
NOTHING = {
    "decision": "insufficient",
    "candidate": None,
    "version": None,
    "champion": None,
    "record": "ab" * 32,
    "labels": [{"tier": "gold", "label": 1, "len": 60}, {"tier": None, "label": None, "len": 4}],
    "scores": {},
    "importance": {},
    "canaries": [],
    "gates": [GATE | {"detail": "40 more labels are needed"}],
}
SCORES = {
    "cues": 40,
    **dict.fromkeys(("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "calibration_error"), 0.25),
    "confusion": {"found": 11, "false_alarms": 12, "missed": 13, "rejected": 14},
    "precision_at": {"10": 0.75},
}


@pytest.fixture
def told(capsys, tmp_path):
    """What is printed of a report."""

    def read(report):
        show(report, DataRoot(tmp_path))
        return [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]

    return read


def test_without_a_model_it_says_what_is_missing(told):
    lines = told(NOTHING)
    assert "gold 60 0 0" in lines
    assert "nobody 0 0 4" in lines
    assert any("40 more labels are needed" in line for line in lines)
    assert not any("precision" in line for line in lines)
    assert f"decision insufficient, no model, champion none, record {'ab' * 8}" in lines
    assert any(line.endswith("lobforge models decisions layering") for line in lines)


def test_with_a_model_it_shows_its_scores_beside_the_detectors(told):
    """Of a demo also the market and the time that it took."""
    market = {"hours": 2.0, "episodes": 5, "look_alikes": 3, "cues": 44, "wall_s": 61.4}
    scores = {"model": SCORES, "detector": SCORES | {"pr_auc": None}}
    lines = told(NOTHING | market | {"scores": scores, "importance": {"rest": 0.25, "layers": 0.5}, "version": "3"})
    assert "pr auc 0.2500 -" in lines
    assert "precision of the first 10 0.7500 0.7500" in lines
    assert "precision of the first 50 - -" in lines
    assert "false alarms 12 12" in lines
    assert lines.index("layers 50.0 %") < lines.index("rest 25.0 %")
    assert "market 2 h with 5 planted episodes of layering and 3 that look like it; 44 cues" in lines
    assert "wall 61 s" in lines
