"""What is planted in the simulated market, and how strongly.

Here: the hidden signal and the drift that gives it a wanted information coefficient.
Not here: the market (`ml.simulation.venue`).

The signal is s = a * b. a = +-1 says which side's ladder is sparse (every second tick), b = +-1 whether the ladders are
flat or steep. Sizes per level do not depend on a, so no imbalance of sizes sees it; and the sign of what a means turns
with b, so b alone tells nothing of the direction, and a alone less than half.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sqrt

from ml.core.errors import SettingsError

HORIZON_S = 10.0
SIDE_SWITCH = 1 / 20
"""Rate (1/s) at which the sparse side changes."""
TO_STEEP = 1 / 140
TO_FLAT = 1 / 60
"""Rates (1/s) at which the ladders turn steep (b = -1) and flat (b = +1)."""
MAX_IC = 0.3


@dataclass(frozen=True)
class Alpha:
    """Strength of the planted signal: correlation of s with the price change over the next 10 s."""

    ic: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.ic <= MAX_IC:
            raise SettingsError(f"The planted information coefficient is {self.ic}; choose one from 0 to {MAX_IC}.")

    @property
    def drift(self) -> float:
        """Drift of the efficient price per second, in units of its volatility per square-root second."""
        reach = _integral(_autocorrelation, HORIZON_S)
        spread = 2 * _integral(_weighted_autocorrelation, HORIZON_S)
        # ic = k reach / sqrt(h + k^2 spread), solved for k
        return sqrt(self.ic**2 * HORIZON_S / (reach**2 - self.ic**2 * spread))


def _autocorrelation(lag: float) -> float:
    """Of s, at a lag in seconds: a telegraph signal times one with a mean."""
    mean = (TO_FLAT - TO_STEEP) / (TO_FLAT + TO_STEEP)
    steepness = mean**2 + (1 - mean**2) * exp(-(TO_FLAT + TO_STEEP) * lag)
    return exp(-2 * SIDE_SWITCH * lag) * steepness


def _weighted_autocorrelation(lag: float) -> float:
    """As it enters the variance of the drift over the horizon."""
    return (HORIZON_S - lag) * _autocorrelation(lag)


def _integral(function: Callable[[float], float], end: float, steps: int = 2_000) -> float:
    """Midpoint rule from 0 to end; plenty for smooth functions."""
    width = end / steps
    return width * sum(function((i + 0.5) * width) for i in range(steps))
