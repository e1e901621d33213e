"""Every kind of model goes through one door: trained, saved, read back, described, and served by its card."""

import numpy as np
import pytest

from ml.core.errors import ModelRefused, SettingsError
from ml.learning.models.catalog import CATALOG, as_dicts, family, options_of
from ml.learning.models.trained import ModelCard, TrainedModel, load, smoke_test
from tests.support.panels import rows

N = 1_500
SUFFIXES = {".txt", ".json", ".onnx", ".safetensors"}


@pytest.fixture(scope="module")
def data():
    return rows(N)


@pytest.fixture(params=sorted(CATALOG))
def fitted(request, data):
    """One model of each family, trained with the options that a search may leave open."""
    chosen = family(request.param)
    return request.param, chosen.fit(data, np.arange(N), options_of(request.param, {}))


def test_a_model_read_back_answers_the_same(fitted, data, tmp_path):
    """Through the files of its artefact, which hold data alone."""
    name, model = fitted
    card = ModelCard("x", name, {}, tuple(data.names), 10, "base_35", "h", "v", {}, "p", 5, N)
    stored = TrainedModel(model, card)
    stored.save(tmp_path)
    again = load(tmp_path)
    assert (again.id, again.card) == (stored.id, card)
    assert {path.suffix for path in tmp_path.iterdir()} <= SUFFIXES
    p = again.probabilities(data.features)
    np.testing.assert_array_equal(p, model.predict_proba(data.features))
    assert p.shape == (N, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(again.directions(p), stored.directions(p))
    smoke_test(again)


def test_it_says_what_it_looks_at(fitted, data):
    """Columns that count nothing may be changed; shares add up to one where it looks at any."""
    _, model = fitted
    shares = model.describe()
    assert set(shares) <= set(model.used)
    assert sum(shares.values()) == pytest.approx(1 if shares else 0)
    other = data.features.copy()
    unused = [k for k in range(other.shape[1]) if not shares.get(k)]
    other[:, unused] += 9
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(data.features))


def test_a_model_without_an_answer_fails_the_smoke_test(fitted, data):
    """What it gives are no probabilities."""
    name, model = fitted
    model.predict_proba = lambda features: np.full((len(features), 3), 0.5)
    card = ModelCard("x", name, {}, tuple(data.names), 10, "base_35", "h", "v", {}, "p", 5, N)
    with pytest.raises(ModelRefused, match=r"no probabilities"):
        smoke_test(TrainedModel(model, card))


def test_options_are_checked():
    """Name and type; a whole number is a number too."""
    assert options_of("lightgbm", {"rounds": 5, "learning_rate": 1}).rounds == 5
    with pytest.raises(SettingsError, match=r"lightgbm has no option 'round'. Known: rounds, "):
        options_of("lightgbm", {"round": 5})
    with pytest.raises(SettingsError, match=r"option rounds of lightgbm is 5.5. Give a value of type int"):
        options_of("lightgbm", {"rounds": 5.5})
    with pytest.raises(SettingsError, match=r"majority has no option 'rounds'. Known: none"):
        options_of("majority", {"rounds": 5})
    with pytest.raises(SettingsError, match=r"Unknown model 'tree'. Available: lightgbm"):
        options_of("tree", {})


def test_the_catalog_is_told_in_words():
    """A sentence per family, and name, type and meaning of each option."""
    told = {one["name"]: one for one in as_dicts()}
    assert told.keys() == CATALOG.keys()
    assert told["lightgbm"]["options"][0] == {
        "name": "rounds",
        "type": "int",
        "default": None,
        "description": "Boosting rounds.",
    }
