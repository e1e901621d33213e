"""Three baselines, two of which are models like any other."""

import numpy as np

from ml.learning.models import baselines
from tests.support.panels import rows_of


def test_the_last_direction_is_that_of_the_horizon_that_has_just_ended():
    """Per instrument, and never of a label that is still open."""
    start = np.array([0, 1, 2, 10, 11, 12, 12])
    end = start + 10
    group = np.array(["a", "a", "b", "a", "a", "a", "b"])
    direction = np.array([2, 0, 2, 1, 1, 1, 1], np.int8)
    assert baselines.last_directions(direction, start, end, group).tolist() == [1, 1, 1, 2, 0, 0, 2]


def data(direction_of):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(3_000, 3)).astype(np.float32)
    direction = direction_of(features).astype(np.int8)
    found = rows_of(features, direction, np.arange(3_000))
    found.names[:] = ["other", "qi_1", "qi_5"]
    return found


def test_majority_and_imbalance():
    """The most frequent class; and a linear view of the imbalances alone."""
    rows = data(lambda f: np.clip(np.round(f[:, 1] * 1.5), -1, 1) + 1)
    every = np.arange(3_000)
    none = np.ones(3_000, np.int8)
    found = baselines.answers(baselines.fit(rows, every), rows.features, none)
    assert tuple(found) == baselines.NAMES
    assert set(found["majority"]) == {np.bincount(rows.direction).argmax()}
    assert (found["logistic_imbalance"] == rows.direction).mean() > 0.75
    blind = rows.features.copy()
    blind[:, 0] = 0
    again = baselines.answers(baselines.fit(rows, every), blind, none)
    np.testing.assert_array_equal(again["logistic_imbalance"], found["logistic_imbalance"])
    assert found["last_direction"].tolist() == none.tolist()


def test_the_regression_is_that_of_scikit_learn():
    """The same probabilities from the numbers alone, also where the training rows have two classes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for direction_of in (lambda f: np.clip(np.round(f[:, 1]), -1, 1) + 1, lambda f: np.where(f[:, 1] > 0, 2, 0)):
        rows = data(direction_of)
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500))
        model.fit(rows.features[:, 1:], rows.direction)
        p = (
            baselines.LogisticImbalance()
            .fit(rows, np.arange(3_000), baselines.NoOptions())
            .predict_proba(rows.features)
        )
        np.testing.assert_allclose(p[:, model.classes_], model.predict_proba(rows.features[:, 1:]), atol=1e-5)
        assert np.allclose(p.sum(axis=1), 1)
