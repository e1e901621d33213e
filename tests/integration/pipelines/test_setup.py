"""A data root is created once, whoever comes first, and healed."""

import json
import os
import sqlite3
import subprocess
import sys

import polars as pl
import pytest

from ml.core import config
from ml.storage import commit
from pipelines import setup
from pipelines.demo import default_config
from pipelines.setup import initialise
from tests.architecture.sources import PROJECT

FRAME = pl.DataFrame({"ts": [1, 2]})


@pytest.mark.slow
def test_many_first_starts_at_once_all_succeed(tmp_path):
    """Two processes on an empty folder: each returns 0, each thing is done once, and the stores are whole."""
    command = [sys.executable, "-m", "cli", "init", "--json"]
    environment = os.environ | {"LOBFORGE_DATA_ROOT": str(tmp_path / "data")}
    started = [
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    answers = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 2, answers
    done = [line for out, _ in answers for line in json.loads(out)["done"]]
    assert sorted(line.split(" ")[0] for line in done) == ["added", "created", "created", "wrote"]
    for database in (tmp_path / "data").rglob("*.db"):
        with sqlite3.connect(database) as connection:
            assert connection.execute("pragma quick_check").fetchone() == ("ok",)


def test_everything_is_made_below_the_data_root(created):
    """Configuration, instance without telemetry, model store; the file says what was asked for."""
    root, done = created
    assert [line.split(" ")[0] for line in done] == ["wrote", "created", "added", "created"]
    assert config.load(root).instruments == default_config().instruments
    assert (root.dagster_home / "dagster.yaml").read_text().endswith((PROJECT / "dagster.yaml").read_text())
    assert (root.mlflow / "mlflow.db").exists()
    assert list(root.dagster_home.rglob("*.db"))


def test_a_second_time_there_is_nothing_to_do(home):
    """And a configuration that a person edited is left alone."""
    edited = home.config.read_text() + "# mine\n"
    home.config.write_text(edited)
    assert initialise(home, default_config()) == []
    assert home.config.read_text() == edited


def test_what_a_killed_process_left_is_healed(home):
    """A staged leftover goes, and a file without an entry is listed."""
    path = home.partition("trades", "2025-03-03", "sim.X")
    commit.publish(home, "trades", path, FRAME, "v")
    home.manifest("trades").unlink()
    leftover = home.staging / "features" / "1-half.parquet"
    leftover.parent.mkdir(parents=True, exist_ok=True)
    leftover.write_bytes(b"PAR1")
    assert sorted(initialise(home, default_config())) == [
        "features: removed the unfinished 1-half.parquet",
        f"trades: listed {path.name}, which stood in place without an entry",
    ]
    assert initialise(home, default_config()) == []


def test_an_older_instance_configuration_is_updated_unless_somebody_changed_it(home, monkeypatch, tmp_path):
    """What lobforge wrote follows the version of lobforge; a changed file stays as it is."""
    path = home.dagster_home / "dagster.yaml"
    monkeypatch.setattr(setup, "PROJECT", tmp_path)
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    assert initialise(home, default_config()) == [f"updated {path}"]
    assert path.read_text().endswith("telemetry:\n  enabled: false\n")
    edited = path.read_text() + "nux:\n  enabled: false\n"
    path.write_text(edited)
    (tmp_path / "dagster.yaml").write_text("")
    assert initialise(home, default_config()) == []
    assert path.read_text() == edited
