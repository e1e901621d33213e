"""The planted signal is as strong as dialled, and cannot be seen where it must not."""

import numpy as np
import pytest

from ml.core.errors import SettingsError
from ml.core.time import SECOND
from ml.market.book import layout
from ml.market.book.sampler import Sampler
from ml.simulation.instrument import INSTRUMENT
from ml.simulation.plants import HORIZON_S, MAX_IC, Alpha
from ml.simulation.publish import streams
from ml.simulation.venue import Market, simulate

MIDNIGHT = 1_740_960_000 * 10**9  # 2025-03-03 UTC
SECONDS = 20_000
H = int(HORIZON_S)
ERROR = 1 / np.sqrt(SECONDS / H)
"""Standard error of a correlation over so many independent horizons; overlapping ones make it a little smaller."""


def sampled(alpha, seed=1, seconds=SECONDS, flows=False):
    history = simulate(Market(seed, seconds, Alpha(alpha)))
    sampler = Sampler(layout.empty_state(SECOND, seconds + 10, flows))
    sampler.run(*streams(history, MIDNIGHT))
    return history.signal, sampler.samples[: sampler.released]


def planted(signal, samples):
    """The signal at each sample's time and the movement over the horizon after it; the first sample is of second 1."""
    mid = (samples[:, layout.BID_PRICE] + samples[:, layout.ASK_PRICE]) / 2
    n = min(len(mid) - H, len(signal) - 1 - H)
    return signal[1 : n + 1].astype(float), (mid[H:] - mid[:-H])[:n]


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.25])
def test_the_information_coefficient_is_as_dialled(alpha):
    """Correlation of the signal with the change of the mid over the horizon, within three standard errors."""
    assert np.corrcoef(*planted(*sampled(alpha)))[0, 1] == pytest.approx(alpha, abs=3 * ERROR)


def test_without_alpha_there_is_no_drift_and_more_alpha_is_more():
    """Zero is exactly zero, not a small number."""
    drifts = [Alpha(ic).drift for ic in (0.0, 0.05, 0.1, 0.2, MAX_IC)]
    assert drifts[0] == 0.0
    assert drifts == sorted(set(drifts))


@pytest.mark.parametrize("ic", [-0.01, MAX_IC + 0.01, float("nan")])
def test_a_strength_that_cannot_be_planted_is_refused(ic):
    """The message says which range there is."""
    with pytest.raises(SettingsError, match=f"from 0 to {MAX_IC}"):
        Alpha(ic)


def test_neither_imbalance_nor_one_side_alone_tells_the_direction():
    """The signal is the product of a sparse side and flat or steep ladders: only the interaction is correlated with it.

    How wide ten levels are shows which side is sparse, how much of a side's size lies far out how steep it is.
    """
    signal, samples = sampled(0.25)
    s = signal[1 : len(samples) + 1].astype(float)
    at = samples[: len(s)]
    width = (
        at[:, layout.ASK_PRICE + 9] - at[:, layout.ASK_PRICE] + at[:, layout.BID_PRICE + 9] - at[:, layout.BID_PRICE]
    )
    far, near = (at[:, [layout.BID_SIZE + k, layout.ASK_SIZE + k]].sum(axis=1) for k in (9, 1))
    sparse = np.sign(width)
    flat = np.sign(far / near - 0.6)

    def seen(column):
        return abs(np.corrcoef(column, s)[0, 1])

    assert seen(sparse * flat) > 0.5
    # ladders are steep more often than flat, so the sparse side alone tells a part
    assert seen(flat) < 0.05
    assert seen(sparse) < 0.6 * seen(sparse * flat)
    for n in (1, 3, 5, 10):
        bids, asks = (at[:, size : size + n].sum(axis=1) for size in (layout.BID_SIZE, layout.ASK_SIZE))
        assert seen((bids - asks) / (bids + asks)) < 0.12, n


@pytest.mark.slow
def test_a_regression_on_imbalance_gains_next_to_nothing_and_trees_find_it():
    """Twelve hours as in the demo: below one point over the naive baselines, against three and more."""
    from ml.features.sets import BASE
    from ml.features.tick.build import build
    from ml.labels import future, spec
    from ml.learning.dataset import FIRST_SHARE, N_SPLITS, first_block
    from ml.learning.dataset import build as panel_of
    from ml.learning.experiment import DEFAULT
    from ml.learning.rows import Rows
    from ml.learning.training_features import join
    from ml.learning.walk_forward import fold_scores, predict, trainer
    from ml.market.days.tables import samples_frame

    no_tail = np.zeros((0, layout.COLUMNS), np.int64)
    _, samples = sampled(0.25, seed=7, seconds=12 * 3600, flows=True)
    labels = future.label(samples_frame(samples), no_tail, "2025-03-03")
    rows = join(build(samples, no_tail, INSTRUMENT), labels, INSTRUMENT.id)
    block = first_block(rows, DEFAULT).select("ts", "half_spread", movement="movement_10s", sigma="sigma_10s")
    data = Rows.of(panel_of(rows, spec.fit(block, 10), DEFAULT), BASE.columns)
    params = {"num_leaves": 5, "min_data_in_leaf": 600, "learning_rate": 0.05, "feature_fraction": 0.6, "rounds": 60}
    predictions = predict(data, data.folds(FIRST_SHARE, N_SPLITS), trainer("lightgbm", params, 1))
    scores = fold_scores(predictions).mean().to_dicts()[0]
    naive = max(scores["majority"], scores["last_direction"])
    assert scores["logistic_imbalance"] - naive < 0.01
    assert scores["test"] - naive > 0.03
