"""`lobforge migrate`: return codes, the JSON contract and what people see."""

import json

import numpy as np
import pytest

from ml.core import config
from ml.core.config import Config
from ml.core.instruments import Instrument
from ml.storage import commit, durable
from tests.conftest import default_dates
from tests.support import legacy_files as files
from tests.support.command import lobforge


@pytest.fixture
def old(root, monkeypatch, tmp_path):
    """A folder with one sound batch; the data root of the settings is empty."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    files.batch(tmp_path / "old", "BTCUSDT", "2025-11-07_batch_0001", files.times(30), files.prices(30))
    return tmp_path / "old"


def run(capsys, *arguments):
    code = lobforge("migrate", *arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_a_sound_folder_is_zero(old, root, capsys):
    """What became of the rows, for programs and for people; first what would."""
    code, report = run(capsys, old, "--dry-run")
    assert (code, report["tables"]["legacy_samples"]["kept"]) == (0, 30)
    assert not root.root.joinpath("feature_store").exists()
    assert run(capsys, old)[0] == 0
    assert commit.manifest(root, "legacy_samples")
    assert lobforge("migrate", old) == 0
    shown = capsys.readouterr().out
    assert "labels recomputed" in shown
    assert "3 source files, unchanged" in shown


def test_what_was_quarantined_is_one(old, capsys):
    """With the file, the reason and how many rows."""
    files.batch(old, "XRPUSDT", "b", [1], [1.0], array=np.zeros((1, 3), np.float32))
    assert lobforge("migrate", old) == 1
    assert "quarantined, of legacy_samples: ml_training/XRPUSDT/features/b.npy: 1 bad_width" in capsys.readouterr().out


def test_values_that_do_not_fit_are_one(old, root, capsys):
    """The rows are there, and the file, column, row and value are named; again when nothing is left to do."""
    paths = files.batch(old, "XRPUSDT", "b", files.times(3), files.prices(3))
    document = json.loads(paths[2].read_text())
    document["samples"][1]["spread"] = "wide"
    paths[2].write_text(json.dumps(document))
    for _ in range(2):
        code, report = run(capsys, old)
        assert (code, report["tables"]["legacy_samples"]["kept"]) == (1, 33)
    assert lobforge("migrate", old) == 1
    wanted = "null in legacy_samples: ml_training/XRPUSDT/features/b.npy: 1 values of metadata.spread do not fit"
    assert f"{wanted} (first 'wide' in row 1)" in capsys.readouterr().out
    assert len(list(root.quarantined("").parent.glob("*.json"))) == 1


def test_nothing_to_migrate_is_two(old, capsys):
    """A misspelt path."""
    code, answer = run(capsys, old / "absent")
    assert (code, answer["error"]) == (2, "CaptureError")


def test_candles_get_their_times_from_the_options(old, root, capsys):
    """Start and symbols belong together, and the symbols must be listed."""
    configuration = Config(root.captures, *default_dates(), (Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1),))
    durable.write_text(root.config, config.render(configuration))
    np.save(old / "hlcv.npy", np.full((2, 1, 4), 5.0))
    assert run(capsys, old, "--candles-start", "2025-03-01")[1]["error"] == "SettingsError"
    options = ["--candles-start", "2025-03-01", "--candles-symbols"]
    assert run(capsys, old, *options, "ETHUSDT")[1]["error"] == "InstrumentError"
    code, report = run(capsys, old, *options, "BTCUSDT")
    assert (code, report["tables"]["legacy_candles"]["kept"]) == (0, 2)
