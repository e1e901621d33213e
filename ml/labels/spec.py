"""The label spec: how large a move must be to count as one.

Here: fitting the threshold max(a half_spread, c sigma_h) once, on the first training block, and applying it.
Not here: movements (`ml.labels.future`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from ml.core.errors import DatasetError
from ml.labels.classes import NEUTRAL, directions

TARGET_NEUTRAL = 0.45
NEUTRAL_RANGE = (0.40, 0.70)


@dataclass(frozen=True)
class LabelSpec:
    """The class threshold of one horizon: theta = max(a * half_spread, c * sigma), all as fractions of the mid.

    `neutral_share` is the share of NEUTRAL on the rows (`rows`, up to `fitted_until` ns UTC) on which it was fitted.
    """

    horizon: int
    a: float
    c: float
    neutral_share: float
    rows: int
    fitted_until: int

    @property
    def hash(self) -> str:
        """Hex sha256, 16 digits, over all fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def apply(self, movement: np.ndarray, half_spread: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Classes 0 down, 1 neutral, 2 up."""
        return directions(movement, np.maximum(self.a * half_spread, self.c * sigma))


def fit(rows: pl.DataFrame, horizon: int) -> LabelSpec:
    """Fit on rows with columns ts, movement, half_spread, sigma: a = 1 or less, c so that about 45 % are NEUTRAL.

    a is lowered where the half spread alone would leave more than 70 % NEUTRAL.

    Raises:
        DatasetError: no row has all of them, or no choice leaves 40 to 70 % NEUTRAL.
    """
    known = rows.drop_nulls(["movement", "half_spread", "sigma"]).filter(pl.col("sigma") > 0)
    if known.is_empty():
        raise DatasetError("The first training block has no row with movement, spread and volatility. Use more data.")
    movement, half_spread, sigma = (known[name].to_numpy() for name in ("movement", "half_spread", "sigma"))
    c = float(np.quantile(np.abs(movement) / sigma, TARGET_NEUTRAL))
    until = int(known["ts"].max())  # type: ignore[arg-type]
    for a in (1.0, 0.75, 0.5, 0.25, 0.0):
        spec = LabelSpec(horizon, a, c, 0.0, known.height, until)
        share = float((spec.apply(movement, half_spread, sigma) == NEUTRAL).mean())
        if NEUTRAL_RANGE[0] <= share <= NEUTRAL_RANGE[1]:
            return LabelSpec(horizon, a, c, share, known.height, until)
    raise DatasetError(
        f"No threshold leaves 40 to 70 % of {known.height} rows NEUTRAL at {horizon} s: the price moved too rarely. "
        "Choose a longer horizon or more data."
    )
