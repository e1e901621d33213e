"""Order flow: which columns count, over which window, and in which direction."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features import order_flow as of
from ml.market import layout as at
from ml.schemas import SAMPLE_COLUMNS
from tests.samples import mirrored, random_samples, sizes_times

BANDS = range(at.N_BANDS)
FLOWS = {
    ("added", "bid"): at.ADDED,
    ("added", "ask"): at.ADDED + at.N_BANDS,
    ("cancelled", "bid"): at.CANCELLED,
    ("cancelled", "ask"): at.CANCELLED + at.N_BANDS,
}


def flat(n=40):
    """Samples in which nothing happened."""
    samples = random_samples(n, 1)
    samples[:, at.OFI : at.LAST_TRADE] = 0
    return samples


def everything(samples, i, window):
    """The numbers of all functions at one row and window."""
    return {
        "imbalance_1": of.imbalance(samples, i, window, 1, 100.0),
        "imbalance_5": of.imbalance(samples, i, window, 5, 100.0),
        "net": of.net_imbalance(samples, i, window),
        "cancel": of.cancel_imbalance(samples, i, window),
        "rate": of.update_rate(samples, i, window),
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 79), st.sampled_from([1, 5, 30, 60]))
def test_sums_over_the_window(seed, i, window):
    """The last `window` samples, this one included; where the array starts later, those that there are."""
    samples = random_samples(80, seed)
    part = samples[max(i + 1 - window, 0) : i + 1]
    flow = {name: int(part[:, first : first + at.N_BANDS].sum()) for name, first in FLOWS.items()}
    bid, ask = flow["cancelled", "bid"], flow["cancelled", "ask"]
    net = flow["added", "bid"] - bid - flow["added", "ask"] + ask
    expected = {
        "imbalance_1": part[:, at.OFI].sum() / (100 * sqrt(window)),
        "imbalance_5": part[:, at.OFI : at.OFI + 5].sum() / (100 * sqrt(window)),
        "net": net / sum(flow.values()),
        "cancel": (bid - ask) / (bid + ask),
        "rate": log(1 + part[:, at.N_UPDATES].sum() / window),
    }
    assert everything(samples, i, window) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("flow", "net", "cancel"),
    [
        (("added", "bid"), 1.0, 0.0),
        (("added", "ask"), -1.0, 0.0),
        (("cancelled", "bid"), -1.0, 1.0),
        (("cancelled", "ask"), 1.0, -1.0),
    ],
)
@pytest.mark.parametrize("band", BANDS)
def test_what_supports_the_price_counts_positive(flow, net, cancel, band):
    """Adding bids and cancelling asks pushes up; every band counts, and one alone gives the extreme."""
    samples = flat()
    samples[35, FLOWS[flow] + band] = 700
    assert (of.net_imbalance(samples, 39, 5), of.cancel_imbalance(samples, 39, 5)) == (net, cancel)


def test_only_its_own_columns_move_a_number():
    """Prints and the book's shape are no order flow; the sixth level is not among the best five."""
    moved = {name: set() for name in everything(flat(), 39, 5)}
    for column, name in enumerate(SAMPLE_COLUMNS[1:], start=1):
        samples = flat()
        samples[38, column] += 7
        after, before = everything(samples, 39, 5), everything(flat(), 39, 5)
        for number in moved:
            if after[number] != before[number]:
                moved[number].add(name)
    bands = ("touch", "2bps", "5bps", "10bps", "20bps")
    cancelled, added = ({f"{what}_{s}_{b}" for s in ("bid", "ask") for b in bands} for what in ("cancelled", "added"))
    assert moved["imbalance_1"] == {"ofi_1"}
    assert moved["imbalance_5"] == {f"ofi_{k}" for k in range(1, 6)}
    assert (moved["net"], moved["cancel"], moved["rate"]) == (cancelled | added, cancelled, {"n_updates"})


def test_a_quiet_window_is_balanced():
    """Nothing added, cancelled or updated is zero, not a division by zero."""
    assert set(everything(flat(), 39, 30).values()) == {0.0}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 30]))
def test_the_mirror_turns_the_sign(seed, window):
    """Exchanged sides: imbalances change sign, the rate of updates does not; sums of integers are exact."""
    samples = random_samples(40, seed)
    one, other = everything(samples, 39, window), everything(mirrored(samples), 39, window)
    rate = one.pop("rate"), other.pop("rate")
    assert rate[0] == rate[1]
    assert other == {name: -value for name, value in one.items()}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 500))
def test_lots_do_not_matter(seed, factor):
    """Flows and scale in other lots give the same numbers."""
    samples = random_samples(40, seed)
    scaled = sizes_times(samples, factor)
    one, other = everything(samples, 39, 5), everything(scaled, 39, 5)
    assert of.imbalance(scaled, 39, 5, 5, 100.0 * factor) == pytest.approx(one["imbalance_5"], rel=1e-12)
    assert [other[n] for n in ("net", "cancel", "rate")] == pytest.approx([one[n] for n in ("net", "cancel", "rate")])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_samples_outside_the_window_do_not_count(seed, i):
    """Neither the future nor what lies further back."""
    samples = random_samples(80, seed)
    changed = np.random.default_rng(seed).permutation(samples)
    changed[max(i - 4, 0) : i + 1] = samples[max(i - 4, 0) : i + 1]
    assert everything(changed, i, 5) == everything(samples, i, 5)
