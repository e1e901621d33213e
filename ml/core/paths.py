"""Paths of everything under the data root: the only place that builds one.

There is one method or property for every folder and file that is stored. Add one for a new table only if it is not
at `<table>/date=.../<table>_<instrument>.parquet`. Reading and writing belong to `ml.storage.commit`.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ml.core.errors import StoreError

FEATURE_GROUP = "training_features"
LEGACY_GROUP = "legacy_samples"
FEATURE_GROUPS = (FEATURE_GROUP, LEGACY_GROUP)
"""Tables that lie in the feature store."""
DEFAULT_EXPERIMENT = "base_35_10s"
"""The experiment that needs no entry in `lobforge.toml`; what belongs to it has no folder of its own."""
LAYERING_MODEL = "layering"
"""Name of the model of layering cues in the registry; no experiment may have it."""
_OFFLINE = PurePosixPath("feature_store", "offline")
_DIMENSION = {len("YYYY-MM-DD"): "date", len("YYYY-MM"): "month"}


class Partition(NamedTuple):
    """One partition of a table: a UTC date (YYYY-MM-DD) or a month (YYYY-MM), and an instrument's id."""

    table: str
    date: str
    instrument: str

    @property
    def path(self) -> PurePosixPath:
        """Its one file, relative to the data root; `partition_of` reads it back."""
        folder = _OFFLINE / self.table if self.table in FEATURE_GROUPS else PurePosixPath(self.table)
        return folder / f"{_DIMENSION[len(self.date)]}={self.date}" / f"{_stem(self.table)}_{self.instrument}.parquet"


def partition_of(path: str | PurePosixPath) -> Partition:
    """The partition whose file lies at a path, relative to the data root, as manifests list it.

    Raises:
        StoreError: the path is not that of a partition.
    """
    place = PurePosixPath(path)
    table = place.parent.parent.name
    _, _, date = place.parent.name.partition("=")
    found = Partition(table, date, place.name.removeprefix(f"{_stem(table)}_").removesuffix(".parquet"))
    if len(date) not in _DIMENSION or not found.instrument or found.path != place:
        raise StoreError(
            f"{path} is not the path of a partition (<table>/date=YYYY-MM-DD/<table>_<instrument>.parquet). "
            "Move it out of the table's folder."
        )
    return found


def _stem(table: str) -> str:
    """What the names of a table's files begin with."""
    return "features" if table in FEATURE_GROUPS else table


