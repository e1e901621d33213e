"""The join of features and labels."""

import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.learning.training_features import join


def test_every_sample_stands_once_in_order_of_time():
    """Features and labels of a sample side by side; no row is dropped, nulls included."""
    features = pl.DataFrame({"ts": [1, 3, 2], "x": [0.1, 0.3, None]})
    labels = pl.DataFrame({"ts": [2, 3, 1], "movement_10s": [0.0, None, 1.0]})
    assert join(features, labels, "sim.X").rows() == [
        ("sim.X", 1, 0.1, 1.0),
        ("sim.X", 2, None, 0.0),
        ("sim.X", 3, 0.3, None),
    ]


@pytest.mark.parametrize(
    ("of", "also", "told"),
    [([1, 2, 3], [2, 3], "1 times .*first 1, in features"), ([2], [2, 3, 4], "2 times .*first 3, in labels")],
)
def test_other_samples_are_an_error(of, also, told):
    """A null that nobody explains would stand beside one that has a reason."""
    features = pl.DataFrame({"ts": of})
    labels = pl.DataFrame({"ts": also, "movement_10s": [0.0] * len(also)})
    with pytest.raises(DatasetError, match=told):
        join(features, labels, "sim.X")


def test_a_repeated_time_is_an_error():
    """Two labels for one sample would double it."""
    features = pl.DataFrame({"ts": [1]})
    labels = pl.DataFrame({"ts": [1, 1], "movement_10s": [0.0, 1.0]})
    with pytest.raises(pl.exceptions.ComputeError):
        join(features, labels, "sim.X")
