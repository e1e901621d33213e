"""The split of the traffic: sticky, of the size that was asked for, and the same everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.time import MINUTE
from ml.promotion.routing import BUCKET_NS, salt_of, to_challenger

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
    buckets = range(0, 4_000 * BUCKET_NS, BUCKET_NS)
    names = ("a.X", "b.X", "c.Y")

    def routed(salt):
        return np.array([[to_challenger(name, ts, salt, share) for ts in buckets] for name in names])

    found, other = routed("s"), routed(salt_of("s", "another challenger"))
    assert found.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / found.size))
    assert (found & other).mean() == pytest.approx(share**2, abs=4 * np.sqrt(share**2 / found.size))
    assert (found[0] != found[1]).any()
