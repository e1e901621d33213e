"""Files of the predecessor bots as tables, one asset per kind of file.

Each asset imports a folder. Reading the files belongs to `ml.legacy`; `lobforge migrate` does the same without
Dagster.
"""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.metadata import picture
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import LEGACY_FILES, code_version
from ml.plotting import plots


class Legacy(dg.Config):
    """The predecessor's folder, and what its files do not contain: the venue, and times and symbols of bare candles."""

    folder: str
    venue: str = "bybit-linear"
    candles_start: str | None = None
    candles_timeframe: str = "1m"
    candles_symbols: str = ""

    def result(self, root: DataRoot, table: str, configuration: Config | None = None) -> dg.MaterializeResult[Any]:
        """Migrate one table and report what happened to every row."""
        from ml.legacy.candles import grid
        from ml.legacy.migration import migrate

        given = (self.candles_start, self.candles_timeframe, self.candles_symbols)
        times = grid(configuration, self.venue, *given) if configuration else None
        report = migrate(root, Path(self.folder), self.venue, times, kinds=[table])["tables"][table]
        shown: dict[str, Any] = {name: value for name, value in report.items() if value is not None}
        rows = {"kept": report["kept"], "duplicates": report["duplicates"], **report["quarantined"]}
        shown |= {"rows by fate": picture(root, table, None, plots.fates(rows))}
        return dg.MaterializeResult(metadata={"dagster/row_count": report["kept"], **shown})


@dg.asset(group_name="legacy", kinds={"parquet", "polars"}, code_version=code_version(LEGACY_FILES))
def legacy_samples(config: Legacy, data_root: dg.ResourceParam[DataRoot]) -> dg.MaterializeResult[Any]:
    """Samples of the predecessor by UTC date and instrument, each once, with labels recomputed beside the old ones."""
    return config.result(data_root, "legacy_samples")


@dg.asset(group_name="legacy", kinds={"parquet", "polars"}, code_version=code_version(LEGACY_FILES))
def legacy_layering(config: Legacy, data_root: dg.ResourceParam[DataRoot]) -> dg.MaterializeResult[Any]:
    """Layering patterns of the predecessor, each once with its best label; all copies are listed."""
    return config.result(data_root, "legacy_layering")


@dg.asset(group_name="legacy", kinds={"parquet", "polars"}, code_version=code_version(LEGACY_FILES))
def legacy_candles(
    config: Legacy, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[Any]:
    """Candles from bare arrays of high, low, close and quote volume; the run config gives times and symbols."""
    return config.result(data_root, "legacy_candles", configuration)
