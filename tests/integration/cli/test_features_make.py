"""`lobforge features make`: the assets' tables straight from capture files."""

import json

import polars as pl
import pytest

from ml.storage import commit
from tests.support.command import lobforge
from tests.support.scenario import INSTRUMENT, capture, diff, snapshot

T = 1_741_046_400_000
"""2025-03-04 in ms."""


@pytest.fixture
def data(root, monkeypatch):
    """A data root of the settings, without a configuration."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    return root


def run(capsys, *arguments):
    code = lobforge("features", "make", *arguments, "--json")
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_files_are_those_of_the_assets_byte_for_byte(ingested, simulated, monkeypatch, capsys, tmp_path):
    """Both days of the captures, an outage in the first and the hour before midnight behind the second."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(ingested.root))
    code, told = run(capsys, simulated, "--to", tmp_path)
    assert code == 0
    assert [(one["instrument"], one["date"]) for one in told] == [
        (INSTRUMENT.id, "2025-03-03"),
        (INSTRUMENT.id, "2025-03-04"),
    ]
    for one in told:
        for table in ("features", "future_labels"):
            made = tmp_path / f"{table}_{INSTRUMENT.id}_{one['date']}.parquet"
            assert str(made) in one["files"]
            assert made.read_bytes() == ingested.partition(table, one["date"], INSTRUMENT.id).read_bytes()
        assert one["rows"] == commit.read(made).select(pl.len()).collect().item()
    assert len(list(tmp_path.iterdir())) == 4


def test_without_a_configuration_the_grid_is_read_off_the_captures(data, simulated, capsys, tmp_path):
    """One chosen day of one chosen instrument; the features are the same, whatever the decimals."""
    chosen = ("--date", "2025-03-04", "--instrument", INSTRUMENT.id)
    code, (told,) = run(capsys, simulated, "--to", tmp_path, *chosen)
    assert (code, told["date"]) == (0, "2025-03-04")
    assert not data.config.exists()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("option", "value"), [("--date", "2025-03-09"), ("--instrument", "binance-usdm.XUSDT")])
def test_what_the_captures_do_not_hold_is_named(data, simulated, capsys, tmp_path, option, value):
    """The error says what there is."""
    code, (told,) = run(capsys, simulated, "--to", tmp_path / "out", option, value)
    assert (code, told["error"]) == (2, "CaptureError")
    assert f"{option} {value} is not in the captures, which hold " in told["message"]
    assert not (tmp_path / "out").exists()


def test_what_is_quarantined_is_told(data, capsys, tmp_path):
    """A line that is no frame by its file, a frame that cannot be used by its day; the return code says so too."""
    docs = [snapshot(1, T), diff(2, 1, T + 100), diff(3, 2, T + 200, [("x", "1")]), diff(3, 2, T + 1_500)]
    file = capture(tmp_path / "a.log", docs)
    file.write_bytes(file.read_bytes() + b"no frame\n")
    code, (lines, day) = run(capsys, file, "--to", tmp_path / "out")
    assert (code, lines) == (1, {"file": "a.log", "quarantined": {"bad_json": 1}})
    assert sum(day["quarantined"].values()) == 1
    assert lobforge("features", "make", file, "--to", tmp_path / "out") == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "a.log: quarantined 1 x bad_json"
    assert "; quarantined 1 x " in told[1]
