"""A panel as arrays, in order of time: what models are trained and judged on.

Here: the arrays, read a block at a time, their folds and the embargo. Features of a stored panel lie in a mapped file,
so that a panel may be larger than the memory.
Not here: how a panel is made (`ml.learning.dataset`), models (`ml.learning.models`).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import polars as pl

from ml.core.time import SECOND
from ml.learning import splits
from ml.storage.parquet import Stored

BLOCK = 1 << 17
"""Rows that are held at once where all of them need not be."""
EMBARGO_NS = 60 * SECOND
"""At least the longest window of features without a scale; a longer label makes it longer."""


@dataclass(frozen=True)
class Rows:
    """A panel as arrays, in order of time.

    Features f32 or f64 (n, k) with their names; per row its class i8, label start and end (ns), instrument and
    movement.
    """

    features: np.ndarray
    names: list[str]
    direction: np.ndarray
    start: np.ndarray
    end: np.ndarray
    instrument: np.ndarray
    movement: np.ndarray

    @classmethod
    def of(cls, panel: pl.DataFrame, names: list[str]) -> "Rows":
        """The panel's rows, sorted by time."""
        ordered = panel.sort("label_start", "instrument")
        return cls(
            ordered.select(names).to_numpy(),
            names,
            ordered["direction"].to_numpy(),
            ordered["label_start"].to_numpy(),
            ordered["label_end"].to_numpy(),
            ordered["instrument"].to_numpy(),
            ordered["movement"].to_numpy(),
        )

    @classmethod
    def read(cls, panel: Stored, names: list[str], folder: Path) -> "Rows":
        """The rows of a stored panel, which are sorted by time and instrument.

        Args:
            panel: it is read a group of rows at a time.
            names: the features.
            folder: where they are mapped, in a file that has no name and is gone with the last use of it.
        """
        features = _mapped(folder, panel.rows, len(names))
        kinds: dict[str, np.dtype] = {
            "direction": np.dtype(np.int8),
            "label_start": np.dtype(np.int64),
            "label_end": np.dtype(np.int64),
            "instrument": np.dtype(object),
            "movement": np.dtype(np.float64),
        }
        others = {name: np.empty(panel.rows, kind) for name, kind in kinds.items()}
        known: dict[str, str] = {}  # one object per instrument, however many rows it has
        first = 0
        for part in panel.parts(*names, *others):
            at = slice(first, first + part.height)
            features[at] = part.select(names).to_numpy()
            for name, values in others.items():
                given = part[name].to_list() if name == "instrument" else part[name].to_numpy()
                values[at] = [known.setdefault(one, one) for one in given] if name == "instrument" else given
            first += part.height
        return cls(features, names, *others.values())

    @property
    def hash(self) -> str:
        """Hex sha256, 16 digits, over all arrays."""
        found = hashlib.sha256(json.dumps(self.names).encode())
        for at in blocks(np.arange(len(self.start))):
            for values in (self.features[at], self.direction[at], self.start[at], self.end[at], self.movement[at]):
                found.update(np.ascontiguousarray(values).tobytes())
            found.update("\n".join(self.instrument[at]).encode())
        return found.hexdigest()[:16]

    @property
    def embargo(self) -> int:
        """The time (ns) between the end of a training label and a test span: the longest label, 60 s at least."""
        return max(EMBARGO_NS, int((self.end - self.start).max(initial=0)))

    def folds(self, first_share: float, n_splits: int, sliding: bool = False) -> list[splits.Fold]:
        """Purged walk-forward folds over the rows (`splits.walk_forward`)."""
        return splits.walk_forward(self.start, self.end, first_share, n_splits, self.embargo, sliding)


def blocks(at: np.ndarray) -> Iterator[np.ndarray]:
    """Positions of rows, some at a time."""
    return (at[first : first + BLOCK] for first in range(0, len(at), BLOCK))


def _mapped(folder: Path, rows: int, columns: int) -> np.ndarray:
    """An f32 array (rows, columns) whose pages the operating system may write out."""
    if rows == 0:
        return np.empty((0, columns), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=(rows, columns))
