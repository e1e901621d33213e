"""Corners of the order book columns that random books do not reach."""

from dataclasses import replace

import numpy as np
import pytest

from ml.features.legacy.book import compute
from ml.market.book import layout as at
from tests.oracles import legacy
from tests.support.legacy_days import PAIR
from tests.support.samples import random_samples


def standing(rows=60):
    """A book of three levels per side that does not move."""
    samples = np.repeat(random_samples(1, 2), rows, axis=0)
    for price, size in ((at.BID_PRICE, at.BID_SIZE), (at.ASK_PRICE, at.ASK_SIZE)):
        samples[:, price + 3 : price + 20] = samples[:, size + 3 : size + 20] = 0
    return samples


def test_a_book_that_stands_still_falls_back_as_theirs_did():
    """No change of depth: spread over depth. No negative covariance: twice the relative spread, another unit."""
    samples = standing()
    found = compute(samples, PAIR)
    wanted = legacy.orderbook(samples, 59, PAIR)
    snap = legacy.snapshot(samples[-1], PAIR)
    assert found["kyle_lambda"][-1] == pytest.approx(legacy.spread(snap) / legacy.depth(snap))
    assert found["roll_spread"][-1] == pytest.approx(2 * legacy.spread(snap) / legacy.mid(snap))
    assert found["orderbook_volatility"][-1] == found["volume_delta_5"][-1] == found["order_flow_imbalance"][-1] == 0
    for name, value in wanted.items():
        assert found[name][-1] == pytest.approx(value, rel=1e-12), name


def test_a_level_that_is_gone_counts_nothing():
    """Theirs went over the present levels only; the same size more on a level that stays counts."""
    samples = standing(4)
    samples[3, [at.BID_PRICE + 2, at.BID_SIZE + 2]] = 0
    assert compute(samples, PAIR)["order_flow_imbalance"][3] == 0
    samples[3, at.BID_SIZE] += 1_000
    assert 0.99 < compute(samples, PAIR)["order_flow_imbalance"][3] <= 1.0


def test_intensity_has_a_floor():
    """Sizes below a thousandth are taken as a thousandth."""
    samples = standing(1)
    samples[:, at.BID_SIZE : at.BID_SIZE + 3] = 1
    tiny = compute(samples, replace(PAIR, size_decimals=9))
    assert tiny["bid_intensity"][0] == pytest.approx(3 / 0.001)


def test_trades_are_counted_over_a_minute():
    """Both aggressors, a sixtieth; nothing before a minute of samples."""
    samples = random_samples(70, 3)
    samples[:, at.TRADE_COUNT] = 2
    samples[:, at.TRADE_COUNT + 1] = 1
    rate = compute(samples, PAIR)["trade_arrival_rate"]
    assert np.isnan(rate[:59]).all()
    assert (rate[59:] == 3.0).all()
