"""The candidate: trained on every row, named by its content, with a card that says on what."""

from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest

from ml.features.sets import BASE
from ml.labels.spec import LabelSpec
from ml.learning import rows as rows_module
from ml.learning.candidate import train
from ml.learning.experiment import DEFAULT
from ml.learning.models import lightgbm
from ml.learning.models.lightgbm import LightGBM, Options
from ml.learning.models.trained import load
from ml.learning.rows import Rows
from ml.learning.walk_forward import trainer
from ml.storage import parquet
from ml.storage.commit import publish
from ml.storage.parquet import Stored
from tests.support.panels import PARAMS, panel, rows, tuned

TUNED = tuned(15)
SPEC = LabelSpec(10, 1.0, 0.5, 0.45, 100, 5)


@pytest.fixture(scope="module")
def whole():
    return rows(2_000)


def test_the_card_says_what_it_was_made_of(root, whole):
    """Columns, their set's hash, kernel, panel, spec, rows and the end of the last label that it has seen."""
    card = load(root.model(train(root, whole, DEFAULT, SPEC, TUNED, threads=1))).card
    assert card.features == tuple(BASE.columns)
    assert (card.feature_set, card.feature_set_hash) == (BASE.name, BASE.hash)
    assert (card.code_version, card.panel_sha256) == (BASE.code_version, whole.hash)
    assert (card.label_spec, card.model, card.rows) == (asdict(SPEC), "lightgbm", 2_000)
    assert (card.experiment, card.options) == ("base_35_10s", PARAMS | {"rounds": 15})
    assert card.trained_until == whole.end.max()


def test_it_is_the_model_of_all_rows(root, whole):
    """The stored trees predict as those of a fit on the whole panel, bit for bit."""
    fitted = trainer("lightgbm", PARAMS | {"rounds": 15}, 1)(whole, np.arange(2_000))
    stored = load(root.model(train(root, whole, DEFAULT, SPEC, TUNED, threads=1)))
    np.testing.assert_array_equal(stored.probabilities(whole.features), fitted.predict_proba(whole.features))


def test_its_id_follows_from_content(root, whole):
    """The same rows, whatever their order, give the same trees; another row, spec or parameter gives another id."""
    first = train(root, whole, DEFAULT, SPEC, TUNED, threads=1)
    assert train(root, whole, DEFAULT, SPEC, TUNED, threads=1) == first
    others = [
        (rows(1_999), SPEC, TUNED),
        (whole, replace(SPEC, a=0.5), TUNED),
        (whole, SPEC, tuned(14)),
    ]
    assert len({first} | {train(root, other[0], DEFAULT, *other[1:], threads=1) for other in others}) == 4


def test_without_tuned_parameters_there_is_none(root, whole):
    """Too few rows were said before; no model is written."""
    assert train(root, whole, DEFAULT, SPEC, None, threads=1) is None
    assert not root.model("").exists()


def test_any_changed_value_changes_the_hash(whole):
    """One number in one row, however many rows are read at once; the same rows give the same."""
    features = whole.features.copy()
    features[700, 3] += 1e-9
    assert replace(whole, features=features).hash != whole.hash == rows(2_000).hash
    assert replace(whole, instrument=np.full(2_000, "sim.Y")).hash != whole.hash


def test_rows_of_a_stored_panel_are_read_block_by_block(root, monkeypatch):
    """The same arrays as from a frame that is held whole, as float32, and so are the trees of blocks."""
    frame = pl.concat([panel(900, seed, instrument=f"sim.{seed}") for seed in (1, 2)]).sort("ts", "instrument")
    frame = frame.cast(dict.fromkeys(BASE.columns, pl.Float32()))
    monkeypatch.setattr(parquet, "ROW_GROUP", 250)
    publish(root, "dataset_panel", root.whole("dataset_panel"), frame, "")
    stored = Stored(root.whole("dataset_panel"))
    assert stored.groups == 8
    read = Rows.read(stored, BASE.columns, root.staging)
    held = Rows.of(frame, BASE.columns)
    for name in ("features", "direction", "start", "end", "instrument", "movement"):
        np.testing.assert_array_equal(getattr(read, name), getattr(held, name))
    assert read.hash == held.hash
    assert not any(path.is_file() for path in root.staging.rglob("*"))
    at = np.arange(100, 1_500)
    options = Options(num_leaves=4, rounds=5, bagging_fraction=0.7)
    before = LightGBM().fit(held, at, options).save()
    monkeypatch.setattr(lightgbm, "IN_MEMORY", 0)
    monkeypatch.setattr(lightgbm, "BLOCK", 128)
    monkeypatch.setattr(rows_module, "BLOCK", 128)
    assert LightGBM().fit(read, at, options).save() == before
