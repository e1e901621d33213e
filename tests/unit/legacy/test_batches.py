"""One batch of the collector."""

import json

import numpy as np
import pytest

from ml.core.errors import SourceRefused
from ml.legacy import batches
from ml.legacy.columns import FEATURES_112
from ml.legacy.parts import opened
from ml.legacy.sources import find
from tests.support import legacy_files as files


def read(root):
    (source,) = find(root).of("batch")
    return batches.read(opened(source), "bybit-linear")


@pytest.fixture
def written(tmp_path):
    """Writes a batch of twenty samples and reads it."""
    ts = files.times(20)
    mids = files.prices(20)

    def write(**options):
        paths = files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids, **options)
        return paths, lambda: read(tmp_path)

    return write, ts, mids


@pytest.mark.parametrize("width", [110, 112])
def test_columns_have_their_names_by_width(written, width):
    """The array's width counts, whatever the metadata say; the two that are lacking are null."""
    write, ts, mids = written
    (path, *_), part = write(width=width)
    frame = part().frame
    array = np.load(path)
    assert frame["ts"].to_list() == [t * 10**6 for t in ts]
    assert frame["current_mid_price"].to_list() == mids
    for k, name in enumerate(FEATURES_112):
        expected = array[:, k].tolist() if k < width else [None] * 20
        assert frame[name].to_list() == expected, name


@pytest.mark.parametrize("scaled", [True, False])
def test_scaled_features_are_told_by_the_price(written, scaled):
    """Nothing in the files says it: column 2 against the metadata."""
    write, *_ = written
    part = write(scaled=scaled)[1]()
    assert part.frame["features_scaled"].unique().to_list() == [scaled]
    assert part.facts["scaled"]["bybit-linear.BTCUSDT"]["compared"] == 20


def test_the_first_versions_are_read(written):
    """One key for the signal, labels without time."""
    write, ts, _ = written
    frame = write(first=True, stamped=False)[1]().frame
    assert frame["signal_type"].unique().to_list() == ["buy"]
    assert frame["ts"].to_list() == [t * 10**6 for t in ts]


@pytest.mark.parametrize("lost", [1, 2])
def test_one_json_file_may_be_missing(written, lost):
    """Either says times and prices."""
    write, ts, mids = written
    paths, part = write()
    paths[lost].unlink()
    frame = part().frame
    assert (frame["ts"].to_list(), frame["current_mid_price"].to_list()) == ([t * 10**6 for t in ts], mids)


def test_without_any_time_a_batch_is_refused(written):
    """The name's date is that of the save."""
    write, *_ = written
    paths, part = write(stamped=False)
    paths[2].unlink()
    with pytest.raises(SourceRefused) as refused:
        part()
    assert (refused.value.reason, refused.value.rows) == ("no_timestamps", 20)


def test_metadata_of_another_batch_are_refused(written):
    """A restarted process overwrote some of the files: prices betray it where times are missing."""
    write, *_ = written
    paths, part = write(stamped=False)
    document = json.loads(paths[2].read_text())
    document["samples"][4]["mid_price"] *= 1.01
    paths[2].write_text(json.dumps(document))
    with pytest.raises(SourceRefused, match="0 times and 1 prices"):
        part()


def test_what_is_not_finite_becomes_null_and_is_counted(written):
    """NaN and infinity in the array; NaN as Python writes it in the JSON."""
    write, _, mids = written
    array = files.features(mids)
    array[1, 7] = np.nan
    array[2, 8] = np.inf
    array[3, 9] = -np.inf
    paths, part = write(array=array)
    paths[1].write_text(paths[1].read_text().replace('"current_imbalance": 0.5', '"current_imbalance": NaN'))
    found = part()
    assert found.not_finite == {"nan": 21, "infinite": 2}
    assert found.frame.select(FEATURES_112).null_count().sum_horizontal().item() == 3
    assert found.frame["book_imbalance"].to_list() == [0.5] * 20  # the metadata's


def test_the_strength_of_a_signal_is_a_word(written):
    """In the metadata of the collector, and in its labels, which count first."""
    paths, part = written[0]()
    assert part().frame["signal_strength"].to_list() == ["WEAK"] * 20
    labels = json.loads(paths[1].read_text())
    labels[3]["signal_strength"] = "STRONG"
    paths[1].write_text(json.dumps(labels))
    found = part()
    assert found.frame["signal_strength"].to_list() == ["WEAK"] * 3 + ["STRONG"] + ["WEAK"] * 16
    assert found.invalid == {}


