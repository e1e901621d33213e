"""Book shape: hand-made books with known answers, and what must not change an answer."""

from math import isnan, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import order_book as ob
from ml.features.tick.table import FEATURES
from ml.market.book import layout as at
from tests.support.examples import examples
from tests.support.samples import mirrored, prices_times, random_samples, sizes_times

SEEDS = st.integers(0, 2**32 - 1)
BID = (at.BID_PRICE, at.BID_SIZE)
ASK = (at.ASK_PRICE, at.ASK_SIZE)
NAMES = [feature.id for feature in FEATURES if feature.family == "book"]


def book(bids, asks):
    """One sample with the given (price, size) levels, best first."""
    row = np.zeros(at.COLUMNS, np.int64)
    for (price, size), levels in ((BID, bids), (ASK, asks)):
        for k, (p, s) in enumerate(levels):
            row[price + k] = p
            row[size + k] = s
    return row


def shape(row, tick=1, scale=500.0):
    """All of the family's numbers by name."""
    out = np.full(len(NAMES), -7.0)
    ob.fill(row, tick, scale, np.zeros((2, 6), np.int64), out)
    return dict(zip(NAMES, out.tolist(), strict=True))


def test_a_hand_made_book():
    """Three bids, two asks: each number can be checked on paper."""
    bids = [(99_990, 30), (99_980, 10), (99_850, 60)]
    asks = [(100_010, 10), (100_060, 20)]
    expected = {
        "spread_ticks": 4.0,
        "spread_bps": 2.0,
        "micro_dev_bps": 0.5,
        "vwmid5_dev_bps": (26.0 + 1 / 3) / 10,
        "qi_1": 0.5,
        "qi_3": 70 / 130,
        "qi_5": 70 / 130,
        "qi_10": 70 / 130,
        "qi_2bps": 0.6,
        "qi_5bps": 0.6,
        "qi_10bps": 10 / 70,
        "qi_20bps": 70 / 130,
        "depth_bid_5": log(3),
        "depth_ask_5": log(1.6),
        "depth_bid_20bps": log(3),
        "depth_ask_20bps": log(1.6),
        "slope_ask": nan,
        "gap_bid_ticks": 2.0,
        "gap_ask_ticks": 10.0,
        "hhi_bid_10": 0.46,
        "hhi_ask_10": 5 / 9,
        "wall_bid": 1.2,
        "wall_ask": 0.4,
        "wall_bid_bps": 15.0,
        "wall_ask_bps": 6.0,
    }
    found = shape(book(bids, asks), tick=5, scale=50.0)
    expected["vwmid5_dev_bps"] = (
        1e4 * (((99_990 * 30 + 99_980 * 10 + 99_850 * 60) / 100 + (100_010 * 10 + 100_060 * 20) / 30) / 2 - 1e5) / 1e5
    )
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_a_level_counts_up_to_the_edge_of_its_band_and_the_best_always():
    """Exactly 2 bps is within; a touch 30 bps away is near all the same, and is its own wall."""
    edge = shape(book([(99_980, 1), (99_979, 8)], [(100_020, 3)]))
    assert (edge["qi_2bps"], edge["qi_5bps"]) == (-0.5, 0.5)
    wide = shape(book([(99_700, 6), (99_690, 50)], [(100_300, 2)]))
    assert [wide[f"qi_{x}bps"] for x in (2, 5, 10, 20)] == [0.5] * 4
    assert (wide["wall_bid"], wide["wall_bid_bps"]) == (6 / 500, 30.0)


def test_of_equal_walls_the_nearest_is_meant():
    """Sizes 5, 9, 9."""
    found = shape(book([(99_990, 5), (99_960, 9), (99_930, 9)], [(100_010, 1)]))
    assert (found["wall_bid"], found["wall_bid_bps"]) == (9 / 500, 4.0)


def test_a_power_law_has_its_exponent_as_slope():
    """Cumulative size that grows with the square of the distance gives 2 on either side."""
    distances = [1, 2, 4, 8, 16]
    sizes = np.diff([0, *(d**2 for d in distances)]).tolist()
    bids = [(1_000 - d, s) for d, s in zip(distances, sizes, strict=True)]
    asks = [(1_000 + d, s) for d, s in zip(distances, sizes, strict=True)]
    assert ob.slope(book(bids, asks), *BID) == pytest.approx(2.0)
    assert ob.slope(book(bids, asks), *ASK) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("bids", "asks"),
    [([(990, 1), (980, 1)], [(1010, 1)] * 2), ([(1000, 1), (990, 1), (980, 1)], [(1000, 1), (1010, 1), (1020, 1)])],
)
def test_a_slope_needs_three_levels_away_from_the_mid(bids, asks):
    """Two points are no fit, and the logarithm of a distance of zero is no number."""
    found = shape(book(bids, asks))
    assert isnan(found["slope_bid"])
    assert isnan(found["slope_ask"])


def test_one_level_has_no_gap():
    """There is nothing to measure to."""
    lone = shape(book([(990, 1)], [(1010, 1)]))
    assert isnan(lone["gap_bid_ticks"])
    assert isnan(lone["gap_ask_ticks"])


@settings(max_examples=examples(20, 60), deadline=None)
@given(SEEDS, st.integers(3, 20))
def test_the_mirror_turns_signs_and_sides(seed, levels):
    """Upside down around its mid, signed numbers change sign and each side's become the other's."""
    samples = random_samples(1, seed, levels)
    one = shape(samples[0])
    other = shape(mirrored(samples, high=int(samples[0, at.BID_PRICE] + samples[0, at.ASK_PRICE]))[0])
    for name in NAMES:
        swapped = name.replace("bid", "#").replace("ask", "bid").replace("#", "ask")
        sign = -1 if name.startswith(("micro", "vwmid", "qi")) else 1
        assert other[swapped] == pytest.approx(sign * one[name], rel=1e-9, abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 1_000))
def test_units_of_size_and_price_do_not_matter(seed, factor):
    """Sizes and their scale in other lots, prices and tick in another unit: the same numbers."""
    samples = random_samples(1, seed)
    one = shape(samples[0])
    assert shape(sizes_times(samples, factor)[0], scale=500.0 * factor) == pytest.approx(one, rel=1e-9)
    assert shape(prices_times(samples, factor)[0], tick=factor) == pytest.approx(one, rel=1e-9)


@settings(max_examples=examples(20, 60), deadline=None)
@given(SEEDS, st.integers(1, 20))
def test_shares_stay_in_their_bounds(seed, levels):
    """An imbalance lies between -1 and 1, a concentration between one over the levels and 1."""
    found = shape(random_samples(1, seed, levels)[0])
    assert all(-1 <= found[name] <= 1 for name in NAMES if name.startswith("qi"))
    assert all(1 / min(levels, 10) - 1e-12 <= found[f"hhi_{side}_10"] <= 1 for side in ("bid", "ask"))
