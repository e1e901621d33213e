"""Purged walk-forward folds, against purgedcv and against their definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import DatasetError
from ml.learning.splits import edges, last_block, seal, walk_forward
from tests.oracles import splits as oracle
from tests.support.examples import examples

SECOND = 10**9


@st.composite
def labels(draw):
    n = draw(st.integers(60, 200))
    start = np.sort(draw(st.lists(st.integers(0, 400), min_size=n, max_size=n)))
    horizon = draw(st.lists(st.integers(1, 12), min_size=n, max_size=n))
    order = np.array(draw(st.permutations(range(n))))
    start = np.array(start, np.int64) * SECOND
    return start[order], (start + np.array(horizon, np.int64) * SECOND)[order]


@pytest.mark.promise("D9")
@settings(max_examples=examples(20, 60), deadline=None)
@given(labels(), st.sampled_from([0, 5 * SECOND]))
def test_no_training_label_touches_the_test_span(times, embargo):
    """For any labels in any order: training lies before the test, purged, and every late row is tested once."""
    start, end = times
    try:
        folds = walk_forward(start, end, 0.5, 3, embargo)
    except DatasetError:
        return
    tested = np.concatenate([fold.test for fold in folds])
    assert len(set(tested.tolist())) == len(tested)
    assert set(tested.tolist()) == set(np.flatnonzero(start >= edges(start, 0.5, 3)[0]).tolist())
    for fold in folds:
        span = start[fold.test].min(), end[fold.test].max()
        assert (end[fold.train] <= span[0] - embargo).all()
        kept = set(fold.train.tolist())
        dropped = [i for i in range(len(start)) if i not in kept and start[i] < span[1] and end[i] <= span[0] - embargo]
        assert dropped == []
        assert (np.diff(start[fold.train]) >= 0).all()


@settings(max_examples=examples(20, 60), deadline=None)
@given(labels(), st.sampled_from([0, 5 * SECOND]), st.booleans(), st.sampled_from([0.02, 0.1]))
def test_folds_are_those_of_loops(times, embargo, sliding, share):
    """Row by row: expanding or sliding, and the sealed newest slice."""
    start, end = times
    try:
        folds = walk_forward(start, end, 0.5, 5, embargo, sliding)
    except DatasetError:
        return
    expected = oracle.walk_forward(start.tolist(), end.tolist(), 0.5, 5, embargo, sliding)
    assert [(sorted(f.train.tolist()), sorted(f.test.tolist())) for f in folds] == expected
    looked_at, sealed = (sorted(part.tolist()) for part in seal(folds[-1], start, end, share))
    assert (looked_at, sealed) == oracle.seal(expected[-1][1], start.tolist(), end.tolist(), share)
    if sliding:
        assert max(len(fold.train) for fold in folds) == len(folds[0].train)


@settings(max_examples=30, deadline=None)
@given(labels())
def test_purging_agrees_with_purgedcv(times):
    """The rows that an independent library purges around our test spans are those that we drop."""
    from purgedcv import purge as theirs

    start, end = (np.sort(t) for t in times)
    try:
        folds = walk_forward(start, end, 0.5, 3, 0)
    except DatasetError:
        return
    t0 = pd.Series(pd.to_datetime(start))
    t1 = pd.Series(pd.to_datetime(end))
    for fold in folds:
        before = np.arange(fold.test.min())
        kept = theirs(before, fold.test, t0, t1)
        np.testing.assert_array_equal(np.sort(kept), np.sort(fold.train))


def test_the_last_block_is_as_long_as_asked():
    """The training block that the train score is taken on is the newest."""
    start = np.arange(1_000, dtype=np.int64) * SECOND
    fold = walk_forward(start, start + 10 * SECOND, 0.4, 5, 60 * SECOND)[-1]
    assert last_block(fold, 50).tolist() == fold.train[-50:].tolist()
    assert fold.train.max() < fold.test.min() - 60


def test_too_few_rows_are_refused():
    """A fold without training rows is no fold."""
    start = np.arange(20, dtype=np.int64) * SECOND
    with pytest.raises(DatasetError, match="no training rows"):
        walk_forward(start, start + 100 * SECOND, 0.2, 5, 0)
    with pytest.raises(DatasetError, match="no test rows"):
        walk_forward(np.zeros(4, np.int64), np.ones(4, np.int64), 0.5, 5, 0)
