"""Three baselines."""

import numpy as np

from ml.learning.models import baselines


def test_the_last_direction_is_that_of_the_horizon_that_has_just_ended():
    """Per instrument, and never of a label that is still open."""
    start = np.array([0, 1, 2, 10, 11, 12, 12])
    end = start + 10
    group = np.array(["a", "a", "b", "a", "a", "a", "b"])
    direction = np.array([2, 0, 2, 1, 1, 1, 1], np.int8)
    assert baselines.last_directions(direction, start, end, group).tolist() == [1, 1, 1, 2, 0, 0, 2]


def test_majority_and_imbalance():
    """The most frequent class; and a linear view of the imbalances alone."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(3_000, 3))
    direction = np.clip(np.round(features[:, 1] * 1.5), -1, 1).astype(np.int8) + 1
    fitted = baselines.fit(features, direction, ["other", "qi_1", "qi_5"])
    none = np.ones(3_000, np.int8)
    assert set(fitted["majority"].directions(features, none)) == {np.bincount(direction).argmax()}
    seen = fitted["logistic_imbalance"].directions(features, none)
    assert (seen == direction).mean() > 0.75
    blind = features.copy()
    blind[:, 0] = 0
    np.testing.assert_array_equal(fitted["logistic_imbalance"].directions(blind, none), seen)
    assert fitted["last_direction"].directions(features, none).tolist() == none.tolist()
