"""Walk-forward: no model sees its future, and the scores are those of its out-of-sample answers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from ml.features.sets import BASE
from ml.learning import walk_forward
from ml.learning.dataset import FIRST_SHARE, N_SPLITS, SEALED_SHARE
from ml.learning.models import baselines
from ml.learning.rows import EMBARGO_NS, Rows
from ml.learning.walk_forward import best_baseline, fold_scores, panel_predictions, predict, trainer
from ml.storage.commit import publish
from ml.storage.parquet import Stored
from tests.support.panels import PARAMS, panel, rows, tuned

N = 3_000
ANSWERS = ["p_down", "p_neutral", "p_up", "predicted", "majority", "logistic_imbalance"]


@pytest.fixture(scope="module")
def data():
    return rows(N)


@pytest.fixture(scope="module")
def folds(data):
    return data.folds(FIRST_SHARE, N_SPLITS)


def run(data, folds):
    """Predictions, and the trees of each fold."""
    trees = []
    honest = trainer("lightgbm", PARAMS | {"rounds": 10}, 1)

    def watched(rows, at):
        fitted = honest(rows, at)
        trees.append(fitted.booster.model_to_string())
        return fitted

    return predict(data, folds, watched), trees


@pytest.fixture(scope="module")
def honest(data, folds):
    return run(data, folds)


def perturbed(data, since):
    """The same rows with other features, classes and movements from a time on."""
    other = rows(N, seed=99)
    late = data.start >= since
    return replace(
        data,
        features=np.where(late[:, None], other.features, data.features),
        direction=np.where(late, other.direction, data.direction).astype(np.int8),
        movement=np.where(late, other.movement, data.movement),
    )


@pytest.mark.promise("D9")
@pytest.mark.parametrize("number", range(N_SPLITS))
def test_no_model_sees_its_test_block_or_what_follows(data, folds, honest, number):
    """Another future leaves the trees of all folds up to this one as they were, and changes those after it."""
    before, trees = honest
    after, changed = run(perturbed(data, data.start[folds[number].test].min()), folds)
    assert changed[: number + 1] == trees[: number + 1]
    assert all(one != other for one, other in zip(changed[number + 1 :], trees[number + 1 :], strict=True))
    trained = pl.col("fold").le(number) & (pl.col("part") == "train")
    assert after.filter(trained).equals(before.filter(trained))


@pytest.mark.parametrize("number", [0, N_SPLITS - 1])
def test_answers_do_not_depend_on_the_test_labels(data, folds, honest, number):
    """Other classes in the test block: the model answers as before, and so do the baselines that were trained."""
    at = folds[number].test
    changed = replace(data, direction=data.direction.copy())
    changed.direction[at] = 2 - changed.direction[at]
    block = pl.col("fold").eq(number) & (pl.col("part") == "test")
    before = honest[0].filter(block)
    after = run(changed, folds[number : number + 1])[0].filter(block)
    assert after.select(ANSWERS).equals(before.select(ANSWERS))
    assert not after["direction"].equals(before["direction"])


def test_the_last_direction_is_one_whose_horizon_has_ended(data, folds, honest):
    """The class of the row ten seconds before."""
    test = honest[0].filter(pl.col("part") != "train")
    for fold in folds:
        own = test.filter(fold=fold.number)
        at = np.searchsorted(data.start, own["ts"].to_numpy())
        np.testing.assert_array_equal(own["last_direction"].to_numpy(), data.direction[at - 10])


def test_answers_are_gains_on_the_class_shares_of_the_training_rows(data, folds, honest):
    """Those of the fold, not one third each; training rows are answered by the same rule."""
    for fold in folds:
        rows = honest[0].filter(pl.col("fold") == fold.number)
        shares = np.bincount(data.direction[fold.train], minlength=3) / len(fold.train)
        p = walk_forward.probabilities(rows)
        np.testing.assert_array_equal(rows["predicted"].to_numpy(), (p / shares).argmax(axis=1))
        assert (rows["predicted"].to_numpy() != p.argmax(axis=1)).any()


def test_every_row_after_the_first_block_is_tested_once(data, folds, honest):
    """In order of time, each with the label that it has; the training rows shown end the embargo before the test.

    The newest are sealed, and the ten rows whose labels reach into those are left out.
    """
    first = round((1 - SEALED_SHARE) * N)
    for part, at in (("test", slice(int(FIRST_SHARE * N), first - 9)), ("sealed", slice(first, None))):
        found = honest[0].filter(pl.col("part") == part)
        assert found["ts"].to_list() == data.start[at].tolist()
        assert found["direction"].to_list() == data.direction[at].tolist()
    test = honest[0].filter(pl.col("part") == "test")
    assert test["label_end"].max() <= honest[0].filter(pl.col("part") == "sealed")["ts"].min()
    for fold in folds:
        shown = honest[0].filter(pl.col("fold") == fold.number, pl.col("part") == "train")
        assert shown.height == len(fold.test)
        assert shown["label_end"].max() <= data.start[fold.test].min() - EMBARGO_NS
        assert shown.select(baselines.NAMES).null_count().row(0) == (shown.height,) * 3


def test_scores_are_those_of_the_test_rows(honest):
    """Per fold, against scikit-learn, and the training score on the training rows."""
    scores = fold_scores(honest[0])
    for number, row in enumerate(scores.to_dicts()):
        fold = honest[0].filter(pl.col("fold") == number)
        test = fold.filter(pl.col("part") == "test")
        train = fold.filter(pl.col("part") == "train")
        answers = {"test": test["predicted"]} | {rival: test[rival] for rival in baselines.NAMES}
        for name, answer in answers.items():
            assert row[name] == pytest.approx(balanced_accuracy_score(test["direction"], answer))
        assert row["train"] == pytest.approx(balanced_accuracy_score(train["direction"], train["predicted"]))
        _, _, each, _ = precision_recall_fscore_support(test["direction"], test["predicted"])
        assert row["macro_f1"] == pytest.approx(each.mean())
        assert row["mcc"] == pytest.approx(matthews_corrcoef(test["direction"], test["predicted"]))
        assert row["log_loss"] == pytest.approx(log_loss(test["direction"], walk_forward.probabilities(test)))
        assert (row["fold"], row["rows"]) == (number, test.height)
    assert scores["test"].mean() > scores["logistic_imbalance"].mean() + 0.05


def test_too_few_rows_give_an_empty_table_of_the_same_columns(honest):
    """What reads the table need not know why it is empty."""
    empty = panel_predictions(rows(50), None, 1)
    assert empty.is_empty()
    assert empty.schema == honest[0].schema
    assert fold_scores(empty).schema == fold_scores(honest[0]).schema


def test_a_panel_is_predicted_with_the_tuned_parameters(data, folds, honest):
    """The asset's way gives the same rows."""
    shuffled = panel(N).sample(fraction=1.0, shuffle=True, seed=1)
    found = panel_predictions(Rows.of(shuffled, BASE.columns), tuned(), 1)
    assert found.equals(honest[0])


