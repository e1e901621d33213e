"""Trade flow: who bought and who sold, how much and how often, over which window."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import trade_flow
from ml.features.tick import windows as of
from ml.features.tick.table import FEATURES
from ml.features.tick.windows import empty_windows, push, usual
from ml.market.book import layout as at
from tests.support.samples import mirrored, random_samples, sizes_times

NAMES = [feature.id for feature in FEATURES if feature.family == "trades"]
OWN = [*NAMES[:13], *NAMES[19:]]


def quiet(n=100):
    """Samples without a trade."""
    samples = random_samples(n, 1)
    samples[:, at.TRADE_COUNT : at.LAST_TRADE] = 0
    return samples


def trades(samples):
    """The family's own numbers at the last sample, by name."""
    windows = empty_windows(len(samples))
    out = np.zeros(len(NAMES))
    for sample in samples:
        push(windows, sample)
    trade_flow.fill(windows.sums, windows.meta[of.COUNT], usual(windows), out)
    found = dict(zip(NAMES, out.tolist(), strict=True))
    return {name: found[name] for name in OWN}


@pytest.mark.parametrize(("side", "sign"), [(0, 1.0), (1, -1.0)])
@pytest.mark.parametrize(("what", "column"), [("volume", at.TRADE_VOLUME), ("count", at.TRADE_COUNT)])
def test_a_lone_print_is_the_extreme_until_it_leaves_the_window(what, column, side, sign):
    """Bought alone is 1, sold alone is -1; five seconds later there is nothing again."""
    samples = quiet()
    samples[40, column + side] = 3
    found = [trades(samples[: i + 1])[f"{what}_imb_5s"] for i in range(39, 46)]
    assert found == [0.0, *[sign] * 5, 0.0]


def test_volumes_and_counts_are_told_apart():
    """One large sale against three small purchases."""
    samples = quiet()
    samples[-1, at.TRADE_VOLUME : at.TRADE_VOLUME + 2] = 300, 900
    samples[-1, at.TRADE_COUNT : at.TRADE_COUNT + 2] = 3, 1
    found = trades(samples)
    assert (found["volume_imb_60s"], found["count_imb_30s"]) == (-0.5, 0.5)
    assert (found["trade_rate_1s"], found["trade_rate_5s"]) == pytest.approx((log(5), log(1.8)))


def test_volume_and_print_size_against_what_is_usual():
    """Ten trades of 4 lots long ago, one of 20 now: a third of all volume in 5 of 100 seconds, and large trades."""
    samples = quiet()
    samples[30:40, at.TRADE_VOLUME] = 4
    samples[30:40, at.TRADE_COUNT] = 1
    samples[-1, at.TRADE_VOLUME] = 20
    samples[-1, at.TRADE_COUNT] = 1
    found = trades(samples)
    long = 100
    assert found["volume_ratio_5s"] == pytest.approx(log(1 + 20 / 60 * long / 5))
    assert found["print_size_30s"] == pytest.approx(log(20 / (60 / 11)))


def test_an_intensity_fades_by_e_each_second():
    """A lone print: its weight falls with its age and is gone after ten seconds."""
    samples = quiet()
    samples[40, at.TRADE_COUNT + 1] = 1
    found = [trades(samples[: i + 1])["hawkes_sell"] / (i + 1) for i in range(40, 52)]
    weights = [exp(-k) for k in range(10)]
    assert found == pytest.approx([w / sum(weights) for w in weights] + [0.0, 0.0])
    assert trades(samples)["hawkes_buy"] == 0.0


def test_no_print_is_balance_and_no_rate():
    """Zero, not a division by zero."""
    assert set(trades(quiet()).values()) == {0.0}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 500))
def test_mirror_and_lots(seed, factor):
    """Exchanged sides turn the sign, other lots change nothing, and neither changes a rate."""
    samples = random_samples(80, seed)
    one = trades(samples)
    other = trades(mirrored(samples))
    for name in OWN:
        swapped = name.replace("buy", "#").replace("sell", "buy").replace("#", "sell")
        assert other[swapped] == (-one[name] if "imb" in name else one[name]), name
    assert trades(sizes_times(samples, factor)) == pytest.approx(one, rel=1e-12)
