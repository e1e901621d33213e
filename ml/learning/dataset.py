"""The panel: the rows that a model may be trained and judged on, over dates and instruments.

Here: reading the stored training features through the manifest, the classes of the label spec, the dataset id, and the
record of what a panel was made of, which is stored with it.
Not here: splits (`ml.learning.splits`), the join of features and labels (`ml.learning.training_features`).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError, StoreError
from ml.core.paths import FEATURE_GROUP, DataRoot, partition_of
from ml.features.pressure.table import NAMES as PRESSURE_NAMES
from ml.features.pressure.table import TABLE as PRESSURE
from ml.labels.spec import LabelSpec, fit
from ml.learning import experiment as experiments
from ml.learning.completeness import Completeness
from ml.learning.experiment import Experiment
from ml.learning.rows import Rows
from ml.storage.commit import Entry, manifest, require_current, sha256_file
from ml.storage.parquet import Parts, Stored

FIRST_SHARE = 0.4
N_SPLITS = 5
SEALED_SHARE = 0.06
"""Of the rows, the newest: no figure but that of the hold-out gate is made of them."""
MIN_SPEC_ROWS = 100
MIN_ROWS = 10_000
"""Fewer rows of a panel are too few to train and judge a model on."""
SECOND = 10**9
NOTE = "lobforge_sources"


@dataclass(frozen=True)
class Source:
    """A stored partition that a dataset is made of: path relative to the data root, hash and rows of the file.

    `pressure` is the hash of the partition's `spoofing_pressure`, empty where the feature set has none of its columns.
    """

    path: str
    sha256: str
    rows: int
    pressure: str = ""

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
    """Which stored partitions a dataset is made of; dates are UTC, None is open.

    `window_days` keeps that many dates up to the last one that is stored. `has_pressure` says that columns of
    `spoofing_pressure` are read too.
    """

    start: str | None = None
    end: str | None = None
    instruments: tuple[str, ...] = ()
    window_days: int | None = None
    has_pressure: bool = False

    @classmethod
    def of(cls, experiment: Experiment, narrower: "Selection | None" = None) -> "Selection":
        """That of an experiment, between the dates and of the instruments of a narrower one."""
        wanted = narrower or cls()
        instruments = wanted.instruments or experiment.instruments
        return cls(wanted.start, wanted.end, instruments, experiment.window_days, experiment.feature_set.has_pressure)

    def sources(self, root: DataRoot) -> list[Source]:
        """The published files of the selection, sorted by path.

        Raises:
            DatasetError: there is none, or one without the `spoofing_pressure` that is wanted.
            StoreError: older code made some of them.
        """
        found = [(entry, _source(entry)) for entry in manifest(root, FEATURE_GROUP).values()]
        chosen = [(entry, source) for entry, source in found if self._holds(source)]
        if not chosen:
            raise DatasetError(f"No {FEATURE_GROUP} partition matches {self}. Materialize the partitions first.")
        if self.window_days is not None:
            last = date.fromisoformat(max(source.date for _, source in chosen))
            first = (last - timedelta(self.window_days - 1)).isoformat()
            chosen = [(entry, source) for entry, source in chosen if source.date >= first]
        require_current(FEATURE_GROUP, [entry for entry, _ in chosen])
        sources = sorted((source for _, source in chosen), key=lambda source: source.path)
        return _with_pressure(root, sources) if self.has_pressure else sources

    def _holds(self, source: Source) -> bool:
        inside = (self.start is None or source.date >= self.start) and (self.end is None or source.date <= self.end)
        return inside and (not self.instruments or source.instrument in self.instruments)


def _source(entry: Entry) -> Source:
    return Source(entry.path, entry.sha256, entry.rows)


def _with_pressure(root: DataRoot, sources: Sequence[Source]) -> list[Source]:
    """The same, each with the hash of its spoofing pressure."""
    stored = {
        (found.date, found.instrument): entry
        for entry in manifest(root, PRESSURE).values()
        for found in [partition_of(entry.path)]
    }
    missing = [source for source in sources if (source.date, source.instrument) not in stored]
    if missing:
        raise DatasetError(
            f"{PRESSURE} of {len(missing)} of {len(sources)} partitions is not stored (first "
            f"{missing[0].date}|{missing[0].instrument}). Materialize {PRESSURE} for them: its columns are in the "
            "feature set."
        )
    require_current(PRESSURE, [stored[source.date, source.instrument] for source in sources])
    return [replace(source, pressure=stored[source.date, source.instrument].sha256) for source in sources]


@dataclass(frozen=True)
class PanelRecord:
    """What a panel was made of, stored in its file: all that comes after the panel takes it from here.

    `label_coverage` is the share of labelled rows and the rows, by `date|instrument`; `never_complete` says what is
    null, and why, of each instrument without one complete row, where the panel is too small.
    """

    dataset_id: str
    sources: tuple[Source, ...]
    label_spec: LabelSpec | None
    experiment: Experiment
    feature_set_hash: str
    label_coverage: dict[str, tuple[float, int]]
    never_complete: dict[str, str]

    @classmethod
    def of(cls, panel: Stored) -> "PanelRecord":
        """The record of a stored panel.

        Raises:
            StoreError: it has none, or one of older code.
        """
        content: dict[str, Any] = json.loads(panel.note(NOTE))
        if "experiment" not in content:
            raise StoreError(f"{panel.path} has no experiment: older code made it. Materialize its asset again.")
        spec = content["label_spec"]
        content["label_spec"] = LabelSpec(**spec) if spec else None
        content["experiment"] = experiments.of_dict(content["experiment"])
        content["sources"] = tuple(Source(**source) for source in content["sources"])
        content["label_coverage"] = {name: tuple(share) for name, share in content["label_coverage"].items()}
        return cls(**content)

    def note(self) -> dict[str, str]:
        """The record as it is stored."""
        content = asdict(self)
        for source in content["sources"]:
            if not source["pressure"]:
                del source["pressure"]
        return {NOTE: json.dumps(content, sort_keys=True)}


def rows_of(panel: Stored, root: DataRoot) -> Rows:
    """The rows of a stored panel with the features of its experiment; they are mapped in the staging folder."""
    return Rows.read(panel, PanelRecord.of(panel).experiment.feature_set.columns, root.staging)


def dataset_id(sources: Sequence[Source], spec: LabelSpec | None, experiment: Experiment) -> str:
    """Hex sha256, 16 digits, over the files' content and the specs: the same id is the same panel."""
    files = [(source.path, source.sha256, *([source.pressure] if source.pressure else [])) for source in sources]
    wanted = [experiment.feature_set.hash, experiment.horizon, experiment.row_spacing]
    return hashlib.sha256(json.dumps([files, spec.hash if spec else None, *wanted]).encode()).hexdigest()[:16]


