"""Which frames are a day's own, and what lies around them."""

import pytest

from ml.core.errors import CaptureError
from ml.market.days.day_frames import CLOSING_BOOK_FRAMES, DayFrames
from tests.support.scenario import capture, chain_of, diff, snapshot, trade
from tests.unit.market.decode.streams import BTC

DATE = "2025-03-04"
MIDNIGHT = 1_741_046_400_000
"""2025-03-04 in ms."""
TOUCH = {"stream": "x", "data": {"s": "BTCUSDT", "e": "bookTicker", "E": 1}}


def taken(folder, docs, date=DATE):
    day = DayFrames(chain_of(capture(folder / "a.log", docs, MIDNIGHT - 500)), BTC, date)
    return day, [run.frames.payload(k) for run in day.runs() for k in range(run.length)]


def test_before_the_day_there_is_a_state_and_after_it_there_are_frames(tmp_path):
    """The day that begins in the chain has no state to open with, the last one no frame behind it."""
    docs = [snapshot(1, 0), diff(2, 1, MIDNIGHT - 100), *(diff(k, k - 1, MIDNIGHT + k) for k in range(3, 10))]
    (first, before), (second, mine) = taken(tmp_path, docs, "2025-03-03"), taken(tmp_path, docs)
    assert (first.opening, len(before)) == (None, 2)
    assert [payload.count(b"depthUpdate") for _, payload in first.closing] == [1] * CLOSING_BOOK_FRAMES
    assert [payload for _, payload in first.closing] == mine[:CLOSING_BOOK_FRAMES]
    assert second.opening is not None
    assert (len(mine), second.closing) == (7, [])


def test_a_quiet_day_between_two_others_has_no_frame_and_is_known(tmp_path):
    """The state before it and the message of the book after it say what it did; a trade behind that is not needed."""
    next_day = MIDNIGHT + 86_400_000
    capture(tmp_path / "a.log", [snapshot(1, 0), diff(2, 1, MIDNIGHT - 100)], MIDNIGHT - 500)
    capture(tmp_path / "b.log", [diff(3, 2, next_day), trade(1, next_day)], next_day)
    day = DayFrames(chain_of(tmp_path), BTC, DATE)
    assert list(day.runs()) == []
    assert (day.opening is not None, len(day.closing)) == (True, 1)


@pytest.mark.parametrize("docs", [[TOUCH], [TOUCH, snapshot(1, 0), diff(2, 1, MIDNIGHT - 100)]])
def test_a_day_without_frames_is_an_error(tmp_path, docs):
    """Frames without a time alone are none of any day, and a chain that ends before it says nothing of it."""
    with pytest.raises(CaptureError, match=f"no frame of {DATE}"):
        taken(tmp_path, docs)


def test_arrivals_look_back_as_far_as_a_day_reads():
    """A change in any capture file that a day is made of gives its partition another content."""
    from ml.market.days import day_frames
    from ml.market.files import arrivals

    assert arrivals.LEAD_IN_NS == day_frames.LEAD_IN_NS
