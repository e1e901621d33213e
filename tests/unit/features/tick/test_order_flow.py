"""Order flow: which columns count, over which window, and in which direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import order_flow
from ml.features.tick import windows as of
from ml.features.tick.table import FEATURES
from ml.features.tick.windows import empty_windows, known_rows, push, usual
from ml.market.book import layout as at
from ml.tables.schemas import BANDS, SAMPLE_COLUMNS, SIDES
from tests.support.samples import mirrored, random_samples, sizes_times

NAMES = [feature.id for feature in FEATURES if feature.family == "flow"]
FIRST = {"added": at.ADDED, "cancelled": at.CANCELLED, "traded": at.TRADED}


def flat(n=40):
    """Samples in which nothing happened."""
    samples = random_samples(n, 1)
    samples[:, at.OFI : at.LAST_TRADE] = 0
    return samples


def flow(samples, scale=100.0):
    """The family at the last sample, by name."""
    windows = empty_windows(len(samples))
    out = np.full(len(NAMES), -7.0)
    for sample in samples:
        push(windows, sample)
    order_flow.fill(windows.sums, windows.meta[of.COUNT], known_rows(windows), usual(windows), scale, out)
    return dict(zip(NAMES, out.tolist(), strict=True))


def with_flow(what, side, band, amount=700, row=-5):
    samples = flat()
    samples[row, FIRST[what] + SIDES.index(side) * at.N_BANDS + band] = amount
    return samples


@pytest.mark.parametrize(
    ("what", "side", "net", "add", "cancel"),
    [
        ("added", "bid", 1.0, 1.0, 0.0),
        ("added", "ask", -1.0, -1.0, 0.0),
        ("cancelled", "bid", -1.0, 0.0, 1.0),
        ("cancelled", "ask", 1.0, 0.0, -1.0),
    ],
)
@pytest.mark.parametrize("band", range(at.N_BANDS))
def test_what_supports_the_price_counts_positive(what, side, net, add, cancel, band):
    """Adding bids and cancelling asks pushes up; every band counts, and one alone gives the extreme."""
    found = flow(with_flow(what, side, band))
    assert (found["net_imb_5s"], found["add_imb_5s"], found["cancel_imb_5s"]) == (net, add, cancel)
    assert (found["net_imb_1s"], found["net_imb_30s"]) == (0.0, net)


def test_only_its_own_columns_move_a_number():
    """Trades and the book's shape are no order flow; deeper levels weigh less."""
    moved = {name: set() for name in NAMES}
    before = flow(flat())
    for column, name in enumerate(SAMPLE_COLUMNS[1 : at.VALID], start=1):
        samples = flat()
        samples[-2, column] += 7
        for number, value in flow(samples).items():
            if value != before[number]:
                moved[number].add(name)
    bands = {what: {f"{what}_{s}_{b}" for s in SIDES for b in BANDS} for what in ("added", "cancelled")}
    assert moved["ofi_1_5s"] == {"ofi_1"}
    assert moved["ofi_5_5s"] == {f"ofi_{k}" for k in range(1, 6)}
    assert moved["ofi_10_5s"] == moved["ofi_weighted_5s"] == {f"ofi_{k}" for k in range(1, 11)}
    assert moved["net_imb_5s"] == bands["added"] | bands["cancelled"]
    assert (moved["cancel_imb_5s"], moved["update_rate_5s"]) == (bands["cancelled"], {"n_updates"})


def test_weights_fall_with_the_level_and_add_up_to_one():
    """Level 4 counts a quarter of level 1; the same flow on all levels counts once."""
    samples = flat()
    samples[-1, at.OFI] = 8
    one = flow(samples)["ofi_weighted_1s"]
    samples[-1, at.OFI] = 0
    samples[-1, at.OFI + 3] = 8
    assert flow(samples)["ofi_weighted_1s"] == pytest.approx(one / 4)
    samples[-1, at.OFI : at.OFI + 10] = 8
    assert flow(samples)["ofi_weighted_1s"] == pytest.approx(flow(samples)["ofi_1_1s"])


def test_the_share_of_cancellations_against_its_usual():
    """All traded where usually half is: minus a half. On the other side nothing left, so nothing to say."""
    samples = flat()
    samples[20, [at.CANCELLED, at.TRADED]] = 10, 0
    samples[-1, [at.CANCELLED, at.TRADED]] = 0, 10
    found = flow(samples)
    assert (found["cancel_share_bid_1s"], found["cancel_share_bid_30s"]) == (-0.5, 0.0)
    assert found["cancel_share_ask_1s"] == 0.0


@pytest.mark.parametrize(("wait", "share"), [(0, 1.0), (1, 1.0), (2, 0.0)])
def test_what_is_gone_within_two_seconds_is_fleeting(wait, share):
    """In the same band of the same side, the same second or the next."""
    samples = flat()
    samples[-4, at.ADDED + 2] = 9
    samples[-4 + wait, at.CANCELLED + 2] = 9
    samples[-4, at.CANCELLED + 3] = samples[-4, at.CANCELLED + at.N_BANDS + 2] = 9
    assert flow(samples)["fleeting_bid_5s"] == share


def test_a_quiet_window_is_balanced():
    """Nothing added, cancelled or updated is zero, not a division by zero."""
    assert set(flow(flat()).values()) == {0.0}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_mirror_turns_signs_and_sides(seed):
    """Exchanged sides: imbalances change sign, shares change side; sums of integers are exact."""
    samples = random_samples(70, seed)
    one = flow(samples)
    other = flow(mirrored(samples))
    for name in NAMES:
        swapped = name.replace("bid", "#").replace("ask", "bid").replace("#", "ask")
        sign = -1 if "imb" in name or name.startswith("ofi") else 1
        assert other[swapped] == sign * one[name], name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 500))
def test_lots_do_not_matter(seed, factor):
    """Flows and scale in other lots give the same numbers."""
    samples = random_samples(40, seed)
    assert flow(sizes_times(samples, factor), 100.0 * factor) == pytest.approx(flow(samples), rel=1e-12)
