"""The histogram of delays: every frame in one bucket, the sum exact."""

from hypothesis import given
from hypothesis import strategies as st

from ml.capture.delays import BOUNDS, Delays

WAITED = st.lists(st.tuples(st.floats(0, 20) | st.sampled_from(BOUNDS), st.integers(0, 1_000)))


@given(WAITED)
def test_a_bucket_counts_what_waited_no_longer(waited):
    """As counted one by one."""
    delays = Delays()
    for seconds, frames in waited:
        delays.add(seconds, frames)
    for bound, count in delays.cumulative():
        assert count == sum(frames for seconds, frames in waited if seconds <= float(bound))
    assert delays.sum == sum(seconds * frames for seconds, frames in waited)
