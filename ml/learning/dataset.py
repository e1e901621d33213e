"""The panel: the rows that a model may be trained and judged on, over dates and instruments.

Here: reading the stored training features through the manifest, the dataset id, the classes of the label spec.
Not here: splits (`ml.learning.splits`), the join of features and labels (`ml.learning.training_features`).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ml.core.errors import DatasetError
from ml.core.paths import FEATURE_GROUP, DataRoot
from ml.features.sets import FeatureSet
from ml.labels.spec import LabelSpec, fit
from ml.learning.training_features import PRIMARY
from ml.storage.commit import Entry, manifest, read, require_current

FIRST_SHARE = 0.4
N_SPLITS = 5
MIN_SPEC_ROWS = 100


@dataclass(frozen=True)
class Selection:
    """Which stored partitions a dataset is made of; dates are UTC, None is open."""

    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] = ()

    def entries(self, root: DataRoot) -> list[Entry]:
        """The published files of the selection, sorted by path.

        Raises:
            DatasetError: there is none.
            StoreError: older code made some of them.
        """
        found = [entry for entry in manifest(root, FEATURE_GROUP).values() if self._holds(entry.path)]
        if not found:
            raise DatasetError(f"No {FEATURE_GROUP} partition matches {self}. Materialize the partitions first.")
        require_current(FEATURE_GROUP, found)
        return sorted(found, key=lambda entry: entry.path)

    def _holds(self, path: str) -> bool:
        date, name = path.split("/")[-2:]
        day = date.removeprefix("date=")
        instrument = name.removeprefix("features_").removesuffix(".parquet")
        inside = (self.start is None or day >= self.start) and (self.end is None or day <= self.end)
        return inside and (not self.instruments or instrument in self.instruments)


def read_rows(root: DataRoot, entries: Sequence[Entry]) -> pl.DataFrame:
    """Rows of the files in order of time, then instrument; a column that some files lack is null there."""
    frames = [read(root.root / entry.path).collect() for entry in entries]
    return pl.concat(frames, how="diagonal").sort("ts", "instrument")


def dataset_id(entries: Sequence[Entry], spec: LabelSpec | None, features: FeatureSet) -> str:
    """Hex sha256, 16 digits, over the files' content and the specs: the same id is the same panel."""
    content = [[(entry.path, entry.sha256) for entry in entries], spec.hash if spec else None, features.hash, PRIMARY]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def fit_spec(root: DataRoot, selection: Selection) -> LabelSpec | None:
    """The label spec of the primary horizon, from the first training block of a selection; None below 100 usable rows.

    Raises:
        DatasetError: the price never moves.
    """
    block = first_block(read_rows(root, selection.entries(root)))
    named = block.select("ts", "half_spread", movement=f"movement_{PRIMARY}s", sigma=f"sigma_{PRIMARY}s")
    return fit(named, PRIMARY) if named.drop_nulls().height >= MIN_SPEC_ROWS else None


def first_block(rows: pl.DataFrame, share: float = FIRST_SHARE) -> pl.DataFrame:
    """The rows that only ever train: the first share of the labelled rows, by time."""
    labelled = rows.filter(pl.col(f"movement_{PRIMARY}s").is_not_null())
    return labelled.head(int(labelled.height * share))


def build(rows: pl.DataFrame, spec: LabelSpec | None, features: FeatureSet) -> pl.DataFrame:
    """The panel: rows that have every feature and a label at the primary horizon, with their class.

    Without a spec it has no row.

    Columns: instrument, ts, the features, movement, half_spread, sigma, label_start, label_end, direction.
    """
    renamed = rows.select(
        "instrument",
        "ts",
        *features.columns,
        "half_spread",
        movement=f"movement_{PRIMARY}s",
        sigma=f"sigma_{PRIMARY}s",
        label_start="ts",
        label_end=f"label_end_{PRIMARY}s",
    ).drop_nulls()
    if spec is None:
        return renamed.clear().with_columns(direction=pl.lit(0, pl.Int8))
    movement, half_spread, sigma = (renamed[name].to_numpy() for name in ("movement", "half_spread", "sigma"))
    return renamed.with_columns(direction=spec.apply(movement, half_spread, sigma))
