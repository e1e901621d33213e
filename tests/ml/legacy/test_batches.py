"""One batch of the collector."""

import json

import numpy as np
import pytest

from ml.errors import SourceRefused
from ml.legacy import batches
from ml.legacy.columns import FEATURES_112
from ml.legacy.parts import opened
from ml.legacy.sources import find
from tests import legacy_files as files


def read(root):
    (source,) = find(root).of("batch")
    return batches.read(opened(source), "bybit-linear")


@pytest.fixture
def written(tmp_path):
    """Writes a batch of twenty samples and reads it."""
    ts, mids = files.times(20), files.prices(20)

    def write(**options):
        paths = files.batch(tmp_path, "BTCUSDT", "2025-11-07_batch_0001", ts, mids, **options)
        return paths, lambda: read(tmp_path)

    return write, ts, mids


@pytest.mark.parametrize("width", [110, 112])
def test_columns_have_their_names_by_width(written, width):
    """The array's width counts, whatever the metadata say; the two that are lacking are null."""
    write, ts, mids = written
    (path, *_), part = write(width=width)
    frame, array = part().frame, np.load(path)
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
    array[1, 7], array[2, 8], array[3, 9] = np.nan, np.inf, -np.inf
    paths, part = write(array=array)
    paths[1].write_text(paths[1].read_text().replace('"current_imbalance": 0.5', '"current_imbalance": NaN'))
    found = part()
    assert found.facts["not_finite"] == {"nan": 1, "infinite": 2}
    assert found.frame.select(FEATURES_112).null_count().sum_horizontal().item() == 3
    assert found.frame["book_imbalance"].to_list() == [0.5] * 20  # the metadata's
