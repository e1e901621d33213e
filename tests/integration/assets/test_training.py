"""The candidate and its out-of-sample predictions as Dagster materializes them."""

import polars as pl
import pytest

from ml.features.sets import BASE
from ml.learning.models.trained import load
from ml.learning.rows import Rows
from ml.learning.walk_forward import fold_scores
from ml.storage.parquet import Stored
from tests.integration.assets.play import document, drawn, shown, stored


@pytest.fixture(scope="module")
def predictions(learned):
    return stored(learned[0], "fold_predictions", date=None)


def test_each_fold_is_judged_after_all_it_was_trained_on(predictions):
    """Test rows lie after the rows of their fold that trained, and no row is judged twice."""
    test, train = (predictions.filter(pl.col("part") == part) for part in ("test", "train"))
    assert test["ts"].is_unique().all()
    for fold in test["fold"].unique():
        first = test.filter(pl.col("fold") == fold)["ts"].min()
        assert train.filter(pl.col("fold") == fold)["ts"].max() < first


def test_a_person_sees_the_folds(learned, predictions):
    """A line a fold with the scores of the stored rows, and two pictures."""
    metadata = shown(learned[1], "fold_predictions")
    assert len(metadata["scores"].records) == fold_scores(predictions).height
    for name in ("folds", "reliability"):
        assert drawn(learned[1], "fold_predictions", name)[0].startswith(b"\x89PNG")


def test_the_candidate_lies_where_its_id_says(learned):
    """The files load, hash to their id, and the card names the panel and the running features."""
    root, result = learned
    model_id = document(root, "candidate_model")["model_id"]
    model = load(root.model(model_id))
    assert model.id == model_id == shown(result, "candidate_model")["model"].value
    assert model.card.panel_sha256 == Rows.read(Stored(root.whole("dataset_panel")), BASE.columns, root.staging).hash
    assert (model.card.feature_set_hash, model.card.options) == (BASE.hash, document(root, "tuned_params")["options"])
    assert drawn(result, "candidate_model", "gains")[0].startswith(b"\x89PNG")
