"""The time of a decision is that of a feature row and a prediction, each time anew."""

import numpy as np
import pytest

from ml.evaluation import latency
from ml.evaluation.latency import MEASURED, WARM_UP, decision_times, p99_ms
from ml.models.lightgbm import load
from ml.simulation.instrument import INSTRUMENT
from ml.training.candidate import train
from tests.panels import PARAMS, panel
from tests.samples import random_samples


class Watched:
    """A stored model that remembers what it was asked."""

    def __init__(self, model):
        self.model, self.card, self.asked = model, model.card, []

    def probabilities(self, features):
        self.asked.append(features.copy())
        return self.model.probabilities(features)

    def directions(self, probabilities):
        return self.model.directions(probabilities)


@pytest.fixture
def model(root):
    return Watched(load(root.model(train(root, panel(2_000), {}, {"params": PARAMS, "rounds": 10}, 1))))


@pytest.mark.parametrize("rows", [3_000, 100])
def test_each_decision_is_of_another_of_the_last_rows(model, rows):
    """The newest samples, as many as are timed or there are, row after row; the first decisions only warm up."""
    times = decision_times(model, random_samples(rows, 1), INSTRUMENT)
    assert (len(times), len(model.asked)) == (MEASURED, WARM_UP + MEASURED)
    assert (times > 0).all()
    assert len({row.tobytes() for row in model.asked}) == min(rows, WARM_UP + MEASURED)


def test_milliseconds(model):
    """A decision takes more than a microsecond and less than a tenth of a second."""
    assert 0.001 < np.median(decision_times(model, random_samples(200, 1), INSTRUMENT)) < 100


def test_a_busy_neighbour_in_one_round_is_not_the_model(monkeypatch):
    """Of three rounds the quietest counts, and of it the 99th percentile."""
    rounds = iter([np.full(1_000, 9.0), np.linspace(0, 1, 1_001), np.full(1_000, 8.0)])
    monkeypatch.setattr(latency, "decision_times", lambda *_: next(rounds))
    assert p99_ms(None, None, None) == pytest.approx(0.99)
