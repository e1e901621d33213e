"""How sure a model must be to say that a cue is layering, by the market around it.

Here: the predecessor's formula, around its default or a threshold that was learned from labels, and how much of it
counts.
Not here: the market (`ml.layering.context`), how a threshold is learned (`ml.layering.adaptive`).
"""

from collections.abc import Sequence

import numpy as np

from ml.layering.layout import F64

DEFAULT = 0.65
"""The predecessor's, where too few labels are known to learn one."""
MOST = 0.95
BY_VOLATILITY = ((0.05, 0.05), (0.03, 0.02))
"""24 h volatility above which so much is added; the first that applies."""
BY_LIQUIDITY = ((0.3, -0.05), (0.5, -0.02))
"""Liquidity below which so much is added; the first that applies."""


WEIGHTS = (1.0, 0.5, 0.0, 2.0)
"""How much of what the market adds may count, the predecessor's first."""


def needed(base: float, volatility: float | None, liquidity: float | None, weight: float = 1.0) -> float:
    """The probability from which a cue counts as layering; what is not known of the market changes nothing.

    Args:
        base: in an ordinary market.
        volatility: of 24 h, as a fraction.
        liquidity: 0 to 1, see `ml.layering.context`.
        weight: of what the market adds, one of `WEIGHTS`.
    """
    added = 0.0
    if volatility is not None:
        added += next((more for above, more in BY_VOLATILITY if volatility > above), 0.0)
    if liquidity is not None:
        added += next((more for below, more in BY_LIQUIDITY if liquidity < below), 0.0)
    return min(base + weight * added, MOST)


def needed_each(
    base: float, volatility: Sequence[float | None], liquidity: Sequence[float | None], weight: float = 1.0
) -> F64:
    """The same for several cues, f64 (n)."""
    return np.array([needed(base, v, q, weight) for v, q in zip(volatility, liquidity, strict=True)], np.float64)


def final_score(detector: float, probability: float, says: bool) -> float:
    """One score of two: their mean where the model says layering, half the detector's where it does not."""
    return (detector + probability) / 2 if says else detector * 0.5
