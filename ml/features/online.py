"""The newest feature row, as samples are released: the live driver.

Here: the same compiled row as in batch, over the buffer of a live sampler.
Not here: the buffer (`ml.market.sampler`), what is done with the row (`live.runner`).
"""

import numpy as np

from ml.features.row import feature_row
from ml.features.table import FAMILIES, FEATURES
from ml.instruments import Instrument
from ml.market import layout
from ml.schemas import NullReason


class OnlineFeatures:
    """Feature rows of one instrument; `values` f64 (NaN where null) and `reasons` u8 hold the newest."""

    def __init__(self, instrument: Instrument) -> None:
        self.tick = instrument.tick
        self.values = np.full(len(FEATURES), np.nan)
        self.reasons = np.zeros(len(FAMILIES), np.uint8)
        self._scratch = np.empty(layout.TAIL, np.int64)

    def compute(self, samples: np.ndarray, i: int) -> None:
        """Compute the row of sample i of a sampler's buffer."""
        feature_row(samples, i, self.tick, self._scratch, self.values, self.reasons)

    @property
    def withheld(self) -> str | None:
        """The first reason for which a value of the newest row is null; None if it is whole."""
        codes = [int(code) for code in self.reasons if code]
        return NullReason(min(codes)).name.lower() if codes else None
