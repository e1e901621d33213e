"""The time of a decision is that of a feature row and a prediction, and not that of a busy machine."""

import time
from functools import partial

import numpy as np
import pytest

from ml.evaluation import latency
from ml.evaluation.latency import MEASURED, WARM_UP, decision_times, measure
from ml.learning.candidate import train
from ml.learning.experiment import DEFAULT
from ml.learning.models.trained import load
from ml.simulation.instrument import INSTRUMENT
from tests.support.panels import rows, tuned
from tests.support.samples import random_samples


class Watched:
    """A stored model that remembers what it was asked."""

    def __init__(self, model):
        self.model = model
        self.card = model.card
        self.asked = []

    def probabilities(self, features):
        self.asked.append(features.copy())
        return self.model.probabilities(features)

    def directions(self, probabilities):
        return self.model.directions(probabilities)


@pytest.fixture
def model(root):
    return Watched(load(root.model(train(root, rows(2_000), DEFAULT, None, tuned(), 1))))


@pytest.mark.parametrize("rows", [3_000, 100])
def test_each_decision_is_of_another_of_the_last_rows(model, rows):
    """The newest samples, as many as are timed or there are, row after row; the first decisions only warm up."""
    times = decision_times(model, random_samples(rows, 1), INSTRUMENT)
    assert (times.shape, len(model.asked)) == ((MEASURED, 2), WARM_UP + MEASURED)
    assert (times > 0).all()
    assert len({row.tobytes() for row in model.asked}) == min(rows, WARM_UP + MEASURED)


def test_milliseconds(model):
    """A decision takes more than a microsecond and less than a tenth of a second of the processor."""
    assert 0.001 < np.median(decision_times(model, random_samples(200, 1), INSTRUMENT)[:, 0]) < 100


def test_waiting_takes_no_processor_time(model, monkeypatch):
    """A model that sleeps is slow on the clock alone; one that counts is slow on both."""

    def sleeping(features, wait):
        wait()
        return honest(features)

    honest = model.probabilities
    monkeypatch.setattr(latency, "MEASURED", 20)
    found = []
    for wait in (lambda: time.sleep(0.02), lambda: use_processor(0.02)):
        monkeypatch.setattr(model, "probabilities", partial(sleeping, wait=wait))
        found.append(measure(model, random_samples(100, 1), INSTRUMENT))
    assert found[0].wall_ms > 20
    assert found[0].processor_ms < 10
    assert found[1].processor_ms > 20


def use_processor(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_an_interruption_in_one_round_is_not_the_models(monkeypatch):
    """Of the three times of each decision the least counts; on the clock all count."""
    quiet = np.linspace(0, 1, 1_001)
    processor = np.array([quiet, quiet + 3.0, quiet + 2.0])
    processor[0, ::3] = 9.0
    processor[1, ::3] = quiet[::3]
    rounds = iter(np.stack([processor, processor + 100], axis=2))
    monkeypatch.setattr(latency, "decision_times", lambda *_: next(rounds))
    found = measure(None, None, None)
    assert found.processor_ms == pytest.approx(0.99)
    assert found.wall_ms == pytest.approx(np.quantile(processor, 0.99) + 100)