def fit_spec(root: DataRoot, sources: Sequence[Source], experiment: Experiment) -> LabelSpec | None:
    """The label spec of the experiment's horizon, from the first training block; None below 100 usable rows.

    Raises:
        DatasetError: the price never moves.
    """
    movement = experiment.label("movement")
    columns = ("instrument", "ts", "half_spread", movement, experiment.label("sigma"))
    spacing = experiment.row_spacing
    labelled = sum(_spaced(rows, spacing)[movement].count() for rows in days(root, sources, ("ts", movement)))
    wanted = int(labelled * FIRST_SHARE)
    block = list[pl.DataFrame]()
    for rows in days(root, sources, columns):
        if wanted <= 0:
            break
        block.append(_spaced(rows, spacing).drop_nulls(movement).head(wanted))
        wanted -= block[-1].height
    return spec_of(pl.concat(block), experiment) if block else None


def spec_of(block: pl.DataFrame, experiment: Experiment) -> LabelSpec | None:
    """The label spec fitted on the rows of a first training block; None below 100 usable rows.

    Raises:
        DatasetError: the price never moves.
    """
    named = block.select("ts", "half_spread", movement=experiment.label("movement"), sigma=experiment.label("sigma"))
    return fit(named, experiment.horizon) if named.drop_nulls().height >= MIN_SPEC_ROWS else None


def first_block(rows: pl.DataFrame, experiment: Experiment, share: float = FIRST_SHARE) -> pl.DataFrame:
    """The rows that only ever train: the first share of the labelled rows, by time."""
    labelled = rows.filter(pl.col(experiment.label("movement")).is_not_null())
    return labelled.head(int(labelled.height * share))


