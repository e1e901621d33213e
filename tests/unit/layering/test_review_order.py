"""The next cue to review is open and unlike what was reviewed."""

import numpy as np

from ml.layering.review_order import next_to_review


def test_the_most_open_cue_comes_first():
    """All equally far from each other: the score alone decides."""
    scores = np.array([0.9, 0.52, 0.1, 0.4])
    features = np.eye(4) * 10
    assert next_to_review(scores, features, np.zeros(4, bool), 2)[0] == 1


def test_a_copy_of_a_reviewed_cue_waits():
    """Equally open cues: first the one that is unlike."""
    scores = np.array([0.5, 0.5, 0.5, 0.5])
    features = np.array([[0.0, 0.0], [0.0, 0.01], [5.0, 5.0], [5.0, 5.01]])
    reviewed = np.array([True, False, False, False])
    found = next_to_review(scores, features, reviewed, 3)
    assert found[0] in (2, 3)
    assert sorted(found) == [1, 2, 3]
    assert set(found[1:]) == {1, 5 - found[0]}


def test_disputed_cues_come_before_all():
    scores = np.array([0.5, 0.99, 0.5])
    disputed = np.array([False, True, False])
    assert next_to_review(scores, np.zeros((3, 1)), np.zeros(3, bool), 2, disputed)[0] == 1


def test_what_was_reviewed_does_not_come_again():
    """Fewer are given where fewer are left; unknown features do not matter."""
    features = np.array([[np.nan, 1.0], [np.nan, 2.0], [np.nan, 3.0]])
    assert next_to_review(np.full(3, 0.5), features, np.array([True, False, True]), 5) == [1]
    assert next_to_review(np.full(3, 0.5), features, np.ones(3, bool), 5) == []
    assert next_to_review(np.zeros(0), np.zeros((0, 2)), np.zeros(0, bool), 5) == []
