"""The Dagster code location: `build_defs` combines assets, jobs, schedules, sensors and resources."""

from typing import Any

import dagster as dg

import assets
from assets.metadata import described
from assets.partitions import ROOT
from ml.catalog.tables import TABLES
from ml.core import config
from ml.core.paths import DataRoot
from pipelines.io_managers import JsonDocuments, ParquetTables
from pipelines.jobs import (
    candle_sets,
    fetch,
    index_captures,
    ingest,
    label,
    learn,
    legacy_sets,
    migrate,
    receive,
    watch,
)
from pipelines.progress import LOGGER, progress_logger
from pipelines.resources import ConfigResource, DataRootResource, RegistryResource, SettingsResource
from pipelines.schedules import weekly_retraining
from pipelines.sensors import automation, capture_arrivals


def _console() -> dg.LoggerDefinition:
    """Dagster's own logger, which a code location must name once it brings one of its own."""
    logger = dg.colored_console_logger
    assert isinstance(logger, dg.LoggerDefinition)  # noqa: S101 - its stub says a bare function
    return logger


def resources_of(root: DataRoot) -> dict[str, Any]:
    """IO managers and resources over a data root."""
    path = str(root.root)
    return {
        "parquet": ParquetTables(root),
        "json": JsonDocuments(root),
        "data_root": DataRootResource(path=path),
        "listed": ConfigResource(path=path),
        "registry": RegistryResource(path=path),
        "settings": SettingsResource(),
    }


def _with_columns(asset: dg.AssetSpec) -> dg.AssetSpec:
    """The asset with what the catalog says of its table, once in its definition instead of in each run."""
    spec = TABLES.get(asset.key.path[-1])
    if spec is None:
        return asset
    return asset.merge_attributes(metadata=described(spec.with_horizons(config.load(ROOT).labels.horizons)))


def build_defs(**overrides: Any) -> dg.Definitions:
    """The definitions over the data root of the settings; keyword arguments replace resources by name."""
    loaded = dg.load_assets_from_package_module(assets)
    ours = [one for one in loaded if isinstance(one, dg.AssetsDefinition)]
    return dg.Definitions(
        assets=dg.map_asset_specs(_with_columns, ours),
        jobs=[fetch, index_captures, receive, ingest, label, candle_sets, legacy_sets, learn, watch, migrate],
        schedules=[weekly_retraining],
        sensors=[capture_arrivals, automation],
        resources=resources_of(ROOT) | overrides,
        loggers={"console": _console(), LOGGER: progress_logger},
        executor=dg.in_process_executor,
    )


defs = build_defs()
