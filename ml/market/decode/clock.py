"""The watermark: the largest event time seen of an instrument, and which times may move it.

The grid, the partitions and the LATE flag follow this clock. The time of a frame is read in `ml.market.venues`.
"""

from dataclasses import dataclass

from ml.core.errors import FrameError
from ml.core.time import DAY_NS

MAX_BACK_NS = 10 * 10**9
MAX_AHEAD_NS = 60 * 10**9


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
        waited = max(recv_ts - self.last_recv, 0)
        self.last_recv = max(self.last_recv, recv_ts)
        if self.watermark == 0:
            if event_ts > recv_ts + DAY_NS:
                raise FrameError("clock_ahead", f"event time {event_ts} lies a day ahead of the receive time {recv_ts}")
        elif event_ts < self.watermark - MAX_BACK_NS:
            raise FrameError("clock_back", f"event time {event_ts} is {(self.watermark - event_ts) / 1e9:.3f} s back")
        elif event_ts > max(self.watermark + 2 * waited, recv_ts) + MAX_AHEAD_NS:
            # what our clock confirms is no error, however old the last time: a quiet book opens with its last change
            ahead = (event_ts - self.watermark) / 1e9
            pause = waited / 1e9
            raise FrameError(
                "clock_ahead", f"event time {event_ts} is {ahead:.3f} s ahead, {pause:.3f} s after the last frame"
            )
        late = event_ts < self.watermark
        self.watermark = max(self.watermark, event_ts)
        return late
