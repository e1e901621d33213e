"""What a search for options found."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tuned:
    """The model and its best options, and what the search saw.

    `baseline` is the best of the three baselines on the same validation rows; `trials` holds what each trial chose, its
    score, and its score in each of some blocks of time.
    """

    model: str
    options: dict[str, Any]
    log_loss: float
    n_trials: int
    seed: int
    baseline: str
    trials: list[dict[str, Any]]
