"""Files of public archives in the captures folder.

The table lists what was fetched, is not published or was quarantined, one partition per UTC date and instrument.
Captures themselves are read by `assets.raw`.
"""

from collections.abc import Iterator
from time import time_ns

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.metadata import table
from assets.partitions import date_and_instrument, instrument_day
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.versions import ARCHIVES, code_version


@dg.asset(
    partitions_def=instrument_day,
    group_name="archives",
    kinds={"parquet"},
    io_manager_key="parquet",
    code_version=code_version(ARCHIVES),
    pool="downloads",
    retry_policy=dg.RetryPolicy(max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS),
    check_specs=rule_specs("archive_files"),
)
def archive_files(
    context: dg.AssetExecutionContext, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> Iterator[dg.MaterializeResult[pl.DataFrame] | dg.AssetCheckResult]:
    """State of each file that the configured sources should have for the date; missing files are fetched."""
    from ml.archives import fetch

    date, instrument = date_and_instrument(context, configuration)
    files = fetch.update(data_root, configuration, instrument, date, time_ns())
    states = {state: files.filter(state=state).height for state in fetch.STATES}
    metadata = states | {"files": table(files.select("source", "state", "bytes", "detail", "url"))}
    yield dg.MaterializeResult(value=files, metadata=metadata)
    yield from rule_results("archive_files", files)