@dataclass(frozen=True)
class DataRoot:
    """The data root and the places below it; nothing is created by asking for a path."""

    root: Path

    @property
    def config(self) -> Path:
        """Instruments and dates."""
        return self.root / "lobforge.toml"

    @property
    def captures(self) -> Path:
        """Default folder of capture files."""
        return self.root / "captures"

    @property
    def journals(self) -> Path:
        """Journals of captures that run, or whose process died."""
        return self.root / "journals"

    @property
    def staging(self) -> Path:
        """Files that are being written; on the same filesystem as the tables, outside their trees."""
        return self.root / ".staging"

    @property
    def quarantine(self) -> Path:
        """What could not be read, with the reason."""
        return self.root / "_quarantine"

    @property
    def decisions(self) -> Path:
        """Immutable decision records and their journal, those of other experiments than the default one below it."""
        return self.root / "decisions"

    def decisions_of(self, experiment: str) -> Path:
        """Decision records and the journal of one experiment."""
        return self.decisions if experiment == DEFAULT_EXPERIMENT else self.decisions / experiment

    def holdout(self, experiment: str) -> Path:
        """Who looked at the sealed rows of one experiment, and when."""
        return self.decisions_of(experiment) / "holdout.jsonl"

    @property
    def trials(self) -> Path:
        """Every search for parameters, and the days that it saw."""
        return self.meta / "trials.jsonl"

    @property
    def keys(self) -> Path:
        """Hashes of the API keys, for its owner's eyes alone."""
        return self.root / "keys.json"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance."""
        return self.root / "dagster"

    @property
    def mlflow(self) -> Path:
        """The MLflow store: `mlflow.db` and `artifacts/`."""
        return self.root / "mlflow"

    @property
    def compiled(self) -> Path:
        """Compiled kernels, where the user has no cache folder; one folder per state of their sources."""
        return self.root / "numba"

    @property
    def documents(self) -> Path:
        """Small JSON documents: reports and parameters."""
        return self.root / "documents"

    @property
    def pictures(self) -> Path:
        """Plots of stored partitions, at full quality; the Dagster UI shows a small copy of each."""
        return self.root / "pictures"

    @property
    def models(self) -> Path:
        """Models, one folder each."""
        return self.root / "models"

    @property
    def layering(self) -> Path:
        """What people say of cues of layering, and what they ask for: SQLite files."""
        return self.root / "layering"

    @property
    def label_log(self) -> Path:
        """Every vote on cues of layering, a SQLite file."""
        return self.layering / "labels.db"

    @property
    def train_requests(self) -> Path:
        """Requests to train the model of cues, a SQLite file."""
        return self.layering / "requests.db"

    @property
    def patterns(self) -> Path:
        """Cues of layering in the predecessor's files."""
        return self.root / "ml_training" / "layering"

    @property
    def meta(self) -> Path:
        """Manifests, locks and what is kept about capture files."""
        return self.root / "_meta"

    def manifest(self, table: str) -> Path:
        """The append-only list of a table's published files."""
        return self.meta / table / "manifest.jsonl"

    def replacing(self, table: str) -> Path:
        """Holds the entry of the file that a writer is about to put in place, until the manifest has it."""
        return self.meta / table / "replacing"

    def lock(self, name: str) -> Path:
        """The lock file that guards one writer."""
        return self.meta / f"{name}.lock"

    def capture_index(self, sha256: str) -> Path:
        """What one capture file holds, kept so that it is read only once."""
        return self.meta / "captures" / f"{sha256}.json"

    def capture_content(self, path_sha256: str) -> Path:
        """The hash of the capture file at one path, kept so that an unchanged file is not read again."""
        return self.meta / "captures" / "content" / f"{path_sha256}.json"

    def proof(self, table: str, key: str) -> Path:
        """What was found in one source of older data, by the hash of its content."""
        return self.meta / table / "proofs" / f"{key}.json"

    def receipt(self, table: str, date: str) -> Path:
        """Which sources of older data a UTC date of a table was made of."""
        return self.meta / table / "days" / f"{date}.json"

    def dataset(self, identity: str) -> Path:
        """What a kept dataset was made of."""
        return self.meta / "datasets" / f"{identity}.json"

    def quarantined(self, key: str) -> Path:
        """Why rows of a source of older data were not taken; the source stays where it is."""
        return self.quarantine / "legacy" / f"{key}.json"

    def table(self, table: str) -> Path:
        """The tree of one table; only `.parquet` files lie inside."""
        return self.root / _OFFLINE / table if table in FEATURE_GROUPS else self.root / table

    def partition(self, table: str, date: str, instrument: str) -> Path:
        """The one file of a table's partition: UTC date (YYYY-MM-DD) or month (YYYY-MM) x instrument."""
        return self.root / Partition(table, date, instrument).path

    def newest(self, instrument: str) -> Path:
        """The newest feature row of an instrument, which the live runner writes."""
        return self.root / "feature_store" / "online" / f"features_{instrument}.json"

    def whole(self, table: str, experiment: str = DEFAULT_EXPERIMENT) -> Path:
        """The one file of a table without dates, of one experiment."""
        default = experiment == DEFAULT_EXPERIMENT
        folder = self.table(table) if default else self.table(table) / f"experiment={experiment}"
        return folder / f"{table}.parquet"

    def document(self, name: str, experiment: str = DEFAULT_EXPERIMENT) -> Path:
        """A small JSON document of one experiment: a report, or parameters."""
        folder = self.documents if experiment == DEFAULT_EXPERIMENT else self.documents / experiment
        return folder / f"{name}.json"

    def picture(self, table: str, partition: str | None = None) -> Path:
        """The plot of a partition, named by its Dagster key, or of a table without partitions."""
        name = partition.replace("|", "_") if partition else table
        return self.pictures / table / f"{name}.png"

    def model(self, model_id: str) -> Path:
        """The files of one model, by the hash of their content."""
        return self.models / model_id
