"""The keys of partitioned assets: UTC date x instrument, from `lobforge.toml` in the data root.

Here: the partitions definition, and what a key says.
Not here: the file itself (`ml.config`). Keys are dated and append-only: a removed key could no longer be addressed.
"""

from datetime import timedelta

import dagster as dg

from ml import config, settings
from ml.instruments import Instrument
from ml.paths import DataRoot

ROOT = DataRoot(settings.load().data_root)
_CONFIG = config.load(ROOT)

instrument_day = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition(
            start_date=_CONFIG.first_date.isoformat(),
            end_date=(_CONFIG.last_date + timedelta(days=1)).isoformat() if _CONFIG.last_date else None,
        ),
        "instrument": dg.StaticPartitionsDefinition([instrument.id for instrument in _CONFIG.instruments]),
    }
)


def date_and_instrument(context: dg.AssetExecutionContext) -> tuple[str, Instrument]:
    """The date (YYYY-MM-DD) and the instrument of the partition being made."""
    key = context.partition_key
    assert isinstance(key, dg.MultiPartitionKey)  # noqa: S101 - the definition above makes no other
    return key.keys_by_dimension["date"], _CONFIG.instrument(key.keys_by_dimension["instrument"])
