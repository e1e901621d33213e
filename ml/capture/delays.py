"""A histogram of how long frames wait until the operating system has them; `live.metrics` shows it."""

from bisect import bisect_left
from itertools import accumulate

BOUNDS = (0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, seconds; what lies above them has a bucket of its own."""


class Delays:
    """Counts per bucket, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float, frames: int) -> None:
        """So many frames waited so long."""
        self.counts[bisect_left(BOUNDS, seconds)] += frames
        self.sum += seconds * frames

    def cumulative(self) -> list[tuple[str, int]]:
        """(bound, frames that waited no longer), as Prometheus wants it."""
        return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(self.counts), strict=True))
