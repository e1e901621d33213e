"""The join of features and labels."""

import polars as pl
import pytest

from ml.datasets.training_features import join


def test_every_sample_stands_once_in_order_of_time():
    """No row is dropped, whichever side lacks it."""
    features = pl.DataFrame({"ts": [1, 2, 3], "x": [0.1, None, 0.3]})
    labels = pl.DataFrame({"ts": [2, 3, 4], "movement_10s": [0.0, None, 1.0]})
    joined = join(features, labels, "sim.X")
    assert joined.rows() == [
        ("sim.X", 1, 0.1, None),
        ("sim.X", 2, None, 0.0),
        ("sim.X", 3, 0.3, None),
        ("sim.X", 4, None, 1.0),
    ]


def test_a_repeated_time_is_an_error():
    """Two labels for one sample would double it."""
    features, labels = pl.DataFrame({"ts": [1]}), pl.DataFrame({"ts": [1, 1], "movement_10s": [0.0, 1.0]})
    with pytest.raises(pl.exceptions.ComputeError):
        join(features, labels, "sim.X")
