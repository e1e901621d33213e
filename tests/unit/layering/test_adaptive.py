"""What is learned from labelled cues, on what conditions, and the files that hold it."""

import numpy as np
import polars as pl
import pytest

from ml.core.errors import DatasetError, ModelRefused
from ml.layering import adaptive
from ml.layering.adaptive import AdaptiveModel, CueRows, best_threshold, best_weight, labelled, load, missing
from ml.layering.confidence import DEFAULT
from ml.layering.families import FAMILIES, FOREST_PARAMS
from ml.layering.features import NAMES
from ml.layering.walk_forward import of_dataset, scores, summary
from tests.support.voted import TELLING, cues

DATA = cues(240)


@pytest.fixture(scope="module", autouse=True)
def small():
    """Forests of twenty trees: a hundred take five times as long to grow and teach the tests nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FOREST_PARAMS, "n_estimators", 20)
        yield


@pytest.fixture(scope="module")
def trained():
    """Both kinds of models, trained on the data set."""
    return adaptive.fit(CueRows.of(DATA))


@pytest.fixture(scope="module")
def told():
    """What models said of cues after their training."""
    return of_dataset(DATA, weak=False)


def test_what_is_learned_ranks_cues_that_it_had_not_seen(told):
    """Labels follow from two features; the detector's score tells nothing of them."""
    found = summary(told)
    assert found["model"]["roc_auc"] > 0.8
    assert found["random_forest"]["roc_auc"] > 0.8
    assert found["lightgbm"]["roc_auc"] > 0.8
    assert 0.3 < found["detector"]["roc_auc"] < 0.7
    assert found["model"]["brier"] < 0.2


def test_the_features_that_tell_count_most(trained):
    for one in trained.values():
        assert set(sorted(one.fitted.importance, key=lambda name: -one.fitted.importance[name])[:2]) == set(TELLING)


def test_each_cue_is_predicted_once_after_all_training(told):
    """The last 60 % of the cues, in four folds by time."""
    assert told["id"].to_list() == DATA["id"].to_list()[96:]
    assert told.group_by("fold", maintain_order=True).len()["len"].to_list() == [36] * 4
    assert told["fold"].is_sorted()


def test_no_fold_splits_an_episode():
    """A minute lies between training and test; cues that touch are one episode, of which no fold can be made."""
    near = CueRows.of(cues(120, apart_s=20))
    assert len(near.folds()) == 4
    for fold in near.folds():
        assert near.end[fold.train].max() + 60 * 10**9 <= near.start[fold.test].min()
    assert CueRows.of(cues(120, apart_s=12)).folds() == []


def test_what_a_price_says_is_in_no_test():
    """A third of the labels are weak: they train where that is wanted, and are never predicted."""
    third = pl.int_range(pl.len()) % 3 == 0
    weak = DATA.head(165).with_columns(tier=pl.when(third).then(pl.lit("weak")).otherwise("tier"))
    assert set(of_dataset(weak, weak=True)["tier"]) == {"injected"}
    rows = CueRows.of(labelled(weak, weak=True))
    assert all(rows.for_tests[fold.test].all() for fold in rows.folds())
    assert any(not rows.for_tests[fold.train].all() for fold in rows.folds())
    assert labelled(weak).height == 110


@pytest.mark.parametrize(
    ("rows", "lacks"),
    [
        (DATA.head(99), "1 more labels"),
        (DATA.with_columns(label=pl.lit(1, pl.Int8)), "5 more cues that are not"),
        (
            DATA.with_columns(label=pl.when(pl.int_range(pl.len()) < 3).then(1).otherwise(0).cast(pl.Int8)),
            "2 more cues that are layering",
        ),
        (DATA.with_columns(tier=pl.lit("weak")), "100 more labels"),
        (DATA.clear(), "100 more labels, 5 more cues that are layering, 5 more cues that are not"),
    ],
)
def test_too_few_labels_say_what_is_missing(rows, lacks):
    assert lacks in missing(rows)
    assert of_dataset(rows, weak=False).is_empty()


def test_enough_labels_lack_nothing():
    assert missing(DATA.head(100)) == ""


def test_cues_of_several_thresholds_are_refused():
    mixed = DATA.with_columns(threshold=pl.when(pl.int_range(pl.len()) < 5).then(0.8).otherwise(0.9))
    with pytest.raises(DatasetError, match=r"2 thresholds \(0.8000 to 0.9000\)"):
        CueRows.of(mixed)


