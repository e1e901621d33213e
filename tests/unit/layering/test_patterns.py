"""Cues as the predecessor's files, which its own reader takes."""

import json

import polars as pl
import pytest

from ml.layering.patterns import COLUMNS, write
from ml.legacy.parts import Part, Source
from ml.legacy.patterns import read
from tests.conftest import PROJECT
from tests.support.voted import cues

SCHEMA = PROJECT.parent / "shared" / "domain" / "legacy_schema.json"


def test_the_columns_are_the_predecessors():
    if not SCHEMA.exists():
        pytest.skip("NO SCHEMA of the predecessor's files beside the project")
    assert list(COLUMNS) == json.loads(SCHEMA.read_text())["layering_parquet_columns_37"]


def test_what_is_written_is_read_as_the_predecessors(tmp_path):
    """Every cue, with its label, its time and its volume."""
    data = cues(130)
    assert write(tmp_path, data) == 2
    files = sorted(tmp_path.glob("layering_data_????????_??????.parquet"))
    parts = [read(Part(Source("layering", path.name, {"data": path}), path.name, {}), "sim") for path in files]
    rows = pl.concat([part.frame for part in parts])
    assert [part.quarantined for part in parts] == [{}, {}]
    assert rows["data_id"].n_unique() == 130
    assert rows["ts"].to_list() == data["ts"].to_list()
    assert rows["is_true_layering"].cast(pl.Int8).to_list() == data["label"].to_list()
    assert rows["total_volume_btc"].to_list() == data["volume"].to_list()
    told = json.loads((tmp_path / "statistics.json").read_text())
    assert (told["total_collected"], told["total_labeled"], told["class_balance"]["true"]) == (
        130,
        130,
        data["label"].sum(),
    )


def test_files_of_cues_that_are_gone_are_removed(tmp_path):
    """And those of somebody else stay."""
    write(tmp_path, cues(130))
    (tmp_path / "layering_data_20200101_000000.parquet").write_bytes(b"")
    write(tmp_path, cues(50))
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_the_predecessors_own_folder_is_left_as_it_is(tmp_path):
    (tmp_path / "statistics.json").write_text('{"total_collected": 5}')
    assert write(tmp_path, cues(10)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.json"]


def test_files_that_begin_in_the_same_second_lose_no_cue(tmp_path):
    """Cues of many instruments may share a second: they share a file, too."""
    data = cues(250).with_columns(ts=pl.lit(cues(1)["ts"][0]))
    assert write(tmp_path, data) == 1
    assert sum(pl.read_parquet(path).height for path in tmp_path.glob("*.parquet")) == 250