def days(root: DataRoot, sources: Sequence[Source], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of each UTC date's rows, by time, then instrument; a column that a file lacks is null there."""
    for _, found in groupby(sources, key=lambda source: source.date):
        frames = [_read(root, Stored(root.root / source.path), source, columns) for source in found]
        yield pl.concat(frames).sort([name for name in ("ts", "instrument") if name in columns])


def panel(
    root: DataRoot,
    config: Config,
    sources: Sequence[Source],
    spec: LabelSpec | None,
    experiment: Experiment,
) -> Parts:
    """The panel with its record, made while it is stored; one UTC date is held at a time.

    Args:
        root: the data root.
        config: instruments, to say why one has no complete row.
        sources: the partitions, sorted by path.
        spec: the label spec; without one the panel has no row.
        experiment: which columns, label and rows.
    """
    features = experiment.feature_set
    identity = dataset_id(sources, spec, experiment)
    notes = dict[str, str]()

    def rows() -> Iterator[pl.DataFrame]:
        movement = experiment.label("movement")
        columns = ("instrument", "ts", *features.columns, "half_spread", *_labels(experiment))
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
                frames.append(build(_spaced(frame, experiment.row_spacing), spec, experiment))
            day = pl.concat(frames).sort("ts", "instrument")
            kept += day.height
            yield day
        gone = complete.never_complete(root, config) if kept < MIN_ROWS else {}
        notes.update(
            PanelRecord(identity, tuple(sources), spec, experiment, features.hash, shares, gone).note(),
        )

    return Parts(build(pl.DataFrame(schema=_schema(experiment)), spec, experiment).schema, rows(), notes=notes)


def build(rows: pl.DataFrame, spec: LabelSpec | None, experiment: Experiment) -> pl.DataFrame:
    """The rows that have every feature and a label at the experiment's horizon, with their class; features as float32.

    Without a spec there is no row.

    Columns: instrument, ts, the features, half_spread, movement, sigma, label_start, label_end, direction.
    """
    columns = experiment.feature_set.columns
    renamed = rows.select(
        "instrument",
        "ts",
        *columns,
        "half_spread",
        movement=experiment.label("movement"),
        sigma=experiment.label("sigma"),
        label_start="ts",
        label_end=experiment.label("label_end"),
    ).drop_nulls()
    renamed = renamed.cast(dict.fromkeys(columns, pl.Float32()))
    if spec is None:
        return renamed.clear().with_columns(direction=pl.lit(0, pl.Int8))
    movement, half_spread, sigma = (renamed[name].to_numpy() for name in ("movement", "half_spread", "sigma"))
    return renamed.with_columns(direction=spec.apply(movement, half_spread, sigma))


def _labels(experiment: Experiment) -> list[str]:
    return [experiment.label(name) for name in ("movement", "sigma", "label_end")]


def _schema(experiment: Experiment) -> dict[str, Any]:
    columns = experiment.feature_set.columns
    return {name: _dtype(name) for name in ("instrument", "ts", *columns, "half_spread", *_labels(experiment))}


def _dtype(name: str) -> Any:
    if name == "instrument":
        return pl.String()
    return pl.Int64() if name == "ts" or name.startswith("label_end_") else pl.Float64()


def _read_unchanged(root: DataRoot, source: Source, columns: Sequence[str]) -> pl.DataFrame:
    path = root.root / source.path
    stored = Stored(path)  # opened before it is hashed: a file that takes its place in between has another hash
    if sha256_file(path) != source.sha256:
        raise StoreError(f"{source.path} was replaced while the panel was made. Materialize label_spec and the panel.")
    if source.pressure and sha256_file(_pressure_path(root, source)) != source.pressure:
        raise StoreError(f"{PRESSURE} of {source.path} was replaced while the panel was made. Materialize both again.")
    return _read(root, stored, source, columns)


def _read(root: DataRoot, stored: Stored, source: Source, columns: Sequence[str]) -> pl.DataFrame:
    """Some columns of a partition: of its training features, and those of its spoofing pressure beside them."""
    beside = [name for name in columns if name in PRESSURE_NAMES] if source.pressure else []
    known = [name for name in columns if name in stored.schema]
    missing = [pl.lit(None, _dtype(name)).alias(name) for name in columns if name not in (*known, *beside)]
    read = known if "ts" in known or not beside else ["ts", *known]
    rows = pl.concat(stored.parts(*read)).with_columns(missing)
    if beside:
        pressure = pl.concat(Stored(_pressure_path(root, source)).parts("ts", *beside))
        rows = rows.join(pressure, on="ts", how="left", validate="1:1", maintain_order="left")
    return rows.select(columns)


def _pressure_path(root: DataRoot, source: Source) -> Path:
    return root.partition(PRESSURE, source.date, source.instrument)


def _spaced(rows: pl.DataFrame, row_spacing: int) -> pl.DataFrame:
    return rows if row_spacing == 1 else rows.filter(pl.col("ts") % (row_spacing * SECOND) == 0)
