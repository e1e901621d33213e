"""Clusters become cues at the threshold of their instrument; the attribution's doubt is part of the answer."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from ml.core.errors import ModelRefused
from ml.layering.calibration import Calibration
from ml.layering.detector import Detector
from ml.layering.features import NAMES
from ml.layering.finder import Finder, Found
from ml.layering.matching import NONE, hits, labels
from ml.layering.model import FALLS, RISES, CueModel, fit, load
from ml.layering.trees import FILLED
from tests.support.layered import BID, CARD, INSTRUMENT, MS, START, layered, stump


def cues(script, threshold=0.9):
    """The less of the lots was filled, the more suspicious."""
    model = stump("filled", 0.1, 50, -50)
    return Detector(INSTRUMENT, model, Calibration(threshold, 2, "simulator")).take(*script.streams())


def test_a_cue_tells_what_was_pulled_and_when():
    (cue,) = cues(layered())
    assert (cue.side, cue.prices, cue.volume) == ("bid", (BID - 5, BID - 6, BID - 7), 600)
    assert (cue.first_pull, cue.last_pull, cue.end) == tuple(START + ms * MS for ms in (72_000, 72_000, 72_050))
    assert cue.verdict == "cue"
    assert cue.low == cue.score == cue.high == cue.final_score == 1
    assert "intent" not in cue.reason


def test_trades_that_may_have_taken_the_lots_make_the_verdict_indeterminate():
    """A trade at a layer's price just after the pull: perhaps the layer was traded, and refilled meanwhile."""
    script = layered()
    script.trade(72_010, -1, BID - 5, 90)
    found = Finder(INSTRUMENT).run(*script.streams())
    assert found.band.tolist() == [[0, 90 / 600]]
    (cue,) = cues(script, threshold=0.9)
    assert cue.verdict == "indeterminate"
    assert cue.low < cue.high
    assert "not certain" in cue.reason


class Champion:
    """A model that gives every cue one probability; it learned from cues of a threshold."""

    def __init__(self, probability, collected_at=0.9, threshold=0.6):
        self.card = SimpleNamespace(collected_at=collected_at, threshold=threshold)
        self.probability = probability

    def probabilities(self, values):
        return np.full(len(values), self.probability)


@pytest.mark.parametrize(
    ("champion", "final"),
    [
        (Champion(0.8), 0.9),
        (Champion(0.6), 0.8),
        (Champion(0.5), 0.5),
        (Champion(0.8, collected_at=0.7), 0.9),
        (Champion(0.8, collected_at=0.95), 1.0),
    ],
    ids=["agrees", "just agrees", "does not", "learned from more", "learned from higher scores alone"],
)
def test_the_champion_is_in_the_final_score(champion, final):
    """Of a cue of score 1: their mean, or half of it."""
    calibration = Calibration(0.9, 2, "simulator")
    detector = Detector(INSTRUMENT, stump("filled", 0.1, 50, -50), calibration, champion)
    (cue,) = detector.take(*layered().streams())
    assert (cue.score, cue.final_score) == (1, pytest.approx(final))


@pytest.mark.parametrize("rows", [60, 400], ids=["nothing to split", "splits"])
def test_scores_are_those_of_lightgbm(rows):
    """Of rows beyond those it was trained on, too; the band holds the score."""
    rng = np.random.default_rng(1)
    values = rng.lognormal(0, 2, (rows, len(NAMES))) * rng.choice([-1, 0, 1], (rows, len(NAMES)))
    booster = fit(values, (values[:, 0] + values[:, FILLED] > 0).astype(np.int64))
    model = CueModel.of(booster, CARD)
    new = 2 * rng.permutation(values.ravel()).reshape(values.shape)
    np.testing.assert_array_equal(model.predict(new), booster.predict(new, num_threads=1))

    band = rng.lognormal(0, 2, (rows, 2))
    band[::3] = new[::3, [FILLED, FILLED]]
    found = Found(np.zeros((rows, 9), np.int64), np.zeros((rows, 32), np.int64), new.copy(), band)
    scores = model.scores(found)
    three = []
    for filled in (band[:, 0], new[:, FILLED], band[:, 1]):
        changed = new.copy()
        changed[:, FILLED] = filled
        three.append(booster.predict(changed, num_threads=1))
    np.testing.assert_array_equal(scores, np.stack([np.min(three, axis=0), three[1], np.max(three, axis=0)], axis=1))
    np.testing.assert_array_equal(found.values, new)


