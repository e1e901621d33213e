"""Book shape: hand-made books with known answers, and what must not change an answer."""

from math import isnan, log, nan
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features import order_book as ob
from ml.market import layout as at
from tests.samples import mirrored, prices_times, random_samples, sizes_times

SEEDS = st.integers(0, 2**32 - 1)
BID, ASK = (at.BID_PRICE, at.BID_SIZE), (at.ASK_PRICE, at.ASK_SIZE)


def book(bids, asks):
    """One sample with the given (price, size) levels, best first."""
    samples = np.zeros((1, at.COLUMNS), np.int64)
    for (price, size), levels in ((BID, bids), (ASK, asks)):
        for k, (p, s) in enumerate(levels):
            samples[0, price + k], samples[0, size + k] = p, s
    return samples


HAND = book([(990, 30), (980, 10), (950, 60)], [(1010, 10), (1030, 10)])


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (ob.spread_ticks, (5,), 4.0),
        (ob.spread_bps, (), 200.0),
        (ob.micro_dev_bps, (), 50.0),  # (990 * 10 + 1010 * 30) / 40 = 1005
        (ob.vwmid_dev_bps, (5,), -75.0),  # bids 965, asks 1020: their midpoint is 992.5
        (ob.queue_imbalance, (1,), 0.5),
        (ob.queue_imbalance, (2,), 1 / 3),
        (ob.queue_imbalance, (10,), 2 / 3),
        (ob.depth, (at.BID_SIZE, 50.0), log(3)),
        (ob.depth, (at.ASK_SIZE, 20.0), log(2)),
        (ob.gap_ticks, (at.BID_PRICE, 5), 2.0),
        (ob.gap_ticks, (at.ASK_PRICE, 5), 4.0),
        (ob.concentration, (at.BID_SIZE,), 0.46),
        (ob.concentration, (at.ASK_SIZE,), 0.5),
        (ob.slope, ASK, nan),
    ],
)
def test_a_hand_made_book(function, arguments, expected):
    """Three bids, two asks: each number can be checked on paper."""
    assert function(HAND, 0, *arguments) == pytest.approx(expected, nan_ok=True)


def test_a_power_law_has_its_exponent_as_slope():
    """Cumulative size that grows with the square of the distance gives 2 on either side."""
    distances = [1, 2, 4, 8, 16]
    sizes = np.diff([0, *(d**2 for d in distances)]).tolist()
    bids = [(1_000 - d, s) for d, s in zip(distances, sizes, strict=True)]
    asks = [(1_000 + d, s) for d, s in zip(distances, sizes, strict=True)]
    assert ob.slope(book(bids, asks), 0, *BID) == pytest.approx(2.0)
    assert ob.slope(book(bids, asks), 0, *ASK) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("bids", "asks"),
    [([(990, 1), (980, 1)], [(1010, 1)] * 2), ([(1000, 1), (990, 1), (980, 1)], [(1000, 1), (1010, 1), (1020, 1)])],
)
def test_a_slope_needs_three_levels_away_from_the_mid(bids, asks):
    """Two points are no fit, and the logarithm of a distance of zero is no number."""
    assert isnan(ob.slope(book(bids, asks), 0, *BID))
    assert isnan(ob.slope(book(bids, asks), 0, *ASK))


def test_one_level_has_no_gap():
    """There is nothing to measure to."""
    lone = book([(990, 1)], [(1010, 1)])
    assert isnan(ob.gap_ticks(lone, 0, at.BID_PRICE, 1))
    assert isnan(ob.gap_ticks(lone, 0, at.ASK_PRICE, 1))


def shape(samples, i, tick=1, scale=500.0):
    """All of the book's numbers that hold for both sides together, and those per side."""
    signed = [ob.micro_dev_bps(samples, i), ob.vwmid_dev_bps(samples, i, 5)]
    signed += [ob.queue_imbalance(samples, i, n) for n in (1, 3, 5, 10)]
    even = [ob.spread_ticks(samples, i, tick)]
    sides = [
        (
            ob.depth(samples, i, size, scale),
            ob.slope(samples, i, price, size),
            ob.gap_ticks(samples, i, price, tick),
            ob.concentration(samples, i, size),
        )
        for price, size in (BID, ASK)
    ]
    return np.array(signed), np.array(even), np.array(sides)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(3, 20))
def test_the_mirror_turns_signs_and_sides(seed, levels):
    """With bids and asks exchanged, signed numbers change sign and each side's become the other's."""
    samples = random_samples(1, seed, levels)
    signed, even, sides = shape(samples, 0)
    turned, same, other = shape(mirrored(samples), 0)
    # a deviation is over the mid, which the mirror moves: from m to HIGH - m
    mid = samples[0, at.BID_PRICE] + samples[0, at.ASK_PRICE]
    turned[:2] *= (2 * 10**6 - mid) / mid
    np.testing.assert_allclose(turned, -signed, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(same, even)
    np.testing.assert_allclose(other, sides[::-1], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 1_000))
def test_units_of_size_and_price_do_not_matter(seed, factor):
    """Sizes and their scale in other lots, prices and tick in another unit: the same numbers."""
    samples = random_samples(1, seed)
    parts = shape(samples, 0)
    in_lots = shape(sizes_times(samples, factor), 0, scale=500.0 * factor)
    in_units = shape(prices_times(samples, factor), 0, tick=factor)
    for one, lots, units in zip(parts, in_lots, in_units, strict=True):
        np.testing.assert_allclose(lots, one, rtol=1e-9)
        np.testing.assert_allclose(units, one, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_shares_stay_in_their_bounds(seed, levels):
    """An imbalance lies between -1 and 1, a concentration between one over the levels and 1."""
    samples = random_samples(1, seed, levels)
    for n in (1, 3, 5, 10):
        assert -1 <= ob.queue_imbalance(samples, 0, n) <= 1
    for _, size in (BID, ASK):
        assert 1 / min(levels, 10) - 1e-12 <= ob.concentration(samples, 0, size) <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(60, 400), st.integers(0, 450), st.integers(1, 40), SEEDS)
def test_the_scale_is_the_exact_median_of_the_valid_run(n, run, distinct, seed):
    """Selection gives what sorting gives, with many ties or none, over no more rows than are valid; NaN below 60."""
    samples, rng = random_samples(n, seed), np.random.default_rng(seed)
    samples[:, [at.BID_SIZE, at.ASK_SIZE]] = rng.integers(1, distinct + 1, (n, 2))
    samples[n - 1, at.RUN] = run
    before, rows = samples.copy(), min(run, n)
    found = ob.size_scale(samples, n - 1, np.empty(at.TAIL, np.int64))
    window = samples[n - rows :, [at.BID_SIZE, at.ASK_SIZE]].ravel().tolist()
    assert found == median(window) if rows >= ob.SCALE_MIN else isnan(found)
    np.testing.assert_array_equal(samples, before)


def test_the_scale_looks_back_half_an_hour_at_most():
    """The 1 801st sample before counts no more."""
    samples, scratch = random_samples(2_000, 1), np.empty(at.TAIL, np.int64)
    now = ob.size_scale(samples, 1_999, scratch)
    samples[:200, [at.BID_SIZE, at.ASK_SIZE]] = 10**9
    assert ob.size_scale(samples, 1_999, scratch) == now
    samples[200:400, [at.BID_SIZE, at.ASK_SIZE]] = 10**9
    assert ob.size_scale(samples, 1_999, scratch) > now
