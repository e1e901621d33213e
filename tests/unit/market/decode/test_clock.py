"""The watermark: it only rises, and no time that a delay cannot explain moves it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.core.errors import FrameError
from ml.core.time import DAY_NS
from ml.market.decode.clock import Clock

SECOND = 10**9
START = 1_741_000_000 * 10**9


def ticking(recv=START):
    """A clock that has seen one frame."""
    clock = Clock()
    clock.admit(START, recv)
    return clock


@given(st.lists(st.tuples(st.integers(-15, 75), st.integers(-5, 100)), max_size=40))
def test_the_watermark_is_the_largest_time_that_was_admitted(steps):
    """Late is what lies below it; a refused time changes it not at all."""
    clock = ticking()
    now = START
    largest = START
    for seconds, waited in steps:
        now += waited * SECOND
        ts = clock.watermark + seconds * SECOND
        try:
            assert clock.admit(ts, now) == (ts < largest)
            largest = max(largest, ts)
        except FrameError:
            assert seconds < -10 or seconds > 60
        assert clock.watermark == largest


@pytest.mark.parametrize(
    ("seconds", "waited", "reason"),
    [
        (-10, 0, None),
        (-10.000000001, 0, "clock_back"),
        (60, 0, None),
        (60.000000001, 0, "clock_ahead"),
        (3_600, 1_770, None),
        (3_600, 1_769, "clock_ahead"),
        (61, -5, "clock_ahead"),
    ],
)
def test_how_far_a_time_may_jump(seconds, waited, reason):
    """10 s back; ahead 60 s and twice as long as nothing came, for the two clocks need not run alike."""
    clock = ticking()
    ts = START + round(seconds * 1e9)
    if reason is None:
        clock.admit(ts, START + waited * SECOND)
        assert clock.watermark == max(ts, START)
    else:
        with pytest.raises(FrameError, match=reason):
            clock.admit(ts, START + waited * SECOND)
        assert clock.watermark == START


def test_a_refused_frame_has_still_been_received():
    """Its receive time counts: the wait before the next frame begins with it."""
    clock = ticking()
    with pytest.raises(FrameError):
        clock.admit(START + 500 * SECOND, START + 100 * SECOND)
    with pytest.raises(FrameError, match=r"0\.000 s after the last frame"):
        clock.admit(START + 200 * SECOND, START + 100 * SECOND)


@pytest.mark.parametrize(("ahead", "refused"), [(DAY_NS, False), (DAY_NS + 1, True), (-30 * DAY_NS, False)])
def test_the_first_time_may_be_old_but_not_of_tomorrow(ahead, refused):
    """Our clock may be wrong by hours, and a replay reads the past; a day ahead is a broken stamp."""
    clock = Clock()
    if refused:
        with pytest.raises(FrameError, match="clock_ahead"):
            clock.admit(START + ahead, START)
        assert clock.watermark == 0
    else:
        assert clock.admit(START + ahead, START) is False


def test_a_quiet_book_opens_with_its_last_change_hours_ago():
    """The next one is far ahead of it, but not of our clock: refused, it and all after it would be lost."""
    clock = Clock()
    clock.admit(START - 3_600 * SECOND, START)
    assert clock.admit(START + SECOND, START + SECOND) is False
    assert clock.watermark == START + SECOND