def test_more_of_what_layering_is_never_lowers_a_score():
    """By the trees that ship, for clusters drawn over the ranges of the features."""
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, 2.0, (300, len(NAMES)))
    model = load()
    for names, sign in ((RISES, 1), (FALLS, -1)):
        for name in names:
            more = values.copy()
            more[:, NAMES.index(name)] += rng.gamma(1.0, 1.0, len(values))
            assert (sign * (model.predict(more) - model.predict(values)) >= 0).all(), name


def test_trees_that_treat_missing_values_apart_are_refused():
    values = np.random.default_rng(0).normal(size=(400, len(NAMES)))
    label = (values[:, 0] > 0).astype(np.int64)
    values[::5, 0] = np.nan
    with pytest.raises(ModelRefused, match="missing"):
        CueModel.of(fit(values, label, rounds=2), CARD)


def test_the_threshold_of_a_budget_is_the_largest_that_is_on_record():
    assert CARD.threshold_at(2) == 0.5
    assert CARD.threshold_at(1.5) == 0.7
    assert CARD.threshold_at(0.1) == 0.7


def test_the_same_rows_give_the_same_trees(tmp_path):
    """And a scorer whose file was changed is refused, or one that learned from clusters of other code."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, len(NAMES)))
    label = (values[:, 0] > 0).astype(np.int64)
    models = [CueModel.of(fit(values, label, rounds=5), CARD) for _ in range(2)]
    for number, model in enumerate(models):
        model.save(tmp_path / str(number))
    texts = [(tmp_path / str(number) / "model.txt").read_text() for number in range(2)]
    assert texts[0] == texts[1]
    np.testing.assert_array_equal(load(tmp_path / "0").predict(values), models[0].predict(values))
    assert load(tmp_path / "0").card == CARD
    (tmp_path / "0" / "model.txt").write_text(texts[0].replace("tree", "Tree", 1))
    with pytest.raises(ModelRefused, match=r"model\.txt"):
        load(tmp_path / "0")
    CueModel(models[0].trees, replace(CARD, code_version="layering 0"), models[0].text).save(tmp_path / "1")
    with pytest.raises(ModelRefused, match="trained on clusters of layering 0"):
        load(tmp_path / "1")


def test_a_hit_is_on_the_side_and_at_the_time_of_the_pulls():
    """From 0.1 s before the first to 1 s after the last; of two episodes the earlier one."""
    truth = pl.DataFrame({"side": [1, 1], "first_pull": [10 * MS, 900 * MS], "last_pull": [20 * MS, 950 * MS]})
    ts = np.array([-90, -91, 1_020, 1_021, 2_000, 15]) * MS
    side = np.array([1, -1, 1, 1, 1, -1])
    assert hits(ts, side, truth).tolist() == [0, NONE, 0, 1, NONE, NONE]


def test_a_cluster_at_the_time_of_an_episode_but_at_other_prices_has_no_label():
    found = Finder(INSTRUMENT).run(*layered().streams())
    truth = pl.DataFrame(
        {
            "side": [1],
            "first_pull": [START + 72_000 * MS],
            "last_pull": [START + 72_000 * MS],
            "prices": [[BID - 5, BID - 6]],
            "label": [1],
        }
    )
    assert labels(found, truth)[0].tolist() == [1]
    assert labels(found, truth.with_columns(label=pl.lit(0)))[0].tolist() == [0]
    assert labels(found, truth.with_columns(prices=pl.lit([1])))[0].tolist() == [NONE]
    assert labels(found, truth.with_columns(side=pl.lit(-1)))[0].tolist() == [0]
