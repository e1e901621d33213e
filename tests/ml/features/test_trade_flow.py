"""Trade flow: who bought and who sold, over which window."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features import trade_flow as tf
from ml.market import layout as at
from ml.schemas import SAMPLE_COLUMNS
from tests.samples import mirrored, random_samples, sizes_times

COLUMNS = {"volume": at.TRADE_VOLUME, "count": at.TRADE_COUNT}
WINDOWS = st.sampled_from([1, 5, 30, 60])


def quiet():
    """Samples without a print."""
    samples = random_samples(70, 1)
    samples[:, at.TRADE_COUNT : at.LAST_TRADE] = 0
    return samples


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 79), WINDOWS)
def test_sums_over_the_window(seed, i, window):
    """The last `window` samples, this one included; where the array starts later, those that there are."""
    samples = random_samples(80, seed)
    part = samples[max(i + 1 - window, 0) : i + 1]
    for column in COLUMNS.values():
        buy, sell = (int(part[:, column + k].sum()) for k in (0, 1))
        assert tf.signed_imbalance(samples, i, window, column) == pytest.approx((buy - sell) / (buy + sell), rel=1e-14)
    prints = part[:, at.TRADE_COUNT : at.TRADE_COUNT + 2].sum()
    assert tf.trade_rate(samples, i, window) == pytest.approx(log(1 + prints / window), rel=1e-14)


@pytest.mark.parametrize(("side", "sign"), [("buy", 1.0), ("sell", -1.0)])
@pytest.mark.parametrize("what", COLUMNS)
def test_a_lone_print_is_the_extreme_until_it_leaves_the_window(what, side, sign):
    """Bought alone is 1, sold alone is -1; five seconds later there is nothing again."""
    samples = quiet()
    samples[40, SAMPLE_COLUMNS.index(f"trade_{what}_{side}")] = 3
    found = [tf.signed_imbalance(samples, i, 5, COLUMNS[what]) for i in range(39, 46)]
    assert found == [0.0, *[sign] * 5, 0.0]


def test_volumes_and_counts_are_told_apart():
    """One large sale against three small purchases."""
    samples = quiet()
    samples[40, at.TRADE_VOLUME : at.TRADE_VOLUME + 2] = 300, 900
    samples[40, at.TRADE_COUNT : at.TRADE_COUNT + 2] = 3, 1
    assert tf.signed_imbalance(samples, 40, 5, at.TRADE_VOLUME) == -0.5
    assert tf.signed_imbalance(samples, 40, 5, at.TRADE_COUNT) == 0.5
    assert tf.trade_rate(samples, 40, 2) == pytest.approx(log(3))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), WINDOWS, st.integers(2, 500))
def test_mirror_and_lots(seed, window, factor):
    """Exchanged sides turn the sign, other lots change nothing, and neither changes the rate."""
    samples = random_samples(80, seed)
    other, scaled = mirrored(samples), sizes_times(samples, factor)
    for column in COLUMNS.values():
        now = tf.signed_imbalance(samples, 79, window, column)
        assert tf.signed_imbalance(other, 79, window, column) == -now
        assert tf.signed_imbalance(scaled, 79, window, column) == pytest.approx(now, rel=1e-12)
        assert -1 <= now <= 1
    rate = tf.trade_rate(samples, 79, window)
    assert tf.trade_rate(other, 79, window) == tf.trade_rate(scaled, 79, window) == rate


def test_no_print_is_balance_and_no_rate():
    """Zero, not a division by zero."""
    samples = quiet()
    assert np.array_equal([tf.signed_imbalance(samples, 60, 60, c) for c in COLUMNS.values()], [0.0, 0.0])
    assert tf.trade_rate(samples, 60, 60) == 0.0
