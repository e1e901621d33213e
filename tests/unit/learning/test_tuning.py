"""The search: the same by seed, blind to all rows outside its block, and honest about its trials."""

from dataclasses import replace

import numpy as np
import pytest

from ml.core.errors import DatasetError
from ml.learning.dataset import FIRST_SHARE, MIN_ROWS
from ml.learning.experiment import DEFAULT
from ml.learning.models import baselines
from ml.learning.rows import EMBARGO_NS, Rows
from ml.learning.tuning import N_TRIALS, cut, search, tune
from ml.learning.walk_forward import best_baseline
from tests.support.panels import panel, rows

BLOCK = np.arange(3_000)


@pytest.fixture(scope="module")
def data():
    return rows(6_000)


@pytest.fixture(scope="module")
def tuned(data):
    return search(data, BLOCK, DEFAULT, threads=1, n_trials=3)


def test_the_same_seed_gives_the_same_result(data, tuned):
    """On one thread as on two; another seed searches elsewhere."""
    assert search(data, BLOCK, DEFAULT, threads=1, n_trials=3) == tuned
    assert search(data, BLOCK, DEFAULT, threads=2, n_trials=1).trials == tuned.trials[:1]
    assert search(data, BLOCK, DEFAULT, threads=1, n_trials=3, seed=2).trials != tuned.trials


def test_rows_outside_the_block_are_never_seen(data, tuned):
    """Other features, classes and movements after the block and its purge change nothing, bit for bit."""
    later = slice(3_000, None)
    changed = replace(data, features=data.features.copy(), direction=data.direction.copy())
    changed.features[later] = np.nan
    changed.direction[later] = 2 - changed.direction[later]
    assert search(changed, BLOCK, DEFAULT, threads=1, n_trials=3) == tuned


def test_rows_inside_the_block_are(data, tuned):
    """The judging rows decide the score, the training rows the trees."""
    for part in cut(data, BLOCK):
        changed = replace(data, direction=data.direction.copy())
        changed.direction[part] = 2 - changed.direction[part]
        found = search(changed, BLOCK, DEFAULT, threads=1, n_trials=3)
        assert found.trials[0]["log_loss"] != tuned.trials[0]["log_loss"]


def test_the_best_of_its_trials_and_their_count(tuned):
    """What is returned is the trial with the smallest log loss; all are kept."""
    best = min(tuned.trials, key=lambda trial: trial["log_loss"])
    assert (tuned.options, tuned.log_loss) == (best["params"], best["log_loss"])
    assert (tuned.n_trials, len(tuned.trials)) == (3, 3)
    assert tuned.baseline in baselines.NAMES


def test_the_later_part_judges_after_a_purge(data):
    """Training labels end the embargo before the first judged one begins, and nothing leaves the block."""
    train, judge = cut(data, BLOCK)
    assert data.end[train].max() <= data.start[judge].min() - EMBARGO_NS
    assert train.max() < judge.min()
    assert (train.min(), judge.max()) == (0, 2_999)
    assert len(judge) == pytest.approx(900, abs=1)


def test_the_baseline_is_chosen_on_the_judging_rows(data):
    """The last direction is right in the rows that the baselines were fitted on; in those that judge, imbalance is."""
    train, judge = cut(data, BLOCK)
    rng = np.random.default_rng(3)
    direction = data.direction.copy()
    features = data.features.copy()
    direction[train] = np.arange(len(train)) // 100 % 3
    direction[judge] = rng.integers(0, 3, len(judge))
    features[:, data.names.index("qi_1")] = direction - 1 + rng.normal(0, 1.0, len(direction))
    changed = replace(data, direction=direction, features=features)
    assert best_baseline(changed, train, train) == "last_direction"
    assert search(changed, BLOCK, DEFAULT, threads=1, n_trials=1).baseline == "logistic_imbalance"


def test_what_the_experiment_sets_is_not_searched_for(data):
    """The others are; where nothing is left to search for, one trial says all."""
    some = replace(DEFAULT, options={"num_leaves": 8, "rounds": 5})
    found = search(data, BLOCK, some, threads=1, n_trials=2)
    assert (found.options["num_leaves"], found.options["rounds"], found.n_trials) == (8, 5, 2)
    assert all(trial["params"].keys() == found.options.keys() - some.options.keys() for trial in found.trials)
    constant = search(data, BLOCK, replace(DEFAULT, model="majority"), threads=1)
    assert (constant.model, constant.options, constant.n_trials) == ("majority", {}, 1)


@pytest.mark.parametrize("block", [np.arange(0), np.arange(60), np.array([5])])
def test_a_block_that_is_too_small_is_an_error(data, block):
    """Nothing to judge on, or nothing left to train on."""
    with pytest.raises(DatasetError, match="more data"):
        search(data, block, DEFAULT, threads=1)


def test_a_block_that_lacks_a_class_is_an_error(data):
    """A model of two classes could not speak of three."""
    one_way = replace(data, direction=np.minimum(data.direction, 1))
    with pytest.raises(DatasetError, match="too few"):
        cut(one_way, BLOCK)


def arrays(frame):
    return Rows.of(frame, DEFAULT.feature_set.columns)


def test_a_panel_is_tuned_on_its_first_block_alone():
    """All trials on the rows before the first test block; a panel one row too short is not tuned at all."""
    whole = panel(MIN_ROWS)
    assert tune(arrays(whole.head(MIN_ROWS - 1)), DEFAULT, threads=1) is None
    found = tune(arrays(whole), DEFAULT, threads=1)
    assert found.n_trials == N_TRIALS
    first = int(FIRST_SHARE * MIN_ROWS)
    other = whole.head(first).vstack(panel(MIN_ROWS, seed=9).tail(MIN_ROWS - first))
    assert tune(arrays(other), DEFAULT, threads=1) == found
