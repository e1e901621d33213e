"""The newest feature row, as samples are released: the live driver.

Here: the same compiled row as in batch, over windows that go on from sample to sample.
Not here: the buffer (`ml.market.book.sampler`), what is done with the row (`live.runner`).
"""

from collections.abc import Sequence

import numpy as np

from ml.core.instruments import Instrument
from ml.features.tick.row import family_reasons, feature_row, look_back
from ml.features.tick.table import FAMILIES, FEATURES
from ml.features.tick.windows import COUNT, HOUR_ROWS, empty_windows, keep_tail, push
from ml.market.book import layout
from ml.tables.schemas import NullReason

ROOM = 2 * HOUR_ROWS


class OnlineFeatures:
    """Feature rows of one instrument; `values` f64 (NaN where null) and `reasons` u8 hold the newest."""

    def __init__(self, instrument: Instrument) -> None:
        self.tick = instrument.tick
        self.stale_ns = instrument.stale_ns
        self.values = np.full(len(FEATURES), np.nan)
        self.codes = np.zeros(len(FEATURES), np.uint8)
        self.reasons = np.zeros(len(FAMILIES), np.uint8)
        self._windows = empty_windows(ROOM)
        self._last = 0

    def compute(self, samples: np.ndarray, i: int) -> None:
        """Compute the row of sample i of a sampler's buffer.

        The windows go on if it follows the sample that came last, else the hour before it is added first.
        """
        if i > 0 and samples[i - 1, layout.TS] == self._last:
            if self._windows.meta[COUNT] == ROOM:
                keep_tail(self._windows)
            push(self._windows, samples[i])
        else:
            look_back(self._windows, samples, i)
        self._last = int(samples[i, layout.TS])
        feature_row(self._windows, samples[i], self.tick, self.stale_ns, self.values, self.codes)
        family_reasons(self.codes, self.reasons)

    def withheld(self, positions: Sequence[int]) -> str | None:
        """The first reason for which one of these values of the newest row is null; None if they are whole."""
        codes = [int(code) for code in self.codes[positions] if code]
        return NullReason(min(codes)).name.lower() if codes else None
