"""What a kind of model must offer: the one protocol through which everything trains, stores and serves.

Here: the two protocols and the description of an option.
Not here: the kinds of models there are (`catalog`), the stored artefact (`trained`).
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol

import numpy as np

from ml.learning.rows import Rows

CLASSES = 3
"""Down, neutral, up."""


class Model(Protocol):
    """A fitted model of the three classes."""

    used: tuple[int, ...]
    """The columns that it looks at."""
    priors: np.ndarray
    """f64 (3): the answer is the class whose probability is the largest multiple of its prior."""

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities f64 (n, 3) of down, neutral and up for features f32 or f64 (n, all columns)."""
        ...

    def save(self) -> dict[str, bytes]:
        """The files that hold it, by name: text, JSON, ONNX or safetensors, never code or a pickle."""
        ...

    def describe(self) -> dict[int, float]:
        """How much each column that it looks at counts, as a share of one whole."""
        ...


class Family(Protocol):
    """A kind of model: its options, how it is trained and how it is read back."""

    name: str
    sentence: str
    """What it is."""
    options: type[Any]
    """A frozen dataclass of what an experiment may set; None leaves a value to the search, or to the library."""

    def fit(self, rows: Rows, at: np.ndarray, options: Any, threads: int = 1) -> Model:
        """Train on some rows (i64 positions, ascending in time); the result does not depend on the threads."""
        ...

    def load(self, files: Mapping[str, bytes]) -> Model:
        """The model that these files hold.

        Raises:
            KeyError or ValueError: they hold none.
        """
        ...

    def search(self, trial: Any, options: Any) -> Any:
        """Options for one trial of the search (optuna's `Trial`): those that are None are suggested."""
        ...


def option(about: str, default: Any = None) -> Any:
    """A field of a family's options with what it means."""
    return field(default=default, metadata={"about": about})


def directions(probabilities: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Classes i8 (n) of probabilities f64 (n, 3): the largest gain on the prior."""
    return (probabilities / priors).argmax(axis=1).astype(np.int8)
