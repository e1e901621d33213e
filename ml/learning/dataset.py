"""The panel: the rows that a model may be trained and judged on, over dates and instruments.

Here: reading the stored training features through the manifest, the classes of the label spec, the dataset id, and the
record of what a panel was made of, which is stored with it.
Not here: splits (`ml.learning.splits`), the join of features and labels (`ml.learning.training_features`).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError, StoreError
from ml.core.paths import FEATURE_GROUP, DataRoot, partition_of
from ml.features.sets import FeatureSet
from ml.labels.spec import LabelSpec, fit
from ml.learning.completeness import Completeness
from ml.learning.training_features import PRIMARY
from ml.storage.commit import Entry, manifest, require_current, sha256_file
from ml.storage.parquet import Parts, Stored

FIRST_SHARE = 0.4
N_SPLITS = 5
MIN_SPEC_ROWS = 100
MIN_ROWS = 10_000
"""Fewer rows of a panel are too few to train and judge a model on."""
SECOND = 10**9
NOTE = "lobforge_sources"


@dataclass(frozen=True)
class Source:
    """A stored partition that a dataset is made of: path relative to the data root, hash and rows of the file."""

    path: str
    sha256: str
    rows: int

    @property
    def date(self) -> str:
        """UTC date, YYYY-MM-DD."""
        return partition_of(self.path).date

    @property
    def instrument(self) -> str:
        """Instrument id."""
        return partition_of(self.path).instrument


@dataclass(frozen=True)
class Selection:
    """Which stored partitions a dataset is made of; dates are UTC, None is open."""

    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] = ()

    def sources(self, root: DataRoot) -> list[Source]:
        """The published files of the selection, sorted by path.

        Raises:
            DatasetError: there is none.
            StoreError: older code made some of them.
        """
        found = [(entry, _source(entry)) for entry in manifest(root, FEATURE_GROUP).values()]
        chosen = [(entry, source) for entry, source in found if self._holds(source)]
        if not chosen:
            raise DatasetError(f"No {FEATURE_GROUP} partition matches {self}. Materialize the partitions first.")
        require_current(FEATURE_GROUP, [entry for entry, _ in chosen])
        return sorted((source for _, source in chosen), key=lambda source: source.path)

    def _holds(self, source: Source) -> bool:
        inside = (self.start is None or source.date >= self.start) and (self.end is None or source.date <= self.end)
        return inside and (not self.instruments or source.instrument in self.instruments)


def _source(entry: Entry) -> Source:
    return Source(entry.path, entry.sha256, entry.rows)


@dataclass(frozen=True)
class PanelRecord:
    """What a panel was made of, stored in its file: all that comes after the panel takes it from here.

    `label_coverage` is the share of labelled rows and the rows, by `date|instrument`; `never_complete` says what is
    null, and why, of each instrument without one complete row, where the panel is too small.
    """

    dataset_id: str
    sources: tuple[Source, ...]
    label_spec: LabelSpec | None
    feature_set_hash: str
    row_spacing: int
    label_coverage: dict[str, tuple[float, int]]
    never_complete: dict[str, str]

    @classmethod
    def of(cls, panel: Stored) -> "PanelRecord":
        """The record of a stored panel.

        Raises:
            StoreError: it has none.
        """
        content: dict[str, Any] = json.loads(panel.note(NOTE))
        spec = content["label_spec"]
        content["label_spec"] = LabelSpec(**spec) if spec else None
        content["sources"] = tuple(Source(**source) for source in content["sources"])
        content["label_coverage"] = {name: tuple(share) for name, share in content["label_coverage"].items()}
        return cls(**content)

    def note(self) -> dict[str, str]:
        """The record as it is stored."""
        return {NOTE: json.dumps(asdict(self), sort_keys=True)}


def dataset_id(sources: Sequence[Source], spec: LabelSpec | None, features: FeatureSet, row_spacing: int = 1) -> str:
    """Hex sha256, 16 digits, over the files' content and the specs: the same id is the same panel."""
    files = [(source.path, source.sha256) for source in sources]
    content = [files, spec.hash if spec else None, features.hash, PRIMARY, row_spacing]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def fit_spec(root: DataRoot, sources: Sequence[Source], row_spacing: int = 1) -> LabelSpec | None:
    """The label spec of the primary horizon, from the first training block; None below 100 usable rows.

    Raises:
        DatasetError: the price never moves.
    """
    movement = f"movement_{PRIMARY}s"
    columns = ("instrument", "ts", "half_spread", movement, f"sigma_{PRIMARY}s")
    labelled = sum(_spaced(rows, row_spacing)[movement].count() for rows in days(root, sources, ("ts", movement)))
    wanted = int(labelled * FIRST_SHARE)
    block = list[pl.DataFrame]()
    for rows in days(root, sources, columns):
        if wanted <= 0:
            break
        block.append(_spaced(rows, row_spacing).drop_nulls(movement).head(wanted))
        wanted -= block[-1].height
    return spec_of(pl.concat(block)) if block else None


