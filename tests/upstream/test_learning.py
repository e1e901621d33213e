"""What we rely on in LightGBM and Optuna: the same seed is the same result, and text keeps every bit."""

import lightgbm as lgb
import numpy as np
import optuna
import pytest

from ml.learning.models.lightgbm import FIXED_PARAMS

ROUNDS = 20


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(3_000, 12))
    features[::17, 3] = np.nan
    classes = np.digitize(features[:, 0] * features[:, 1] + rng.normal(size=3_000), [-0.5, 0.5])
    return features, classes


def train(rows, threads, **params):
    chosen = FIXED_PARAMS | {"bagging_fraction": 0.7, "feature_fraction": 0.7, "num_threads": threads} | params
    return lgb.train(chosen, lgb.Dataset(rows[0], rows[1]), ROUNDS)


def test_the_model_does_not_depend_on_the_threads(rows):
    """`deterministic` with `force_row_wise`: the trees of one thread and of two are the same text."""
    trees = [train(rows, threads).model_to_string().partition("parameters:")[0] for threads in (1, 2)]
    assert trees[0] == trees[1]


def test_another_seed_is_another_model(rows):
    """The seed reaches the bagging; if it did not, the test above would be empty."""
    assert train(rows, 1).model_to_string() != train(rows, 1, seed=2).model_to_string()


def test_a_model_is_its_text(rows):
    """Written and read back it predicts the same bits, with nulls, and writes the same text again."""
    model = train(rows, 1)
    text = model.model_to_string()
    again = lgb.Booster(model_str=text)
    np.testing.assert_array_equal(again.predict(rows[0]), model.predict(rows[0]))
    assert lgb.Booster(model_str=again.model_to_string()).model_to_string() == again.model_to_string()


def test_a_row_alone_is_predicted_as_among_others(rows):
    """Live asks for one row, the gates for thousands: the same bits."""
    model = train(rows, 1)
    alone = np.concatenate([model.predict(rows[0][[k]], num_threads=1) for k in range(50)])
    np.testing.assert_array_equal(alone, model.predict(rows[0])[:50])


def trials(seed):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda t: (t.suggest_float("x", 0.01, 1, log=True) - 0.3) ** 2 + t.suggest_int("n", 1, 9), n_trials=15
    )
    return [(trial.params, trial.value) for trial in study.trials]


def test_a_seeded_search_repeats_itself():
    """Also beyond the ten random trials with which the sampler starts; another seed looks elsewhere."""
    assert trials(1) == trials(1)
    assert trials(1) != trials(2)
