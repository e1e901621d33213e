"""The candidate: trained on every row, named by its content, with a card that says on what."""

import numpy as np
import polars as pl
import pytest

from ml.features.sets import BASE
from ml.learning.candidate import panel_hash, train
from ml.learning.models.lightgbm import fit, load
from ml.learning.walk_forward import Rows
from tests.support.panels import PARAMS, panel

TUNED = {"params": PARAMS, "rounds": 15}
SPEC = {"horizon": 10, "a": 1.0}


@pytest.fixture(scope="module")
def whole():
    return panel(2_000)


def test_the_card_says_what_it_was_made_of(root, whole):
    """Columns, their set's hash, kernel, panel, spec, rows and the end of the last label that it has seen."""
    card = load(root.model(train(root, whole, SPEC, TUNED, threads=1))).card
    assert card.features == tuple(BASE.columns)
    assert (card.feature_set, card.feature_set_hash) == (BASE.name, BASE.hash)
    assert (card.code_version, card.panel_sha256) == (BASE.code_version, panel_hash(whole))
    assert (card.label_spec, card.params, card.rounds, card.rows) == (SPEC, PARAMS, 15, 2_000)
    assert card.trained_until == whole["label_end"].max()
    assert sum(card.priors) == pytest.approx(1)


def test_it_is_the_model_of_all_rows(root, whole):
    """The stored trees predict as those of a fit on the whole panel, bit for bit."""
    rows = Rows.of(whole, BASE.columns)
    fitted = fit(rows.features, rows.direction, rows.start, PARAMS, 15, threads=1)
    stored = load(root.model(train(root, whole, SPEC, TUNED, threads=1)))
    np.testing.assert_array_equal(stored.probabilities(rows.features), fitted.probabilities(rows.features))
    np.testing.assert_array_equal(
        stored.directions(stored.probabilities(rows.features)), fitted.directions(rows.features)
    )


def test_its_id_follows_from_content(root, whole):
    """The same rows, whatever their order, give the same trees; another row, spec or parameter gives another id."""
    first = train(root, whole, SPEC, TUNED, threads=1)
    assert train(root, whole, SPEC, TUNED, threads=1) == first
    others = [
        (whole.head(1_999), SPEC, TUNED),
        (whole, SPEC | {"a": 0.5}, TUNED),
        (whole, SPEC, TUNED | {"rounds": 14}),
    ]
    assert len({first} | {train(root, *other, threads=1) for other in others}) == 4


def test_without_tuned_parameters_there_is_none(root, whole):
    """Too few rows were said before; no model is written."""
    assert train(root, whole, SPEC, {}, threads=1) is None
    assert not root.model("").exists()


def test_any_changed_value_changes_the_panels_hash(whole):
    """One number in one row."""
    changed = whole.with_columns(qi_1=pl.when(pl.col("ts") == whole["ts"][700]).then(0.5).otherwise(pl.col("qi_1")))
    assert panel_hash(changed) != panel_hash(whole)
    assert panel_hash(whole.clone()) == panel_hash(whole)