def test_the_threshold_is_the_one_of_the_best_f1():
    """By trying all of them; too few labels leave the predecessor's."""
    rng = np.random.default_rng(2)
    label = rng.integers(0, 2, 200)
    p = np.clip(0.5 * label + rng.uniform(0, 0.6, 200), 0, 1)

    def f1(threshold):
        says = p >= threshold
        return 2 * (says & (label == 1)).sum() / (says.sum() + label.sum())

    assert f1(best_threshold(label, p)) == max(f1(one) for one in p)
    assert best_threshold(label[:99], p[:99]) is None
    assert next(iter(adaptive.fit(CueRows.of(DATA.head(100))).values())).threshold == DEFAULT


def test_how_much_of_the_market_counts_is_learned():
    """What finds layering best: none of it, half, twice; the predecessor's on a tie and where nothing is known."""
    count = 200
    data = cues(count).with_columns(volatility_24h=pl.Series(np.where(np.arange(count) % 2, 0.06, 0.01)))
    rows = CueRows.of(data)
    label = np.arange(count) % 2
    assert best_weight(rows._replace(labels=label), np.where(label, 0.68, 0.6), 0.65) == 0.5
    assert best_weight(rows._replace(labels=label), np.where(label, 0.655, 0.6), 0.65) == 0.0
    assert best_weight(rows._replace(labels=1 - label), np.full(count, 0.72), 0.65) == 2.0
    assert best_weight(rows._replace(labels=label), np.where(label, 0.9, 0.1), 0.65) == 1.0
    unknown = rows._replace(labels=label, liquidity=np.full(count, np.nan))
    assert best_weight(unknown, np.where(label, 0.655, 0.6), 0.65) == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_the_same_from_its_files(trained, family, tmp_path):
    """As it was trained, up to the float32 of ONNX; bit for bit once it was read; no file is a pickle."""
    values = CueRows.of(cues(500, seed=2)).values
    model = AdaptiveModel.of(trained[family], DATA, "data")
    np.testing.assert_allclose(model.probabilities(values), trained[family].probabilities(values), atol=1e-5)
    model.save(tmp_path)
    again = load(tmp_path)
    np.testing.assert_array_equal(again.probabilities(values), model.probabilities(values))
    assert (again.id, again.card) == (model.id, model.card)
    assert {path.name for path in tmp_path.iterdir()} == {FAMILIES[family].file, "card.json", "manifest.json"}
    adaptive.fits(again)
    adaptive.smoke_test(again)


def test_the_same_cues_give_the_same_model(trained):
    again = adaptive.fit(CueRows.of(DATA))
    for name, one in trained.items():
        assert AdaptiveModel.of(one, DATA, "data").id == AdaptiveModel.of(again[name], DATA, "data").id


def test_a_model_that_was_touched_is_refused(trained, tmp_path):
    model = AdaptiveModel.of(trained["lightgbm"], DATA, "data")
    model.save(tmp_path)
    card = tmp_path / "card.json"
    card.write_text(card.read_text().replace('"threshold": ', '"threshold": 0'))
    with pytest.raises(ModelRefused, match="is not the file that was saved"):
        load(tmp_path)
    model.save(tmp_path)
    (tmp_path / "model.txt").unlink()
    with pytest.raises(ModelRefused, match="is incomplete"):
        load(tmp_path)


def test_a_model_of_other_features_is_refused(trained, monkeypatch):
    model = AdaptiveModel.of(trained["lightgbm"], DATA, "data")
    monkeypatch.setattr(adaptive, "code_version", lambda parts: "layering 99")
    with pytest.raises(ModelRefused, match="layering 99 with 24 is running"):
        adaptive.fits(model)


def test_scores_count_what_they_say():
    """Five cues, by hand."""
    found = scores(np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.2, 0.7, 0.1]), np.array([1, 1, 0, 1, 0], bool))
    assert found["confusion"] == {"found": 2, "false_alarms": 1, "missed": 1, "rejected": 1}
    assert (found["accuracy"], found["precision"], found["recall"]) == (0.6, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["roc_auc"] == pytest.approx(5 / 6)
    assert found["pr_auc"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.64 + 0.49 + 0.01) / 5)
    assert found["precision_at"] == {}
    assert len(NAMES) == 24
