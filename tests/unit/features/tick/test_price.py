"""Price: how far and how roughly the mid went, by hand; all of it against the oracle in `test_row`."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import price
from ml.features.tick import windows as of
from ml.features.tick.windows import empty_windows, push
from ml.market.book import layout as at
from tests.support.samples import random_samples

NAMES = (
    *(f"return_{w}" for w in (1, 5, 10, 30, 60)),
    *(f"rv_{w}" for w in (10, 60, 300)),
    "jump",
    "skew",
    "range",
    "parkinson",
    "to_high",
    "to_low",
    "last",
)


def features(mids, last=None):
    """The family at the end of a path of mids; the last trade is at the mid unless given."""
    samples = random_samples(len(mids), 1)
    out = np.zeros(15)
    samples[:, at.BID_PRICE] = np.array(mids) - 1
    samples[:, at.ASK_PRICE] = np.array(mids) + 1
    samples[:, at.BID_SIZE] = samples[:, at.ASK_SIZE] = 10
    samples[:, at.LAST_TRADE] = mids[-1] if last is None else last
    windows = empty_windows(len(mids))
    for sample in samples:
        push(windows, sample)
    price.fill(windows.sums, windows.series, windows.meta[of.COUNT], samples[-1], out)
    return dict(zip(NAMES, out.tolist(), strict=True))


def test_a_still_market_has_neither_return_nor_volatility():
    """Zero, not a division by zero."""
    assert set(features([10_000] * 400).values()) == {0.0}


def test_one_step_up():
    """A single move of 10 bps, 20 s ago: in every window that holds it, and all of it a jump."""
    found = features([10_000] * 380 + [10_010] * 20)
    assert [found[f"return_{w}"] for w in (1, 5, 10, 30, 60)] == pytest.approx([0, 0, 0, 10, 10])
    assert [found[f"rv_{w}"] for w in (10, 60, 300)] == pytest.approx([0, 10, 10])
    assert (found["jump"], found["skew"]) == pytest.approx((1.0, sqrt(300)))
    assert (found["to_high"], found["to_low"]) == pytest.approx((0.0, 1e5 / 10_010))
    assert found["range"] == found["to_low"]
    assert found["parkinson"] == pytest.approx(1e4 * log(1.001) / sqrt(4 * log(2)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=320, max_size=320))
def test_down_is_the_mirror_of_up(steps):
    """Returns and skewness turn their sign as far as they are small; high and low change places."""
    path = np.cumsum(steps)
    up = features(10**8 + path)
    down = features(10**8 - path)
    for name in ("return_5", "return_60", "skew"):
        assert down[name] == pytest.approx(-up[name], rel=1e-3, abs=1e-5)
    assert down["to_high"] == pytest.approx(up["to_low"], rel=1e-3, abs=1e-9)
    for name in ("rv_300", "jump"):
        assert down[name] == pytest.approx(up[name], rel=1e-3, abs=1e-3)


def test_the_last_print_against_the_microprice():
    """Sizes are even, so the microprice is the mid; no trade for an hour is no value."""
    assert features([10_000] * 3, last=10_002)["last"] == pytest.approx(2.0)
    assert np.isnan(features([10_000] * 3, last=0)["last"])
