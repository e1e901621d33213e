"""The Dagster code location: `build_defs` combines assets, jobs, schedules, sensors and resources."""

from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg

import assets
from assets import partitions
from assets.metadata import described
from ml.catalog.tables import TABLES
from ml.core import config, settings
from ml.core.config import Config
from ml.core.paths import DataRoot
from pipelines.io_managers import JsonDocuments, ParquetTables
from pipelines.jobs import (
    benchmark_layering,
    candle_sets,
    challenge,
    fetch,
    index_captures,
    ingest,
    label,
    layering,
    learn,
    learn_layering,
    legacy_sets,
    measure,
    migrate,
    pressure,
    receive,
    watch,
)
from pipelines.progress import LOGGER, progress_logger
from pipelines.resources import ConfigResource, DataRootResource, RegistryResource, SettingsResource
from pipelines.schedules import daily_performance, hourly_challenge, weekly_layering, weekly_retraining
from pipelines.sensors import automation, capture_arrivals, retraining, train_requests

DATA = "team:data"
RESEARCH = "team:research"
OWNERS = {"captures": DATA, "archives": DATA, "raw": DATA, "samples": DATA, "legacy": DATA}
"""Who answers for a group of assets; research for the others."""
DAILY = dg.FreshnessPolicy.cron("0 6 * * *", timedelta(hours=6))
"""The day before is stored by six in the morning, UTC."""
FRESH = {
    "book_samples": DAILY,
    "training_features": DAILY,
    "promotion_decision": dg.FreshnessPolicy.time_window(timedelta(days=8), warn_window=timedelta(days=7, hours=6)),
}
RAW_FRAMES = dg.AssetKey("raw_frames")


def _console() -> dg.LoggerDefinition:
    """Dagster's own logger, which a code location must name once it brings one of its own."""
    logger = dg.colored_console_logger
    assert isinstance(logger, dg.LoggerDefinition)  # noqa: S101 - its stub says a bare function
    return logger


def resources_of(root: DataRoot) -> dict[str, Any]:
    """IO managers and resources over a data root."""
    path = str(root.root)
    return {
        "parquet": ParquetTables(path=path),
        "json": JsonDocuments(path=path),
        "data_root": DataRootResource(path=path),
        "configuration": ConfigResource(path=path),
        "registry": RegistryResource(path=path),
        "settings": SettingsResource(),
    }


def _configured(asset: dg.AssetSpec, configuration: Config) -> dg.AssetSpec:
    """The asset with the listed dates, its group's owner, when it is late, and what the catalog says of its table.

    Nothing is late where the captures have ended. Raw frames follow from fetched files only where a source is listed:
    else nobody is told to fetch first.
    """
    asset = partitions.dated(asset, configuration)
    if asset.key == RAW_FRAMES and configuration.sources:
        asset = asset.merge_attributes(deps=["archive_files"])
    asset = asset.replace_attributes(owners=[OWNERS.get(str(asset.group_name), RESEARCH)])
    late = FRESH.get(asset.key.path[-1])
    if late and configuration.last_date is None:
        asset = dg.apply_freshness_policy(asset, late)
    spec = TABLES.get(asset.key.path[-1])
    if spec is None:
        return asset
    return asset.merge_attributes(metadata=described(spec.with_horizons(configuration.labels.horizons)))


def build_assets(configuration: Config) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All assets, for the dates of a configuration."""
    loaded = dg.load_assets_from_package_module(assets, include_specs=True)
    ours = [one for one in loaded if isinstance(one, (dg.AssetsDefinition, dg.AssetSpec))]
    return list(dg.map_asset_specs(partial(_configured, configuration=configuration), ours))


def build_defs(root: DataRoot, **overrides: Any) -> dg.Definitions:
    """The definitions over a data root, as its `lobforge.toml` is now; keyword arguments replace resources by name."""
    return dg.Definitions(
        assets=build_assets(config.load(root)),
        jobs=[
            *(fetch, index_captures, receive, ingest, label, candle_sets, legacy_sets),
            *(learn, challenge, measure, watch, migrate),
            *(pressure, layering, learn_layering, benchmark_layering),
        ],
        schedules=[weekly_retraining, weekly_layering, hourly_challenge, daily_performance],
        sensors=[capture_arrivals, automation, retraining, train_requests],
        resources=resources_of(root) | overrides,
        loggers={"console": _console(), LOGGER: progress_logger},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: the definitions over the data root of the settings, read when it asks, not on import."""
    return build_defs(DataRoot(settings.load().data_root))