def test_values_that_do_not_fit_are_named_with_their_rows(written):
    """In either JSON file: the row stays, its value is null, and the proof says which one it was."""
    paths, part = written[0](stamped=False)
    document, labels = (json.loads(paths[k].read_text()) for k in (2, 1))
    document["samples"][2] |= {"spread": "wide", "manipulation_detected": "perhaps", "symbol": 7, "mood": "calm"}
    document["samples"][4]["spread"] = "0.25"
    labels[1] |= {"signal_confidence": [0.7], "future_movement_10s": "up", "current_mid_price": -1.0}
    labels[5]["future_direction_60s"] = 7
    paths[2].write_text(json.dumps(document))
    paths[1].write_text(json.dumps(labels))
    labels[1]["current_mid_price"] = document["samples"][1]["mid_price"]
    with pytest.raises(SourceRefused, match="0 times and 1 prices"):
        part()
    paths[1].write_text(json.dumps(labels))
    found = part()
    assert {name: values for name, values in found.invalid.items() if "direction" not in name} == {
        "metadata.spread": {2: "wide"},
        "metadata.manipulation_detected": {2: "perhaps"},
        "labels.signal_confidence": {1: "[0.7]"},
        "labels.future_movement_10s": {1: "up"},
    }
    assert found.unread == ["metadata.mood"]
    assert found.frame["spread"][4] == 0.25
    assert found.frame["spread"].null_count() == 1
    assert found.frame["instrument"].n_unique() == 2
    counted = sum(len(values) for name, values in found.invalid.items() if "direction" in name)
    given = sum(row[f"future_direction_{h}s"] is not None for row in labels for h in (10, 30, 60))
    assert (found.facts["label_codes"], counted) == ("bad", given)


@pytest.mark.parametrize(
    ("other", "scaled"), [("later", True), ("later", False), ("next", True), ("next", False), ("percent", False)]
)
def test_features_of_another_batch_are_refused(tmp_path, other, scaled):
    """A restarted process overwrote the array alone: its prices tell where they are raw, their steps where scaled."""
    ts = files.times(60)
    mids = files.prices(61)
    wrong = {"later": files.prices(60, 9), "next": mids[1:], "percent": [mid * 1.01 for mid in mids[:60]]}[other]
    files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids[:60], array=files.features(wrong, scaled=scaled))
    with pytest.raises(SourceRefused, match="mid_price") as refused:
        read(tmp_path)
    assert (refused.value.reason, refused.value.rows) == ("mixed_batch", 60)


@pytest.mark.parametrize("level", [1.0, 0.00001, 90_000.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_features_of_a_batch_are_its_own(tmp_path, level, seed):
    """Raw or scaled piece by piece with other parameters, at any level of prices, with rows that say nothing."""
    mids = [price / 50_000 * level for price in files.prices(80, seed)]
    mids[10:15] = [mids[10]] * 5
    pieces = [files.features(mids[:40], scaled=True), files.features(mids[40:], scaled=True), files.features(mids)]
    scaled = np.concatenate(pieces[:2])
    scaled[7, 2] = np.nan
    for array, verdict in ((scaled, True), (pieces[2], False)):
        files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", files.times(80), mids, array=array)
        assert read(tmp_path).frame["features_scaled"].unique().to_list() == [verdict]


def test_labels_and_metadata_may_write_one_time_in_two_ways(written):
    """As text, or in another unit; a time that is none gives way to the other file's."""
    write, ts, _ = written
    paths, part = write()
    document = json.loads(paths[2].read_text())
    for k, sample in enumerate(document["samples"]):
        sample["timestamp"] = [files.iso(ts[k]), ts[k] * 1_000, 0][k % 3]
    paths[2].write_text(json.dumps(document))
    assert part().frame["ts"].to_list() == [t * 10**6 for t in ts]


def test_an_empty_list_of_samples_is_no_missing_file(written):
    """It cannot be said which rows were lost."""
    paths, part = written[0]()
    paths[2].write_text(json.dumps({"samples": []}))
    with pytest.raises(SourceRefused, match="20 rows of features, 0 of metadata"):
        part()
