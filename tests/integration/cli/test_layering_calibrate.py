"""`lobforge layering calibrate`: thresholds of the data root's instruments, and who uses them."""

import json
from datetime import date

import pytest

from ml.core.config import Config, render
from ml.core.paths import DataRoot
from ml.layering import thresholds
from ml.layering.model import load
from ml.layering.training import BUDGETS
from ml.storage.durable import write_text
from tests.support.command import lobforge
from tests.support.layered import INSTRUMENT, frames, layered, stump, write


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root whose captures hold one textbook episode; a scorer that finds it at the simulator's threshold."""
    made = DataRoot(tmp_path / "data")
    made.root.mkdir()
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(made.root))
    write_text(made.config, render(Config(made.captures, date(2025, 3, 3), date(2025, 3, 3), (INSTRUMENT,))))
    made.captures.mkdir()
    write(made.captures / "sim__simusdt.jsonl", frames(layered(90)))
    monkeypatch.setattr(thresholds, "load", lambda: stump("layers", 1.5, -3, 3))
    return made


def test_flow_with_alarms_raises_the_threshold_of_its_instrument(root, capsys):
    """One cue in half a minute is more than the budget allows; the answer is kept for every budget."""
    assert thresholds.of(root, INSTRUMENT).source == "simulator"
    assert lobforge("layering", "calibrate", "--json") == 0
    told = json.loads(capsys.readouterr().out)[INSTRUMENT.id]
    assert [one["budget"] for one in told] == list(BUDGETS)
    found = thresholds.of(root, INSTRUMENT, 2.5)
    assert (found.source, found.budget, found.alarms) == ("captures", 2.0, told[3]["alarms"])
    assert thresholds.of(root, INSTRUMENT, 0.1).budget == BUDGETS[0]
    assert found.threshold >= thresholds.of(root, INSTRUMENT, 20).threshold
    assert lobforge("layering", "calibrate") == 0
    assert "excludes more than" in capsys.readouterr().out


def test_a_calibration_for_another_scorer_is_not_used(root, monkeypatch):
    lobforge("layering", "calibrate")
    monkeypatch.setattr(thresholds, "load", load)
    found = thresholds.of(root, INSTRUMENT)
    assert found.source == thresholds.OTHER_SCORER
    assert found.threshold == load().card.threshold_at(load().card.budget)


def test_captures_without_a_known_instrument_are_refused(root, capsys, tmp_path):
    renamed = [
        (ts, text.replace(b"SIMUSDT", b"OTHER").replace(b"simusdt", b"other")) for ts, text in frames(layered(75))
    ]
    other = write(tmp_path / "sim__other.jsonl", renamed)
    assert lobforge("layering", "calibrate", other) == 2
    assert "none of sim.SIMUSDT" in capsys.readouterr().err