def test_the_best_baseline_is_chosen_on_the_judging_rows(data):
    """Where the last direction repeats itself, it wins; where imbalance tells, the regression does."""
    train = np.arange(1_000)
    judge = np.arange(1_000, 2_000)
    repeating = replace(data, direction=(np.arange(N) // 100 % 3).astype(np.int8))
    assert best_baseline(repeating, train, judge) == "last_direction"
    seen = data.features.copy()
    seen[:, BASE.columns.index("qi_1")] = data.movement
    assert best_baseline(replace(data, features=seen), train, judge) == "logistic_imbalance"


def test_rows_are_in_order_of_time_then_instrument():
    """Whatever the order in which partitions were read."""
    both = pl.concat([panel(20, 1, instrument="sim.Y"), panel(20, 2, instrument="sim.X")])
    found = Rows.of(both.sample(fraction=1.0, shuffle=True, seed=3), BASE.columns)
    assert found.instrument[:4].tolist() == ["sim.X", "sim.Y"] * 2
    assert (np.diff(found.start) >= 0).all()
    assert found.features[1, 0] == both[BASE.columns[0]][0]


def stored_panel(root, frame):
    path = root.whole("dataset_panel")
    publish(root, "dataset_panel", path, frame, "")
    return Stored(path)


def test_slices_are_those_of_a_group_by(root, honest):
    """Each instrument, hour and third of volatility holds each test row once, and scores its own rows alone."""
    rng = np.random.default_rng(1)
    sigma = rng.random(N)
    test = honest[0].filter(pl.col("part") == "test")
    found = walk_forward.with_regime(test, stored_panel(root, panel(N).with_columns(sigma=pl.Series(sigma))))
    assert found.drop("regime").equals(test)
    own = sigma[np.searchsorted(panel(N)["ts"].to_numpy(), test["ts"].to_numpy())]
    limits = np.quantile(own, [1 / 3, 2 / 3])
    expected = np.array(walk_forward.REGIMES)[np.digitize(own, limits)]
    assert (found["regime"].to_numpy() == expected).mean() > 0.999
    slices = walk_forward.slice_scores(found)
    assert set(slices["by"]) == {"instrument", "hour", "regime"}
    for by, part in slices.group_by("by"):
        assert part["rows"].sum() == test.height, by
    calm = found.filter(pl.col("regime") == "calm")
    row = slices.row(by_predicate=pl.col("slice") == "calm", named=True)
    assert row["test"] == pytest.approx(balanced_accuracy_score(calm["direction"], calm["predicted"]))
    assert row["mcc"] == pytest.approx(matthews_corrcoef(calm["direction"], calm["predicted"]))
