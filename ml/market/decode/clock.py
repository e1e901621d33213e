"""The watermark: the largest event time seen of an instrument, and which times may move it.

The grid, the partitions and the LATE flag follow this clock. The time of a frame is read in `ml.market.venues`.
"""

from dataclasses import dataclass

from ml.core.errors import FrameError
from ml.core.time import DAY_NS

MAX_BACK_NS = 10 * 10**9
MAX_AHEAD_NS = 60 * 10**9
ON_TIME, IS_LATE, BACK, AHEAD, A_DAY_AHEAD = range(5)
REFUSED = BACK
"""Verdicts from here on: no delay explains the time, and one such time would move the whole grid."""


def verdict(watermark: int, last_recv: int, event_ts: int, recv_ts: int) -> int:
    """What a frame's time is to the clock, all ns UTC; the one rule, which `ml.market.bulk.bulk_decode` compiles."""
    if watermark == 0:
        return A_DAY_AHEAD if event_ts > recv_ts + DAY_NS else ON_TIME
    if event_ts < watermark - MAX_BACK_NS:
        return BACK
    # what our clock confirms is no error, however old the last time: a quiet book opens with its last change
    waited = max(recv_ts - last_recv, 0)
    if event_ts - watermark - MAX_AHEAD_NS - waited > waited and event_ts - recv_ts > MAX_AHEAD_NS:
        return AHEAD
    return IS_LATE if event_ts < watermark else ON_TIME


@dataclass
class Clock:
    """Event time and receive time so far, ns UTC; 0 before the first frame."""

    watermark: int = 0
    last_recv: int = 0

    def admit(self, event_ts: int, recv_ts: int) -> bool:
        """Take a frame's time; True if it is late.

        Raises:
            FrameError: a time that no delay explains: one such time would move the whole grid.
        """
        found = verdict(self.watermark, self.last_recv, event_ts, recv_ts)
        waited = max(recv_ts - self.last_recv, 0)
        self.last_recv = max(self.last_recv, recv_ts)
        if found == A_DAY_AHEAD:
            raise FrameError("clock_ahead", f"event time {event_ts} lies a day ahead of the receive time {recv_ts}")
        if found == BACK:
            raise FrameError("clock_back", f"event time {event_ts} is {(self.watermark - event_ts) / 1e9:.3f} s back")
        if found == AHEAD:
            ahead = (event_ts - self.watermark) / 1e9
            pause = waited / 1e9
            raise FrameError(
                "clock_ahead", f"event time {event_ts} is {ahead:.3f} s ahead, {pause:.3f} s after the last frame"
            )
        self.watermark = max(self.watermark, event_ts)
        return found == IS_LATE
