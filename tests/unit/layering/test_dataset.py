"""The data set holds every stored cue once, with what was known and who says what it is."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.core.config import Config
from ml.core.errors import DatasetError
from ml.layering.calibration import Calibration
from ml.layering.dataset import READ, dataset, episodes, legacy_scores
from ml.layering.days import cue_frame
from ml.layering.detector import Detector
from ml.layering.injected import inject
from ml.layering.labels import LabelLog
from ml.layering.tables import DATASET
from ml.simulation.overlay import TRUTH
from ml.storage.commit import publish
from tests.support.layered import BID, INSTRUMENT, START, layered, stump

SECOND = 10**9
DATE = "2025-03-03"


@pytest.fixture(scope="module")
def cue():
    """The cue of three layers, decided 72.05 s into the day."""
    (found,) = Detector(INSTRUMENT, stump("filled", 0.1, 50, -50), Calibration(0.9, 2, "simulator")).take(
        *layered().streams()
    )
    return found


def samples(seconds=300, jump_at=None, jump=0):
    """Best prices with 20 levels per side; the price jumps for good at a second."""
    ts = np.arange(1, seconds + 1)
    moved = jump * (ts >= jump_at) if jump_at else np.zeros(seconds, int)
    columns = {name: np.full(seconds, 5, np.int64) for name in READ}
    for k in range(1, 21):
        columns[f"bid_price_{k}"] = BID + 1 - k + moved
        columns[f"ask_price_{k}"] = BID + k + moved
    columns |= {"ts": START + ts * SECOND, "valid": np.ones(seconds, bool)}
    return pl.DataFrame(columns).select(READ)


def built(root, cues, rows, labels=None):
    """The data set of stored cues and samples."""
    path = root.partition("layering_cues", DATE, INSTRUMENT.id)
    publish(root, "layering_cues", path, cue_frame(cues, 0.9), "")
    publish(root, "book_samples", root.partition("book_samples", DATE, INSTRUMENT.id), rows, "")
    configuration = Config(root.captures, date(2025, 3, 3), None, (INSTRUMENT,))
    with LabelLog(root.label_log) as log:
        log.add_cues([one.id for one in cues])
        for number, (cue_id, label, source) in enumerate(labels or ()):
            log.vote(cue_id, label, f"labeller {number}", START, "", source)
        return dataset(root, configuration, log.labels())


def test_a_cue_with_its_features_and_its_votes(root, cue):
    """Two people who agree are gold; an hour of samples is not there, and said to be missing."""
    found = built(root, [cue], samples(), [(cue.id, 1, "review"), (cue.id, 1, "review")])
    assert found.schema == DATASET.schema
    (row,) = found.to_dicts()
    assert (row["id"], row["label"], row["tier"], row["label_end"]) == (cue.id, 1, "gold", cue.end)
    assert (row["lot_size"], row["score"]) == (cue.features["lot_size"], cue.score)
    assert row["volume"] == pytest.approx(0.6)
    assert row["notional"] == pytest.approx(0.6 * 1000.05)
    assert row["hours"] == pytest.approx(72 / 3600)
    assert (row["volatility_24h"], row["null_reason_context"]) == (None, 3)


@pytest.mark.parametrize(("jump", "label"), [(-10, 1), (10, 0), (0, None)])
def test_without_a_vote_the_price_says_something_weak(root, cue, jump, label):
    """Bid layers push up: going back by 10 bps within 30 s is their sign; a price that stays says nothing."""
    (row,) = built(root, [cue], samples(jump_at=90, jump=jump)).to_dicts()
    assert (row["label"], row["tier"]) == (label, "weak" if label is not None else None)
    assert row["label_end"] == (cue.last_pull + 30 * SECOND if label is not None else cue.end)


def test_a_vote_counts_more_than_the_price(root, cue):
    (row,) = built(root, [cue], samples(jump_at=90, jump=-10), [(cue.id, 0, "review")]).to_dicts()
    assert (row["label"], row["tier"], row["label_end"]) == (0, "silver", cue.end)


def test_no_cues_is_an_error(root):
    with pytest.raises(DatasetError, match="No cues of layering are stored"):
        dataset(root, Config(root.captures, date(2025, 3, 3), None, (INSTRUMENT,)), pl.DataFrame())


def test_cues_whose_times_touch_are_one_episode():
    """By hand: two that overlap, one 5 s after, one 6 s after that, and one of another instrument in between."""
    of = np.array(["a", "a", "b", "a", "a"])
    start = np.array([0, 1, 2, 8, 17]) * SECOND
    end = np.array([3, 2, 3, 11, 20]) * SECOND
    first, second, other, third, fourth = episodes(of, start, end).tolist()
    assert first == second == third
    assert len({first, other, fourth}) == 3


def test_the_predecessors_rule_scores_equal_orders_that_vanish(cue):
    """Bid levels of one size come and go for half a minute while buyers trade: the rule sees layers, on that side."""
    rows = samples(120).with_columns(
        pl.when(pl.col("ts") // SECOND % 2 == 0).then(7_000).otherwise(None).alias(f"bid_size_{k}")
        for k in range(3, 12)
    )
    cues = cue_frame([cue, replace(cue, side="ask")], 0.9)
    bid, ask = legacy_scores(cues, rows, INSTRUMENT)
    assert bid > 0.5 > ask
    assert legacy_scores(cues, rows.with_columns(valid=pl.lit(value=False)), INSTRUMENT).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("change", "votes"),
    [
        ({}, [1]),
        ({"label": 0}, [0]),
        ({"side": -1}, [0]),
        ({"prices": [1]}, []),
        ({"first_pull": START, "last_pull": START}, [0]),
    ],
    ids=["hit", "hit of a look-alike", "other side", "elsewhere in the book", "another time"],
)
def test_planted_episodes_label_the_cues_that_they_explain(tmp_path, cue, change, votes):
    episode = {
        "episode_id": "one",
        "instrument": INSTRUMENT.id,
        "variant": "simultaneous",
        "side": 1,
        "start": cue.start,
        "first_pull": cue.first_pull,
        "last_pull": cue.last_pull,
        "prices": [BID - 5],
        "sizes": [200],
        "m": 2.0,
        "label": 1,
    }
    with LabelLog(tmp_path / "labels.db") as log:
        assert inject(log, cue_frame([cue], 0.9), pl.DataFrame([episode | change], schema=TRUTH), START) == len(votes)
        assert log.votes()["label"].to_list() == votes
        assert log.votes()["source"].to_list() == ["injected"] * len(votes)
