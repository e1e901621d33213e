"""The compiled label loop on hand-made quotes: movement, age, reasons, and the trailing volatility."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.time import SECOND
from ml.labels.kernel import SIGMA_MIN, SIGMA_ROWS, Quotes, empty_labels, future_rows
from ml.market.book.layout import TAIL
from ml.tables.schemas import NullReason

LATE = 10**6 * SECOND


def quotes(bid, ask, valid=None):
    """Quotes one second apart; the run of valid ones is counted as the sampler counts it, ages are the row numbers."""
    bid = np.array(bid, np.int64)
    ask = np.array(ask, np.int64)
    valid = np.ones(len(bid), np.int8) if valid is None else np.array(valid, np.int8)
    run = np.zeros(len(bid), np.int16)
    length = TAIL if valid[0] else -1
    for k, known in enumerate(valid):
        length = min(length + 1, TAIL) if known else -1
        run[k] = max(length, 0)
    return Quotes(np.arange(len(bid)) * SECOND, bid, ask, valid, run, np.arange(len(bid)))


def labelled(rows, horizons=(2,), first=0, day_end=LATE):
    labels = empty_labels(len(rows.bid) - first, len(horizons))
    future_rows(rows, first, np.array(horizons), day_end, labels)
    return labels


def walk(n, seed):
    bid = 20_000 + np.random.default_rng(seed).integers(-3, 4, n).cumsum()
    return quotes(bid, bid + np.random.default_rng(seed + 1).integers(1, 4, n))


def test_movement_and_age_at_the_target():
    """The mid at t + h over the mid at t, and the age that the book had there."""
    labels = labelled(quotes([99, 99, 109, 100], [101, 101, 111, 120]))
    assert labels.movement[0, :2] == pytest.approx([0.1, 0.1])
    assert labels.age[0].tolist() == [2, 3, -1, -1]
    assert np.isnan(labels.movement[0, 2:]).all()


@pytest.mark.parametrize(
    ("change", "row", "reason"),
    [
        ({}, 0, NullReason.NONE),
        ({"valid": [1, 1, 0, 1, 1, 1, 1, 1]}, 0, NullReason.HORIZON_INVALID),
        ({"valid": [1, 0, 1, 1, 1, 1, 1, 1]}, 0, NullReason.HORIZON_INVALID),
        ({"valid": [1, 0, 1, 1, 1, 1, 1, 1]}, 2, NullReason.NONE),
        ({"valid": [0, 1, 1, 1, 1, 1, 1, 1]}, 0, NullReason.INVALID_BOOK),
        ({"valid": [0, 1, 1, 1, 1, 1, 1, 1], "bid": [0] + [99] * 7}, 0, NullReason.ONE_SIDED),
        ({}, 6, NullReason.CAPTURE_END),
        ({"day_end": 5 * SECOND}, 3, NullReason.NONE),
        ({"day_end": 5 * SECOND}, 4, NullReason.DAY_END),
        ({"day_end": 5 * SECOND}, 6, NullReason.DAY_END),
        ({"day_end": 5 * SECOND, "valid": [1, 1, 1, 1, 1, 0, 1, 1]}, 4, NullReason.DAY_END),
        ({"valid": [1, 1, 1, 1, 1, 1, 0, 1], "day_end": 5 * SECOND}, 6, NullReason.INVALID_BOOK),
    ],
)
def test_the_first_reason_that_applies(change, row, reason):
    """Invalid before the end of the day, before the end of the capture, before an invalid second under way."""
    rows = quotes(change.get("bid", [99] * 8), [101] * 8, change.get("valid"))
    labels = labelled(rows, day_end=change.get("day_end", LATE))
    assert NullReason(labels.reason[0, row]) is reason
    assert np.isnan(labels.movement[0, row]) == (reason is not NullReason.NONE)
    assert (labels.age[0, row] == -1) == (reason is not NullReason.NONE)


@pytest.mark.parametrize("hole", range(8))
def test_any_invalid_second_up_to_the_target_makes_a_label_null(hole):
    """From the row itself to t + h, the first of them too."""
    labels = labelled(quotes([99] * 8, [101] * 8, [k != hole for k in range(8)]), (5,))
    reasons = [NullReason.INVALID_BOOK, *[NullReason.HORIZON_INVALID] * 5, NullReason.NONE, NullReason.NONE]
    assert NullReason(labels.reason[0, 0]) is reasons[hole]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.sets(st.integers(0, 2_599), max_size=4))
def test_the_volatility_is_that_of_its_window(seed, holes):
    """Root mean square of the mid's changes over the last 1 800 valid seconds, from sums recomputed for each row."""
    valid = np.ones(2_600, np.int8)
    valid[list(holes)] = 0
    base = walk(2_600, seed)
    rows = quotes(base.bid, base.ask, valid)
    changes = np.diff((rows.bid + rows.ask) / 2, prepend=np.nan)
    mid = (rows.bid + rows.ask) / 2
    found = labelled(rows).volatility
    for i in range(0, 2_600, 7):
        n = min(int(rows.run[i]), SIGMA_ROWS, i)
        expected = np.sqrt(np.square(changes[i - n + 1 : i + 1]).mean()) / mid[i] if n >= SIGMA_MIN else np.nan
        assert found[i] == pytest.approx(expected, rel=1e-12, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 500))
def test_rows_before_the_first_serve_the_volatility_alone(seed, first):
    """A later first row gives the same bits for what is left."""
    rows = walk(900, seed)
    whole = labelled(rows, (10, 60))
    part = labelled(rows, (10, 60), first)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[..., first:], other)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 800))
def test_a_label_sees_nothing_after_its_target(seed, cut):
    """Other prices after t + h leave movement and volatility at t bit for bit."""
    rows = walk(900, seed)
    other = walk(900, seed + 7)
    bid = rows.bid.copy()
    ask = rows.ask.copy()
    bid[cut + 11 :] = other.bid[cut + 11 :]
    ask[cut + 11 :] = other.ask[cut + 11 :]
    one = labelled(rows, (10,))
    changed = labelled(rows._replace(bid=bid, ask=ask), (10,))
    np.testing.assert_array_equal(one.movement[0, : cut + 1], changed.movement[0, : cut + 1])
    np.testing.assert_array_equal(one.volatility[: cut + 11], changed.volatility[: cut + 11])
    assert cut > 880 or not np.array_equal(one.movement, changed.movement, equal_nan=True)


def test_each_horizon_alone_is_each_horizon_together():
    """The pass over one horizon leaves nothing behind for the next."""
    rows = walk(400, 3)
    together = labelled(rows, (30, 10, 60))
    for k, h in enumerate((30, 10, 60)):
        np.testing.assert_array_equal(labelled(rows, (h,)).movement[0], together.movement[k])
