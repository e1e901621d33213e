"""Two models on one stream: who serves, who falls back, and no row is lost."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.features.sets import BASE
from ml.learning.models.trained import ModelCard
from ml.promotion.life import Stage
from ml.promotion.routing import BUCKET_NS, salt_of, to_challenger
from ml.promotion.serving import MODEL_ERROR, NO_ANSWER, Serving

CARD = ModelCard("e", "lightgbm", {}, tuple(BASE.columns), 10, BASE.name, BASE.hash, "c", {}, "p", 0, 0)
VALUES = np.zeros(110)


@dataclass
class Fake:
    """A model with one answer, or an error."""

    id: str
    says: int = 0
    raises: Exception | None = None
    card: ModelCard = CARD
    asked: int = 0

    def probabilities(self, features):
        assert features.shape == (1, len(BASE.columns))
        self.asked += 1
        if self.raises:
            raise self.raises
        return np.full((1, 3), np.nan) if self.says < 0 else np.eye(3)[[self.says]]

    def directions(self, probabilities):
        return probabilities.argmax(axis=1).astype(np.int8)


def known(_):
    return None


def clock():
    clock.ns += 7
    return clock.ns


clock.ns = 0


def test_in_shadow_the_champion_serves_and_both_are_asked():
    """On every row; the time of each answer is its own."""
    a, b = Fake("a", 0), Fake("b", 2)
    serving = Serving(a, b, Stage.SHADOW, "s", 1.0, clock)
    rows = [serving.score("sim.X", k * BUCKET_NS, VALUES, known) for k in range(50)]
    assert {row.served.model_id for row in rows} == {"a"}
    assert {(row.champion.direction, row.beside.direction) for row in rows} == {(0, 2)}
    assert (a.asked, b.asked) == (50, 50)
    assert {row.champion.processor_ns for row in rows} | {row.beside.processor_ns for row in rows} == {7}


def test_in_the_split_the_challenger_serves_its_buckets():
    """Those that the hash gives it, and no other."""
    serving = Serving(Fake("a"), Fake("b"), Stage.SPLIT, "s", 0.5, clock)
    times = [k * BUCKET_NS // 4 for k in range(200)]
    served = [serving.score("sim.X", ts, VALUES, known).served.model_id for ts in times]
    expected = ["b" if to_challenger("sim.X", ts, salt_of("s", "b"), 0.5) else "a" for ts in times]
    assert served == expected
    assert set(served) == {"a", "b"}


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.SPLIT, Stage.WATCH])
def test_a_model_that_fails_costs_no_row(stage):
    """The other one answers under its own name; the failure is on record."""
    serving = Serving(Fake("a", raises=RuntimeError("x")), Fake("b", 1), stage, "s", 0.01, clock)
    row = serving.score("sim.X", 0, VALUES, known)
    assert (row.served.model_id, row.served.direction, row.withheld) == ("b", 1, None)
    assert (row.champion.reason, row.champion.processor_ns) == (MODEL_ERROR, 7)


def test_nobody_to_fall_back_on_withholds_the_row():
    """With the reason, never with an old answer or a zero."""
    row = Serving(Fake("a", raises=ValueError("x"))).score("sim.X", 0, VALUES, known)
    assert (row.served, row.withheld) == (None, MODEL_ERROR)
    both = Serving(Fake("a", raises=ValueError("x")), Fake("b", raises=KeyError("y")), Stage.SHADOW)
    assert both.score("sim.X", 0, VALUES, known).withheld == MODEL_ERROR
    assert Serving(None).score("sim.X", 0, VALUES, known).withheld == "no_model"


def test_no_probability_is_no_answer():
    """A model that gives NaN abstains: its rows are withheld, not guessed."""
    row = Serving(Fake("a", -1), Fake("b", 1), Stage.SHADOW).score("sim.X", 0, VALUES, known)
    assert (row.served, row.withheld) == (None, NO_ANSWER)


def test_an_unknown_input_is_not_asked_about():
    """The reason is that of the input, and takes no time."""
    a = Fake("a")
    row = Serving(a).score("sim.X", 0, VALUES, lambda _: "warm_up")
    assert (row.served, row.withheld, row.champion.processor_ns, a.asked) == (None, "warm_up", None, 0)


FAKES = st.builds(Fake, st.just("a"), st.integers(-1, 2), st.sampled_from([None, RuntimeError("x")]))


@given(FAKES, FAKES, st.sampled_from([Stage.SHADOW, Stage.SPLIT, Stage.WATCH]), st.integers(0, 10**18), st.booleans())
def test_every_row_is_served_or_says_why(a, b, stage, ts, is_known):
    """Exactly one of the two, and whoever is named gave the answer."""
    a.id, b.id = "a", "b"
    row = Serving(a, b, stage, "s", 0.5).score("sim.X", ts, VALUES, known if is_known else lambda _: "stale")
    assert (row.served is None) == (row.withheld is not None)
    if row.served is not None:
        assert row.served in (row.champion, row.beside)
        assert row.served.direction is not None
