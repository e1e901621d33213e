"""Canaries must sing on honest code, and die on each kind of leak."""

import numpy as np
import pytest

from ml.evaluation.canaries import model
from ml.evaluation.verdict import STRONG, STRONG_MODEL, STRONG_ROUNDS
from ml.learning.rows import Rows
from ml.learning.walk_forward import trainer
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate

CODE = model.feature_code(INSTRUMENT)
STRONG_TRAINER = trainer(STRONG_MODEL, STRONG | {"rounds": STRONG_ROUNDS}, 1)


@pytest.fixture(scope="module")
def samples():
    sampler = Sampler()
    sampler.run(*streams(simulate(Market(3, 900, Alpha(0.1))), 1_741_000_000 * 10**9))
    return sampler.samples[: sampler.released].copy()


@pytest.mark.promise("D9")
def test_all_sing_on_the_products_own_code(samples):
    """No leak, no dead canary."""
    results = model.run(samples, INSTRUMENT, STRONG_TRAINER, 0.4, 5)
    assert [(c.name, c.passed) for c in results] == [
        (n, True) for n in ("truncation", "future_scramble", "planted_leak", "null_market")
    ]


def centred_mid(window, i):
    """A moving average that is centred: the commonest leak of all."""
    part = window[max(i - 5, 0) : i + 6]
    return np.append(CODE(window, i), (part[:, layout.BID_PRICE] + part[:, layout.ASK_PRICE]).mean())


def scaled_by_all(window, i):
    """A value scaled by statistics of the whole array."""
    mids = window[:, layout.BID_PRICE] + window[:, layout.ASK_PRICE]
    return np.append(CODE(window, i), (mids[i] - mids.mean()) / mids.std())


@pytest.mark.parametrize("leaking", [centred_mid, scaled_by_all])
@pytest.mark.parametrize("canary", [model.truncation, model.future_scramble])
def test_a_leak_kills_them(samples, leaking, canary):
    """Both kinds of leak change rows when the future is cut off or scrambled."""
    found = canary(samples, leaking)
    assert not found.passed
    assert found.value > 5


def test_a_blind_truncation_test_would_be_noticed(samples, monkeypatch):
    """If the truncation test could not see a planted leak, the planted-leak canary dies."""
    monkeypatch.setattr(model, "truncation", lambda *_: model.Canary("truncation", True, 0, 0, ""))
    assert not model.planted_leak(samples, CODE).passed


def test_shuffled_splits_kill_the_null_market(monkeypatch):
    """Training and test rows mixed at random look like skill on a random walk."""
    honest = model.null_market(STRONG_TRAINER, 0.4, 5)
    assert honest.passed

    def shuffled(self, first_share, n_splits):
        from ml.learning.splits import Fold

        order = np.random.default_rng(1).permutation(len(self.start))
        return [
            Fold(k, np.sort(np.setdiff1d(order, test)), np.sort(test))
            for k, test in enumerate(np.array_split(order, n_splits))
        ]

    monkeypatch.setattr(Rows, "folds", shuffled)
    leaked = model.null_market(STRONG_TRAINER, 0.4, 5)
    assert not leaked.passed
    assert leaked.value > 2 * leaked.limit
