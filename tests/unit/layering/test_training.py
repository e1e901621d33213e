"""Training and test share nothing, and the figures count what they say."""

import numpy as np
import polars as pl
import pytest

from ml.core.errors import DatasetError
from ml.layering import layout
from ml.layering.benchmark import Fold, Market, Trial, figures, of_market, of_simulator
from ml.layering.calibration import poisson_interval
from ml.layering.features import NAMES
from ml.layering.finder import Found
from ml.layering.training import BUDGETS, Examples, Quiet, train
from ml.simulation.episodes import LAYERING
from ml.simulation.streams import TEST, TRAIN
from tests.support.layered import stump

SECOND = 10**9


def test_training_and_test_share_no_seed_and_no_interval():
    """Of episodes and of markets."""
    assert TRAIN.overlap(TEST) == []


def test_a_variant_is_left_out_whole():
    """With its episodes go all of their clusters."""
    given = Examples(np.zeros((3, 24)), np.array([1, 1, 0]), np.array(["staggered", "moving", ""]))
    assert given.without(["staggered"]).variant.tolist() == ["moving", ""]


def test_one_kind_of_clusters_teaches_nothing():
    with pytest.raises(DatasetError, match="both kinds are needed"):
        train(Examples(np.zeros((3, 24)), np.zeros(3, np.int64), np.array(["", "", ""])))


def found(ts, layers):
    """Bid clusters at times (s)."""
    header = np.zeros((len(ts), layout.HEADER), np.int64)
    header[:, layout.C_TS] = np.array(ts) * SECOND
    header[:, layout.C_SIDE] = 1
    values = np.zeros((len(ts), len(NAMES)))
    values[:, NAMES.index("layers")] = layers
    return Found(header, np.zeros((len(ts), 1), np.int64), values, np.zeros((len(ts), 2)))


def quiet(ts, layers, hours):
    """Clusters of an unplanted market."""
    clusters = found(ts, layers)
    return Quiet(clusters.header[:, layout.C_TS], clusters.header[:, layout.C_SIDE], clusters, hours)


def truth(variant, seconds, sizes, label=1):
    at = [s * SECOND for s in seconds]
    columns = {"variant": [variant] * len(at), "side": [1] * len(at), "first_pull": at, "last_pull": at, "m": sizes}
    return pl.DataFrame(columns | {"label": [label] * len(at)})


def test_recall_false_alarms_and_precision_are_counted():
    """Three episodes of which two are found, three alarms in six hours, and a negative that becomes a cue."""
    fold = Fold(stump("layers", 4.5, -50, 50), dict.fromkeys(BUDGETS, 0.45))
    trials = [
        Trial(found([10, 30], [5, 5]), truth("staggered", [10, 20, 30], [1.0, 2.0, 2.0])),
        Trial(found([10], [5]), truth("iceberg", [10], [1.0], label=0)),
    ]
    market = Market(quiet([], [], 0.0), quiet([10, 100, 200, 300], [5, 4, 6, 7], 6.0), trials)
    told = figures(dict.fromkeys([*LAYERING, "iceberg"], fold), fold, [market], of_simulator)
    assert told["recall"] == {"1": 1.0, "2": 0.5}
    assert told["variants"] == {"staggered": 0.5}
    assert told["hard_negatives"] == {"iceberg": 1.0}
    assert told["false_alarms"] == 3
    assert told["false_alarms_per_hour"] == 0.5
    assert told["false_alarms_interval"] == pytest.approx([bound / 6 for bound in poisson_interval(3)])
    assert told["precision"]["1.0"] == pytest.approx(0.5 / (0.5 + 0.5))
    assert told["delay_ms"]["median"] == 0


def test_a_market_fixes_its_thresholds_with_what_came_before():
    """Where earlier hours have more alarms than the budget allows the threshold rises above their scores."""
    fold = Fold(stump("layers", 4.5, 0.1, 0.9), dict.fromkeys(BUDGETS, 0.4))
    calm = quiet([10], [3], 3.0)
    busy = Market(quiet(range(0, 300, 10), [7] * 30, 3.0), calm, [])
    idle = Market(quiet([10, 20], [3, 3], 3.0), calm, [])
    high = float(fold.scores(busy.before.found)[0])
    assert of_market(fold, busy)[2.0] > high
    assert of_market(fold, idle)[2.0] < high
    assert of_simulator(fold, busy)[2.0] == 0.4
