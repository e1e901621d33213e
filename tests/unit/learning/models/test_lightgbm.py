"""Models as text and json: deterministic, checked, never code."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ml.core.errors import ModelRefused
from ml.learning.models.family import directions
from ml.learning.models.lightgbm import LightGBM, Options, quick_features
from ml.learning.models.trained import ModelCard, TrainedModel, load
from tests.support.panels import rows_of

PARAMS = Options(
    num_leaves=4, min_data_in_leaf=50, learning_rate=0.1, bagging_fraction=0.7, feature_fraction=0.7, rounds=20
)
HOUR = 3600 * 10**9


def fit(features, direction, ts, threads=1):
    return LightGBM().fit(rows_of(features, direction, ts), np.arange(len(ts)), PARAMS, threads)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(4_000, 5))
    direction = np.clip(np.round(features[:, 0] + rng.normal(0, 0.7, 4_000)), -1, 1).astype(np.int8) + 1
    return features, direction, np.arange(4_000, dtype=np.int64) * 10**9


@pytest.fixture
def model(rows):
    card = ModelCard("x", "lightgbm", {}, tuple("abcde"), 10, "s", "h", "f", {}, "p", 5, 4_000)
    return TrainedModel(fit(*rows), card)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_compiled_trees_answer_as_lightgbm_does(rows, dtype):
    """Bit for bit: one row, many, thresholds themselves and numbers beyond 32 bits."""
    trees = fit(*rows)
    splits = trees.booster.trees_to_dataframe()["threshold"].dropna().to_numpy()
    features = np.concatenate([rows[0], np.repeat(splits[:, None], 5, axis=1), np.full((1, 5), 1e30)])
    features = features.astype(dtype)
    expected = trees.booster.predict(features[:, trees.used].astype(np.float32), num_threads=1)
    np.testing.assert_array_equal(trees.predict_proba(features), expected)
    np.testing.assert_array_equal(trees.predict_proba(features[7:8]), expected[7:8])
    np.testing.assert_array_equal(trees.predict_proba(np.asfortranarray(features)), expected)


def test_trees_without_a_split_answer_with_the_shares_of_the_classes(rows):
    features, direction, ts = rows
    never = replace(PARAMS, min_data_in_leaf=4_000)
    trees = LightGBM().fit(rows_of(features, direction, ts), np.arange(len(ts)), never)
    np.testing.assert_array_equal(trees.predict_proba(features[:3]), trees.booster.predict(features[:3][:, trees.used]))


def test_the_same_rows_give_the_same_trees_on_one_thread_or_two(rows):
    """Training depends on data, parameters and seed alone."""
    one, two = (fit(*rows, threads).booster.model_to_string().split("parameters:")[0] for threads in (1, 2))
    assert one == two


@pytest.mark.parametrize("width", [4, 6])
def test_rows_of_another_width_are_refused(model, width):
    """Too wide a row would be read without an error, by position."""
    with pytest.raises(ModelRefused, match=rf"shape \(2, {width}\) .* model of s, which needs \(rows, 5\)"):
        model.probabilities(np.zeros((2, width)))


def test_a_model_read_back_predicts_the_same_bits(model, rows, tmp_path):
    """Text and json hold everything that prediction needs."""
    model.save(tmp_path)
    again = load(tmp_path)
    assert again.id == model.id
    assert again.card == model.card
    np.testing.assert_array_equal(again.probabilities(rows[0]), model.probabilities(rows[0]))
    assert {p.suffix for p in tmp_path.iterdir()} == {".txt", ".json"}


@pytest.mark.parametrize("name", ["model.txt", "model.json", "card.json", "manifest.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.unlink(),
        lambda p: p.write_text(p.read_text()[:-9]),
        lambda p: p.write_text(p.read_text().replace("1", "2")),
    ],
)
def test_a_damaged_model_is_refused(model, tmp_path, name, damage):
    """Missing, cut short or altered: never loaded in part."""
    model.save(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ModelRefused):
        load(tmp_path)


def test_no_pickle_is_read(model, tmp_path):
    """A pickle in place of the trees is text that does not match its hash."""
    model.save(tmp_path)
    (tmp_path / "model.txt").write_bytes(b"cos\nsystem\n(S'touch marker'\ntR.")
    with pytest.raises(ModelRefused):
        load(tmp_path)


def test_the_direction_is_the_class_that_gains_most_on_its_prior(model):
    """A rare class wins with less than half of the probability."""
    model.model.priors = np.array([0.1, 0.8, 0.1])
    assert model.directions(np.array([[0.2, 0.6, 0.2], [0.05, 0.9, 0.05], [0.1, 0.7, 0.2]])).tolist() == [0, 1, 2]


def test_the_priors_are_the_class_shares_of_the_training_rows(rows):
    """And a fitted model's directions are gains on them."""
    features, direction, ts = rows
    kept = np.flatnonzero((direction == 1) | (np.arange(len(direction)) % 3 == 0))
    fitted = fit(features[kept], direction[kept], ts[kept])
    shares = np.array([(direction[kept] == k).mean() for k in range(3)])
    assert fitted.priors == pytest.approx(shares)
    p = fitted.predict_proba(features)
    np.testing.assert_array_equal(directions(p, fitted.priors), (p / shares).argmax(axis=1))
    assert (directions(p, fitted.priors) != p.argmax(axis=1)).any()


def test_a_price_in_disguise_is_screened_out():
    """A column that tells the hour lets trees memorise it; one that varies within the hour stays."""
    rng = np.random.default_rng(2)
    ts = np.arange(5 * 3_600, dtype=np.int64) * 10**9
    drift = 1e4 / (3_000 + rng.normal(0, 0.02, len(ts)).cumsum())
    features = np.column_stack(
        [drift, rng.normal(size=len(ts)), np.ones(len(ts)), (ts // HOUR) + rng.normal(0, 0.1, len(ts))]
    )
    rows = rows_of(features, np.zeros(len(ts), np.int8), ts)
    assert quick_features(rows, np.arange(len(ts))) == (1,)


def test_a_model_without_a_column_never_sees_it(rows):
    """Screening is decided on the training rows and used at prediction."""
    features = np.column_stack([rows[0], rows[2] // HOUR])
    fitted = fit(features, rows[1], rows[2])
    assert 5 not in fitted.used
    changed = features.copy()
    changed[:, 5] += 99
    np.testing.assert_array_equal(fitted.predict_proba(features), fitted.predict_proba(changed))


def test_the_card_is_json(model, tmp_path):
    """Readable by any program."""
    model.save(tmp_path)
    assert json.loads((tmp_path / "card.json").read_text())["features"] == list("abcde")


def test_gains_tell_what_a_model_looks_at(model, tmp_path):
    """Shares of one whole, the largest that of the column that decides; the same once read back."""
    shares = model.describe()
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.__getitem__) == "a"
    model.save(tmp_path)
    assert load(tmp_path).describe() == shares
