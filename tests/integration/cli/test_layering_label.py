"""Votes on cues from the command line: label, export, import."""

import json

import polars as pl
import pytest

from ml.core.paths import DataRoot
from ml.layering.labels import LabelLog
from tests.support.command import lobforge


@pytest.fixture
def scanned(tmp_path, monkeypatch):
    """A data root, and what a scan printed."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "data"))
    found = tmp_path / "cues.json"
    found.write_text(json.dumps({"instruments": {"sim.X": {"cues": [{"id": "sim.X-1-bid"}, {"id": "sim.X-2-ask"}]}}}))
    return found


def test_votes_are_labels_and_travel_as_csv(scanned, tmp_path, capsys, monkeypatch):
    """Two people vote, one takes it back; another data root gets the same."""
    for name in ("ann", "bob"):
        assert lobforge("layering", "label", "sim.X-1-bid", "accept", "--as", name, "--cues", scanned, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["tier"] for row in told] == ["silver", "gold"]
    assert lobforge("layering", "label", "sim.X-2-ask", "reject", "--as", "ann", "--note", "a hedge") == 0
    assert lobforge("layering", "label", "sim.X-1-bid", "undo", "--as", "bob") == 0
    assert "sim.X-1-bid: layering (silver)" in capsys.readouterr().out
    assert lobforge("layering", "export", tmp_path / "votes.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["votes"] == 3
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(tmp_path / "other"))
    assert lobforge("layering", "import", tmp_path / "votes.csv", "--cues", scanned, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"added": 3, "known": 0, "bad": []}
    with LabelLog(DataRoot(tmp_path / "other").layering / "labels.db") as log:
        assert log.labels()["tier"].to_list() == ["silver", "silver"]
        assert log.votes()["note"].to_list() == ["", "", "a hedge"]


def test_bad_rows_are_told_by_line(scanned, tmp_path, capsys):
    (tmp_path / "votes.csv").write_text(
        "cue_id,verdict,labeller,source,time\nsim.X-9-bid,accept,ann,review,2025-03-03T10:00:00Z\n"
    )
    assert lobforge("layering", "import", tmp_path / "votes.csv", "--cues", scanned) == 1
    shown = capsys.readouterr().out
    assert "0 votes added, 0 known already, 1 rows invalid" in shown
    assert "line 2: there is no cue 'sim.X-9-bid'" in shown


def test_a_file_that_is_no_text_is_told(scanned, tmp_path, capsys):
    (tmp_path / "votes.csv").write_bytes(b"\xff\xfe\x00")
    assert lobforge("layering", "import", tmp_path / "votes.csv", "--cues", scanned) == 2
    assert "cannot be read as UTF-8 text" in capsys.readouterr().err


def test_a_cue_that_nobody_found_is_refused(scanned, capsys):
    assert lobforge("layering", "label", "sim.X-9-bid", "accept", "--as", "ann", "--cues", scanned) == 2
    assert "there is no cue 'sim.X-9-bid'" in capsys.readouterr().err
    assert lobforge("layering", "label", "sim.X-1-bid", "undo", "--as", "ann") == 2
    assert "ann has no vote of sim.X-1-bid that could be undone" in capsys.readouterr().err
    scanned.write_text("[]")
    assert lobforge("layering", "label", "sim.X-1-bid", "accept", "--as", "ann", "--cues", scanned) == 2
    assert "is not what `lobforge layering scan --json` prints" in capsys.readouterr().err


def test_stored_cues_are_known(scanned, tmp_path, capsys):
    """Those of the table `layering_cues`."""
    path = DataRoot(tmp_path / "data").partition("layering_cues", "2025-03-03", "sim.X")
    path.parent.mkdir(parents=True)
    pl.DataFrame({"id": ["sim.X-7-bid"]}).write_parquet(path)
    assert lobforge("layering", "label", "sim.X-7-bid", "reject", "--as", "ann") == 0
    assert "sim.X-7-bid: not layering (silver)" in capsys.readouterr().out