def spec_of(block: pl.DataFrame) -> LabelSpec | None:
    """The label spec fitted on the rows of a first training block; None below 100 usable rows.

    Raises:
        DatasetError: the price never moves.
    """
    named = block.select("ts", "half_spread", movement=f"movement_{PRIMARY}s", sigma=f"sigma_{PRIMARY}s")
    return fit(named, PRIMARY) if named.drop_nulls().height >= MIN_SPEC_ROWS else None


def first_block(rows: pl.DataFrame, share: float = FIRST_SHARE) -> pl.DataFrame:
    """The rows that only ever train: the first share of the labelled rows, by time."""
    labelled = rows.filter(pl.col(f"movement_{PRIMARY}s").is_not_null())
    return labelled.head(int(labelled.height * share))


def days(root: DataRoot, sources: Sequence[Source], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of each UTC date's rows, by time, then instrument; a column that a file lacks is null there."""
    for _, found in groupby(sources, key=lambda source: source.date):
        frames = [_read(Stored(root.root / source.path), columns) for source in found]
        yield pl.concat(frames).sort([name for name in ("ts", "instrument") if name in columns])


def panel(
    root: DataRoot,
    config: Config,
    sources: Sequence[Source],
    spec: LabelSpec | None,
    features: FeatureSet,
    row_spacing: int = 1,
) -> Parts:
    """The panel with its record, made while it is stored; one UTC date is held at a time.

    Args:
        root: the data root.
        config: instruments, to say why one has no complete row.
        sources: the partitions, sorted by path.
        spec: the label spec; without one the panel has no row.
        features: which columns.
        row_spacing: seconds between rows; at 1 every sample counts.
    """
    identity = dataset_id(sources, spec, features, row_spacing)
    notes = dict[str, str]()

    def rows() -> Iterator[pl.DataFrame]:
        movement = f"movement_{PRIMARY}s"
        columns = ("instrument", "ts", *features.columns, "half_spread", *_labels())
        shares = dict[str, tuple[float, int]]()
        complete = Completeness(features.columns, movement)
        kept = 0
        for _, found in groupby(sources, key=lambda source: source.date):
            frames = list[pl.DataFrame]()
            for source in found:
                frame = _read_unchanged(root, source, columns)
                share = frame[movement].is_not_null().mean() or 0.0
                shares[f"{source.date}|{source.instrument}"] = (share, frame.height)  # type: ignore[assignment]
                complete.add(source.instrument, source.date, frame)
                frames.append(build(_spaced(frame, row_spacing), spec, features))
            day = pl.concat(frames).sort("ts", "instrument")
            kept += day.height
            yield day
        gone = complete.never_complete(root, config) if kept < MIN_ROWS else {}
        notes.update(
            PanelRecord(identity, tuple(sources), spec, features.hash, row_spacing, shares, gone).note(),
        )

    return Parts(build(pl.DataFrame(schema=_schema(features)), spec, features).schema, rows(), notes=notes)


def build(rows: pl.DataFrame, spec: LabelSpec | None, features: FeatureSet) -> pl.DataFrame:
    """The rows that have every feature and a label at the primary horizon, with their class; features as float32.

    Without a spec there is no row.

    Columns: instrument, ts, the features, half_spread, movement, sigma, label_start, label_end, direction.
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
    renamed = renamed.cast(dict.fromkeys(features.columns, pl.Float32()))
    if spec is None:
        return renamed.clear().with_columns(direction=pl.lit(0, pl.Int8))
    movement, half_spread, sigma = (renamed[name].to_numpy() for name in ("movement", "half_spread", "sigma"))
    return renamed.with_columns(direction=spec.apply(movement, half_spread, sigma))


def _labels() -> list[str]:
    return [f"{name}_{PRIMARY}s" for name in ("movement", "sigma", "label_end")]


def _schema(features: FeatureSet) -> dict[str, Any]:
    return {name: _dtype(name) for name in ("instrument", "ts", *features.columns, "half_spread", *_labels())}


def _dtype(name: str) -> Any:
    if name == "instrument":
        return pl.String()
    return pl.Int64() if name == "ts" or name.startswith("label_end_") else pl.Float64()


def _read_unchanged(root: DataRoot, source: Source, columns: Sequence[str]) -> pl.DataFrame:
    path = root.root / source.path
    stored = Stored(path)  # opened before it is hashed: a file that takes its place in between has another hash
    if sha256_file(path) != source.sha256:
        raise StoreError(f"{source.path} was replaced while the panel was made. Materialize label_spec and the panel.")
    return _read(stored, columns)


def _read(stored: Stored, columns: Sequence[str]) -> pl.DataFrame:
    known = [name for name in columns if name in stored.schema]
    missing = [pl.lit(None, _dtype(name)).alias(name) for name in columns if name not in stored.schema]
    return pl.concat(stored.parts(*known)).with_columns(missing).select(columns)


def _spaced(rows: pl.DataFrame, row_spacing: int) -> pl.DataFrame:
    return rows if row_spacing == 1 else rows.filter(pl.col("ts") % (row_spacing * SECOND) == 0)
