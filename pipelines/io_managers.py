"""Between assets and their files: tables as parquet through the commit protocol, small documents as JSON.

Here: two IO managers that know where a table lies and show what was stored.
Not here: how a file is stored safely (`ml.storage.commit`), where it lies (`ml.core.paths`).
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from assets.metadata import rows_by_minute
from ml.catalog.tables import spec_of
from ml.core.paths import DEFAULT_EXPERIMENT, DataRoot
from ml.core.prefetch import prefetch
from ml.storage import commit, durable
from ml.storage.parquet import Parts, Stored


def experiment_of(context: dg.OutputContext | dg.InputContext) -> str:
    """The experiment that an asset without dates is of; the default one if it has no partitions."""
    return context.asset_partition_key if context.has_asset_partitions else DEFAULT_EXPERIMENT


class _Files(dg.ConfigurableIOManager):
    """What both IO managers know: the data root."""

    path: str

    @property
    def root(self) -> DataRoot:
        """The data root."""
        return DataRoot(Path(self.path))


class ParquetTables(_Files):
    """One parquet file per partition, or per table without partitions; read back as a lazy frame, or in parts."""

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | Parts) -> None:
        """Store a table and show its path, hash and rows."""
        table = context.asset_key.path[-1]
        parts = obj if isinstance(obj, Parts) else Parts(obj.schema, [obj])
        spec = spec_of(table, parts.schema.names())
        if not spec.is_open:
            parts = Parts(spec.schema, prefetch(map(spec.conform, parts.frames)), parts.counted, parts.notes)
        path = self._path(context)
        partition = context.partition_key if context.has_partition_key else None
        version = str((context.asset_spec.code_version if context.has_asset_key else None) or "")
        entry = commit.publish(self.root, table, path, parts, version)
        context.add_output_metadata(
            {
                "dagster/row_count": entry.rows,
                "path": entry.path,
                "sha256": entry.sha256,
                "bytes": entry.bytes,
            }
            | dict(parts.counted)
            | rows_by_minute(self.root, table, partition, Stored(path))
        )

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame | Stored:
        """One partition, or the table: in parts where the asset asks for them."""
        table = context.asset_key.path[-1]
        path = self._path(context)
        entry = commit.manifest(self.root, table).get(str(path.relative_to(self.root.root)))
        commit.require_current(table, [entry] if entry else [])
        return Stored(path) if context.dagster_type.typing_type is Stored else commit.read(path)

    def _path(self, context: dg.OutputContext | dg.InputContext) -> Path:
        table = context.asset_key.path[-1]
        dimensions = context.asset_partitions_def if context.has_asset_partitions else None
        if not isinstance(dimensions, dg.MultiPartitionsDefinition):
            return self.root.whole(table, experiment_of(context))
        keys = dict(dimensions.get_partition_key_from_str(context.asset_partition_key).keys_by_dimension)
        instrument = keys.pop("instrument")
        (date,) = keys.values()
        return self.root.partition(table, date, instrument)


class JsonDocuments(_Files):
    """One JSON file per asset, for reports and parameters."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store a document: a dataclass, several of them, or what JSON knows."""
        path = self.root.document(context.asset_key.path[-1], experiment_of(context))
        durable.write_text(path, json.dumps(to_jsonable_python(obj), indent=1, sort_keys=True))
        context.add_output_metadata({"path": str(path.relative_to(self.root.root)), "sha256": commit.sha256_file(path)})

    def load_input(self, context: dg.InputContext) -> Any:
        """Read a document, as the type that the asset asks for."""
        wanted = context.dagster_type.typing_type
        content = json.loads(self.root.document(context.asset_key.path[-1], experiment_of(context)).read_text())
        return content if wanted is Any else TypeAdapter(wanted).validate_python(content)
