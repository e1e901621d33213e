"""The split of the traffic: sticky, of the size that was asked for, and the same everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import MINUTE, SECOND
from ml.promotion.routing import BUCKET_NS, arms, salt_of, to_challenger

SHARES = st.floats(0, 1)
TIMES = st.integers(0, 2 * 10**18)


@given(TIMES, st.integers(0, BUCKET_NS - 1), SHARES)
def test_a_bucket_goes_to_one_model(ts, later, share):
    """All ten minutes of it: no position changes the model on its way."""
    first = ts // BUCKET_NS * BUCKET_NS
    assert BUCKET_NS == 10 * MINUTE
    assert to_challenger("sim.X", first + later, "s", share) == to_challenger("sim.X", first, "s", share)


@given(TIMES, SHARES, SHARES)
def test_a_larger_share_keeps_what_it_had(ts, share, other):
    """Raising the share moves rows to the challenger and none back."""
    low, high = sorted((share, other))
    assert to_challenger("sim.X", ts, "s", low) <= to_challenger("sim.X", ts, "s", high)


@given(TIMES)
def test_the_ends_of_the_share(ts):
    """None and all."""
    assert not to_challenger("sim.X", ts, "s", 0.0)
    assert to_challenger("sim.X", ts, "s", 1.0)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_share_is_met(share):
    """Of many buckets of several instruments, within four standard errors; another salt gives other buckets."""
    buckets = np.arange(4_000) * BUCKET_NS
    ts = np.tile(buckets, 3)
    names = np.repeat(np.array(["a.X", "b.X", "c.Y"]), len(buckets))
    found = arms(names, ts, "s", share)
    assert found.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(ts)))
    other = arms(names, ts, salt_of("s", "another challenger"), share)
    both = (found & other).mean()
    assert both == pytest.approx(share**2, abs=4 * np.sqrt(share**2 / len(ts)))
    by_name = found.reshape(3, -1)
    assert (by_name[0] != by_name[1]).any()


def test_many_rows_are_routed_as_each_alone():
    """The batch of a replay and the row of a live stream."""
    ts = np.arange(0, 5_000 * SECOND, 7 * SECOND)
    names = np.array(["a.X", "b.Y"])[np.arange(len(ts)) % 2]
    alone = [to_challenger(name, at, "s", 0.3) for name, at in zip(names.tolist(), ts.tolist(), strict=True)]
    assert arms(names, ts, "s", 0.3).tolist() == alone
