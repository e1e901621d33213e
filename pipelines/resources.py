"""Dagster resources that pass plain objects of `ml` to assets."""

from pathlib import Path

import dagster as dg

from ml.core import config, settings
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.settings import Settings
from ml.promotion.registry import Registry


class DataRootResource(dg.ConfigurableResource[DataRoot]):
    """The data root; also where compiled kernels are kept."""

    path: str

    def create_resource(self, context: dg.InitResourceContext) -> DataRoot:
        """The data root of the process."""
        return DataRoot(Path(self.path))


class ConfigResource(dg.ConfigurableResource[Config]):
    """Instruments and dates, as listed when the run starts."""

    path: str

    def create_resource(self, context: dg.InitResourceContext) -> Config:
        """The listed configuration."""
        return config.load(DataRoot(Path(self.path)))


class RegistryResource(dg.ConfigurableResource[Registry]):
    """The model registry."""

    path: str

    def create_resource(self, context: dg.InitResourceContext) -> Registry:
        """The registry of the data root."""
        return Registry(DataRoot(Path(self.path)))


class SettingsResource(dg.ConfigurableResource[Settings]):
    """The settings of the process."""

    def create_resource(self, context: dg.InitResourceContext) -> Settings:
        """The settings as read from the environment."""
        return settings.load()
