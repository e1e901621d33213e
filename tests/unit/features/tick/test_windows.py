"""Windows: exact sums, whatever came before, and the same after the oldest rows were dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.tick import windows as of
from ml.features.tick.median import middle
from ml.features.tick.windows import SUMS, empty_windows, forget, keep_tail, push, usual
from ml.market.book import layout as at
from tests.oracles import feature_row as oracle
from tests.support.samples import invalid, random_samples

ROWS = 400
SAMPLES = random_samples(ROWS, 4)


def taken(samples, rows=None):
    windows = empty_windows(rows or len(samples))
    for sample in samples:
        push(windows, sample)
    return windows


def window(windows, span):
    end = windows.meta[of.COUNT]
    return dict(zip(SUMS, (windows.sums[end] - windows.sums[max(end - span, 0)]).tolist(), strict=True))


def expected(samples, span):
    """Sums of the last rows in Python's own integers."""
    part = [[int(v) for v in sample] for sample in samples[-span:]]
    bands = range(at.N_BANDS)

    def both(column):
        return {
            side: sum(p[column + k * at.N_BANDS + b] for p in part for b in bands)
            for k, side in enumerate(("bid", "ask"))
        }

    added = both(at.ADDED)
    cancelled = both(at.CANCELLED)
    traded = both(at.TRADED)
    return {
        **{f"ofi_{n}": sum(p[at.OFI + k] for p in part for k in range(n)) for n in (1, 5, 10)},
        "ofi_weighted": sum(p[at.OFI + k] * (2520 // (k + 1)) for p in part for k in range(10)),
        **{f"{n}_{s}": v[s] for n, v in (("added", added), ("cancelled", cancelled), ("traded", traded)) for s in v},
        "updates": sum(p[at.N_UPDATES] for p in part),
        **{
            f"{n}_{w}": sum(p[c + k] for p in part)
            for n, c in (("count", at.TRADE_COUNT), ("volume", at.TRADE_VOLUME))
            for k, w in enumerate(("buy", "sell"))
        },
        "notional": sum(p[at.TRADE_NOTIONAL] + p[at.TRADE_NOTIONAL + 1] for p in part),
        "spread_notional": sum(p[at.TRADE_SPREAD] for p in part),
    }


@pytest.mark.parametrize("span", [1, 5, 30, 300])
def test_sums_are_those_of_the_rows(span):
    """Each column against Python's integers."""
    found = window(taken(SAMPLES), span)
    should = expected(SAMPLES, span)
    assert {name: found[name] for name in should} == should
    powers = np.round(oracle.returns(oracle.columns(SAMPLES, ROWS - 1), span) * 1e9)
    powers = [int(u) for u in powers]
    assert found["square"] == sum(u * u for u in powers)
    assert found["cube_high"] * of.SPLIT + found["cube_low"] == sum(u**3 for u in powers)


def test_what_is_cancelled_is_matched_with_what_was_added_before():
    """Its own second first, then what the second before left; nothing is matched twice."""
    samples = random_samples(4, 1)
    samples[:, at.OFI : at.LAST_TRADE] = 0
    samples[:, at.ADDED] = 5, 0, 3, 0
    samples[:, at.CANCELLED] = 1, 9, 0, 9
    assert [window(taken(samples[: k + 1]), 1)["fleeting_bid"] for k in range(4)] == [1, 4, 0, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(1, 99))
def test_sums_do_not_depend_on_where_the_running_began(start, span):
    """A later begin has other running sums and the same windows."""
    early = window(taken(SAMPLES), span)
    late = window(taken(SAMPLES[start - 1 if start else 0 :]), span)
    assert early == late


def test_sums_run_over_64_bits_without_harm():
    """Running sums wrap; what a window adds up does not."""
    samples = SAMPLES.copy()
    samples[:, at.TRADE_NOTIONAL] = 2**62
    samples[-5:, at.TRADE_NOTIONAL : at.TRADE_NOTIONAL + 2] = 7
    assert window(taken(samples), 5)["notional"] == 70


def test_the_largest_return_that_counts():
    """A mid that doubles in a second counts as a tenth, and sums of cubes stay exact."""
    samples = SAMPLES.copy()
    samples[300:, at.BID_PRICE : at.BOOK_COLUMNS] *= 2
    found = window(taken(samples[:301]), 1)
    assert found["square"] == 10**16
    assert found["cube_high"] * of.SPLIT + found["cube_low"] == 10**24


def test_the_scale_restarts_after_a_gap():
    """Sizes before an unknown book do not count, nor what is usual."""
    samples = invalid(SAMPLES, 200, 5)
    windows = taken(samples)
    sizes = samples[206:, [at.BID_SIZE, at.ASK_SIZE]]
    assert middle(windows.sizes) == np.median(sizes)
    assert usual(windows) == len(sizes)


def test_dropping_the_oldest_rows_changes_nothing():
    """After the room is used up the last hour goes on, bit for bit."""
    samples = random_samples(at.TAIL + 900, 6)
    dropped = empty_windows(at.TAIL + 400)
    whole = taken(samples)
    for sample in samples:
        if dropped.meta[of.COUNT] == at.TAIL + 400:
            keep_tail(dropped)
            assert dropped.meta[of.COUNT] == at.TAIL
        push(dropped, sample)
    n = dropped.meta[of.COUNT]
    m = whole.meta[of.COUNT]
    np.testing.assert_array_equal(dropped.moves[:, :n], whole.moves[:, m - n : m])
    np.testing.assert_array_equal(dropped.series[: of.VOLUME, :n], whole.series[: of.VOLUME, m - n : m])
    assert all(window(dropped, span) == window(whole, span) for span in (1, 300, at.TAIL))
    assert middle(dropped.sizes) == middle(whole.sizes)


def test_nothing_is_left_of_what_was_forgotten():
    """Used windows that forget are those that saw nothing."""
    windows = taken(SAMPLES)
    forget(windows)
    for sample in SAMPLES[100:200]:
        push(windows, sample)
    fresh = taken(SAMPLES[100:200])
    assert all(window(windows, span) == window(fresh, span) for span in (1, 30, 99))
    assert middle(windows.sizes) == middle(fresh.sizes)
    np.testing.assert_array_equal(windows.minutes.candles, fresh.minutes.candles)
