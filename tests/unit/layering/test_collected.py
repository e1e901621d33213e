"""Cues of a running capture reach the disk by the hundred and at its end, readable as the predecessor's files."""

import json

import polars as pl
import pytest

from ml.core.instruments import Instrument
from ml.layering.collected import CueFiles
from ml.layering.features import NAMES
from ml.layering.patterns import COLUMNS, write
from tests.support.voted import cues

INSTRUMENT = Instrument("bybit-linear.BTCUSDT", 1, 3, 1, 1)
START = 1_740_960_000 * 10**9


def row(k):
    """What a live runner says of a cue."""
    cue = {
        "id": f"{INSTRUMENT.id}-{START + k * 10**9}-ask",
        "side": "ask",
        "start": START + k * 10**9 - 5,
        "end": START + k * 10**9,
        "last_pull": START + k * 10**9 - 1,
        "prices": [100.1, 100.3],
        "volume": 2.5,
        "score": 0.9,
        "features": dict.fromkeys(NAMES, 0.5) | {"layers": 2.0},
    }
    return {"instrument": INSTRUMENT.id, "ts": cue["end"], "cue": cue}


def test_a_file_for_each_hundred_and_the_rest_at_the_end(tmp_path):
    """Names are the times of their first cues; the statistics count what is on disk."""
    told = []
    files = CueFiles(tmp_path / "layering", {INSTRUMENT.id: INSTRUMENT}, told.append)
    for k in range(230):
        files.take(row(k))
        assert len(files) == (k + 1) % 100
    names = ["layering_data_20250303_000000.parquet", "layering_data_20250303_000140.parquet"]
    assert sorted(path.name for path in (tmp_path / "layering").glob("*.parquet")) == names
    files.save()
    files.save()  # nothing waits
    assert [entry["cues_saved"] for entry in told] == [100, 100, 30]
    rows = pl.concat(pl.read_parquet(path) for path in sorted((tmp_path / "layering").glob("*.parquet")))
    assert rows.columns == list(COLUMNS)
    assert rows["timestamp"].to_list() == [(START + k * 10**9) // 10**6 for k in range(230)]
    assert rows["total_volume_usdt"].to_list() == pytest.approx([2.5 * 100.2] * 230)
    assert rows["is_true_layering"].null_count() == 230
    counted = json.loads((tmp_path / "layering" / "statistics.json").read_text())
    assert (counted["total_collected"], counted["total_saved"], len(counted["added"])) == (230, 230, 3)


def test_a_capture_that_goes_on_adds_to_what_is_there(tmp_path):
    """A later process counts on; cues of one second share a file, and none is lost."""
    for _ in range(2):
        files = CueFiles(tmp_path, {INSTRUMENT.id: INSTRUMENT}, lambda _: None)
        files.take(row(0))
        files.save()
    (path,) = tmp_path.glob("*.parquet")
    assert pl.read_parquet(path).height == 2
    assert json.loads((tmp_path / "statistics.json").read_text())["total_saved"] == 2


def test_the_data_set_takes_their_place_once_it_has_their_cues(tmp_path):
    """A day that is not stored yet keeps its file, however often the data set is written; then each cue stands once."""
    dataset = cues(120)
    files = CueFiles(tmp_path, {INSTRUMENT.id: INSTRUMENT}, lambda _: None)
    files.take(row(0))
    files.save()
    (added,) = tmp_path.glob("*.parquet")
    for _ in range(2):
        assert write(tmp_path, dataset) == 2
        assert added.exists()
        assert len(list(tmp_path.glob("*.parquet"))) == 3
    its_own = dataset.head(1).with_columns(instrument=pl.lit(INSTRUMENT.id), ts=pl.lit(START)).cast(dataset.schema)
    assert write(tmp_path, pl.concat([its_own, dataset])) == 2
    rows = pl.concat(pl.read_parquet(path) for path in tmp_path.glob("*.parquet"))
    assert rows.height == rows["data_id"].n_unique() == 121
    assert json.loads((tmp_path / "statistics.json").read_text())["total_collected"] == 121


def test_the_predecessors_own_folder_is_left_as_it_is(tmp_path):
    (tmp_path / "statistics.json").write_text('{"total_collected": 5}')
    told = []
    files = CueFiles(tmp_path, {INSTRUMENT.id: INSTRUMENT}, told.append)
    files.take(row(0))
    files.save()
    assert told == []
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.json"]
