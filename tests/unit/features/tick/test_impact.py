"""Impact: markets whose answer is known from the papers' models."""

from math import sqrt

import numpy as np
import pytest

from ml.features.tick import impact
from ml.features.tick import windows as of
from ml.features.tick.windows import empty_windows, push
from ml.market.book import layout as at
from tests.support.samples import random_samples

NAMES = ("largest", "vpin", "kyle", "amihud", "roll", "effective")
RNG = np.random.default_rng(7)


def quiet(n):
    """A book at 1 000 000 and nobody who trades."""
    samples = random_samples(n, 1)
    samples[:, at.OFI : at.BOOK_AGE] = 0
    samples[:, at.BID_PRICE] = 999_999
    samples[:, at.ASK_PRICE] = 1_000_001
    return samples


def trade(samples, k, signed, price=1_000_000, paid=0):
    side = 0 if signed > 0 else 1
    samples[k, at.TRADE_COUNT + side] += 1
    samples[k, at.TRADE_VOLUME + side] += abs(signed)
    samples[k, at.TRADE_NOTIONAL + side] += abs(signed) * price
    samples[k, at.TRADE_SPREAD] += paid * abs(signed)
    samples[k, at.TRADE_LARGEST] = max(samples[k, at.TRADE_LARGEST], abs(signed))
    samples[k, at.LAST_TRADE] = price


def features(samples, scale=100.0):
    windows = empty_windows(len(samples))
    out = np.zeros(6)
    for sample in samples:
        push(windows, sample)
    impact.fill(windows, scale, out)
    return dict(zip(NAMES, out.tolist(), strict=True))


def test_without_trades_there_is_no_impact():
    """Zero throughout."""
    assert set(features(quiet(700)).values()) == {0.0}


def test_kyles_market_gives_back_its_lambda():
    """Prices that move by lambda per root of net volume: 0.02 bps per root lot is 0.2 per root of 100 lots."""
    samples = quiet(200)
    mid = 10**9
    for k in range(200):
        signed = int(RNG.integers(1, 50) ** 2 * RNG.choice([-1, 1]))
        trade(samples, k, signed)
        mid = round(mid * (1 + 0.02e-4 * np.sign(signed) * sqrt(abs(signed))))
        samples[k, at.BID_PRICE] = mid - 1
        samples[k, at.ASK_PRICE] = mid + 1
    found = features(samples)
    assert found["kyle"] == pytest.approx(0.2, rel=1e-3)


def test_amihud_is_the_mean_of_what_a_lot_moved():
    """Two seconds with trades: 1 bps for 10 lots, 2 bps for 40 lots; scale 100 lots."""
    samples = quiet(100)
    for k, volume, mid in ((50, 10, 1_000_100), (70, 40, 1_000_300)):
        trade(samples, k, volume)
        samples[k:, at.BID_PRICE] = mid - 1
        samples[k:, at.ASK_PRICE] = mid + 1
    expected = (1.0 / 10 + 2e6 / 1_000_100 / 40) / 2 * 100
    assert features(samples)["amihud"] == pytest.approx(expected, rel=1e-4)


def test_rolls_market_gives_back_its_spread():
    """A still mid and trades at either side of it by the toss of a coin: the spread is 20 units, 0.2 bps."""
    found = []
    for _ in range(300):
        samples = quiet(60)
        for k in range(60):
            trade(samples, k, 1, 1_000_000 + 10 * int(RNG.choice([-1, 1])))
        found.append(features(samples)["roll"] ** 2)
    assert sqrt(np.mean(found)) == pytest.approx(0.2, rel=0.05)


def test_a_trend_has_no_roll_spread():
    """Changes that follow each other have a positive covariance."""
    samples = quiet(60)
    for k in range(60):
        trade(samples, k, 1, 1_000_000 + k * k)
    assert features(samples)["roll"] == 0.0


def test_the_effective_spread_is_twice_the_distance_from_the_mid():
    """One lot 30 units off, three lots at the mid: on average 7.5 units twice."""
    samples = quiet(100)
    trade(samples, 90, 1, 1_000_030, paid=60)
    trade(samples, 95, -3, 1_000_000, paid=0)
    assert features(samples)["effective"] == pytest.approx(1e4 * 15 / 1_000_007.5)
    assert features(samples)["largest"] == 0.75


@pytest.mark.parametrize(("sides", "expected"), [([1], 1.0), ([1, -1], 0.0), ([1, 1, -1], 1 / 3)])
def test_vpin_of_one_sided_and_of_balanced_volume(sides, expected):
    """All bought is 1, bought and sold by turns within each bucket is 0."""
    samples = quiet(3_600)
    for k in range(3_600):
        trade(samples, k, 5 * sides[k % len(sides)])
    assert features(samples)["vpin"] == pytest.approx(expected, abs=0.01)


def test_vpin_counts_imbalance_by_volume_and_not_by_time():
    """Fifty lots bought in one second and fifty sold in the next are two halves of the volume: fully one-sided."""
    samples = quiet(3_600)
    trade(samples, 100, 5_000)
    trade(samples, 3_500, -5_000)
    assert features(samples)["vpin"] == pytest.approx(1.0)


def test_where_the_search_began_does_not_matter():
    """Edges from anywhere give the same bits."""
    samples = random_samples(3_700, 2)
    windows = empty_windows(len(samples))
    for sample in samples:
        push(windows, sample)
    found = set()
    for begin in (0, 3_699, 100, 10**6):
        windows.edges[:] = begin
        found.add(impact.vpin(windows.series, windows.meta[of.COUNT], 3_600, windows.edges))
    assert len(found) == 1
