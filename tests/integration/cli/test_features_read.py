"""`lobforge features read`: what it tells, writes and keeps."""

import json
from time import time_ns

import numpy as np
import polars as pl
import pytest

from ml.feature_store import datasets
from ml.feature_store.latest import NewestWriter
from ml.feature_store.query import Query
from tests.support.command import lobforge
from tests.unit.feature_store.test_rows import put
from tests.unit.labels.test_future import walk


@pytest.fixture
def stored(root, monkeypatch):
    """One day in the store of the settings."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    put(root, walk(100))
    return root


def run(capsys, *arguments):
    code = lobforge("features", "read", *arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.arrow"])
def test_rows_are_told_and_written(stored, capsys, tmp_path, name):
    """Counts and nulls; the file holds the rows of the query."""
    code, told = run(capsys, "--columns", "ofi_30s,movement_10s", "--to", tmp_path / name)
    assert (code, told["rows"], told["nulls"]) == (0, 100, {"movement_10s": 10})
    reader = {"x.parquet": pl.read_parquet, "x.csv": pl.read_csv, "x.arrow": pl.read_ipc}[name]
    assert reader(tmp_path / name)["ofi_30s"].to_list() == [float(k) for k in range(100)]


def test_a_cut_and_a_kept_dataset(stored, capsys):
    """The id is that of the same query in Python."""
    code, told = run(capsys, "--known-by", "2025-03-03T23:59:00", "--keep")
    query = Query(known_by=told["dataset"]["query"]["known_by"])
    assert (code, told["rows"]) == (0, 40)
    assert told["dataset"] == datasets.keep(stored, query)


@pytest.mark.parametrize("wrong", [["--known-by", "noon"], ["--to", "x.pkl"], ["--columns", "nothing"]])
def test_what_has_no_sense_is_two(stored, capsys, wrong):
    """With the reason."""
    code, answer = run(capsys, *wrong)
    assert (code, set(answer)) == (2, {"error", "message"})


def put_newest(root, name, age):
    """A row of so many seconds ago."""
    now = time_ns()
    writer = NewestWriter(root, name, ("base_110", "0" * 16), ["qi_1", "vpin"], ["book", "trades"])
    writer.put(now - round(age * 1e9), now, np.array([0.5, np.nan]), np.array([0, 3], np.uint8))


def test_the_newest_rows(root, capsys, monkeypatch):
    """Values, reasons, times and age of each instrument; one that is old makes it 1."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    put_newest(root, "sim.A", 0.0)
    put_newest(root, "sim.B", 9.0)
    code, told = run(capsys, "--last")
    assert (code, [row["instrument"] for row in told["rows"]]) == (1, ["sim.A", "sim.B"])
    assert [row["old"] for row in told["rows"]] == [False, True]
    assert told["rows"][1]["age_s"] >= 9.0
    assert told["rows"][0]["values"] == {"qi_1": 0.5, "vpin": None}
    assert told["rows"][0]["reasons"] == {"book": None, "trades": "warm_up"}
    assert run(capsys, "--last", "--instrument", "sim.A")[0] == 0
    assert run(capsys, "--last", "--instrument", "sim.B", "--max-age", "60")[0] == 0


def test_people_see_the_newest_row(root, capsys, monkeypatch):
    """A line a part."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    put_newest(root, "sim.A", 0.0)
    assert lobforge("features", "read", "--last") == 0
    assert "instrument: sim.A" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--last"], ["--last", "--instrument", "sim.A"]])
def test_nobody_runs_live(root, capsys, monkeypatch, arguments):
    """An error that says what to start."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    code, answer = run(capsys, *arguments)
    assert (code, answer["error"]) == (2, "DatasetError")
    assert "--mode FULL" in answer["message"]


def test_the_newest_row_takes_no_options_of_stored_ones(root, capsys, monkeypatch):
    """They would do nothing, and not say so."""
    monkeypatch.setenv("LOBFORGE_DATA_ROOT", str(root.root))
    put_newest(root, "sim.A", 0.0)
    code, answer = run(capsys, "--last", "--keep", "--start-date", "2025-03-03")
    assert (code, answer["error"]) == (2, "SettingsError")
    assert "--start-date, --keep" in answer["message"]


def test_the_verb_reads(stored, capsys):
    """`lobforge features read`."""
    assert lobforge("features", "read") == 0
    assert "rows: 100" in capsys.readouterr().out
