"""Paths as other programs must be told them."""

import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from ml.core import addresses
from ml.core.addresses import addressable, command, read_only, sqlite_url
from ml.core.errors import StoreError
from ml.core.paths import DataRoot
from tests.architecture.sources import PROJECT

ODD = "x [y]#1%20?'\"é"


def test_sqlalchemy_and_sqlite_open_the_very_file(tmp_path):
    """Not one whose name ends before the question mark."""
    database = tmp_path / ODD / "a?b" / "m.db"
    database.parent.mkdir(parents=True)
    engine = sqlalchemy.create_engine(sqlite_url(database))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table t as select 7 as n"))
    engine.dispose()
    with closing(read_only(database)) as connection:
        assert connection.execute("select n from t").fetchall() == [(7,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("delete from t")
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


@pytest.mark.parametrize("name", ["x [y]", "x*", "x?y", ODD])
def test_dagster_reads_its_configuration_in_any_folder(tmp_path, name):
    """It takes the path for a pattern: without a link it would send statistics and launch runs its own way."""
    home = tmp_path / name
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(addressable(home))) as instance:
        assert not instance.telemetry_enabled
        assert Path(instance.root_directory).resolve() == home


def test_only_a_pattern_needs_a_link(tmp_path, monkeypatch):
    """The link is the same each time; without a place for it the error says what to set."""
    assert addressable(tmp_path / "x y]#%") == tmp_path / "x y]#%"
    odd = tmp_path / ODD
    assert addressable(odd) == addressable(odd) != addressable(tmp_path / "?")
    assert addressable(odd).resolve() == odd
    monkeypatch.setattr(addresses, "private_temporary", lambda: None)
    with pytest.raises(StoreError, match="TMPDIR"):
        addressable(odd)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1))
def test_a_printed_command_is_what_a_shell_reads(name):
    """Whatever the data root is called."""
    root = DataRoot(PROJECT / name)
    assert shlex.split(command(root, "make", "ui")) == [f"LOBFORGE_DATA_ROOT={root.root}", "make", "ui"]


def test_a_shell_gives_the_root_to_the_command(tmp_path):
    """As a person does who copies the line."""
    line = command(DataRoot(tmp_path / ODD), "printenv", "LOBFORGE_DATA_ROOT")
    assert (
        subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout == f"{tmp_path / ODD}\n"
    )


def test_paths_become_texts_for_other_programs_in_one_place():
    """Polars, DuckDB and SQLAlchemy get paths from `ml.core.addresses` alone; bytes and open files are no paths."""
    told = re.compile(r"(scan_|read_)(parquet|csv|ndjson|ipc)\((?!path\.read_bytes\(\)|\{)|sqlite:///|\?mode=")
    rooms = ("assets", "cli", "live", "ml", "pipelines")
    sources = [path for room in rooms for path in (PROJECT / room).rglob("*.py")]
    assert [p.name for p in sources if told.search(p.read_text())] == ["addresses.py"]
