"""Raw frames as received, and the events, trades and validity derived from them.

One partition per UTC date and instrument. Samples of the book belong to `assets.samples`.
"""

from collections.abc import Iterator
from functools import partial
from time import time_ns
from typing import Any

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs, verdict_results
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import known_time
from assets.partitions import DAYS, date_and_instrument, instrument_day
from ml.catalog.tables import RULES
from ml.core.config import Config
from ml.core.paths import DataRoot
from ml.core.prefetch import prefetch
from ml.core.versions import KERNEL, code_version
from ml.market import gaps
from ml.storage.parquet import Parts, Stored
from ml.tables.rules import Judged
from ml.tables.schemas import SCHEMAS

DECODED = {
    "book_events": "Applied level changes in order, starting with the book at the start of day; gaps are rows too.",
    "trades": "Trades in order of arrival; off-book trades are quarantined.",
    "validity": "When the book was known to be right, and why each interval ended.",
    "trade_validity": "When trades were known to be captured, and why each interval ended.",
    "quarantine": "Frames that could not be used, with the reason.",
}


captures = dg.AssetSpec(
    "captures",
    group_name="captures",
    kinds={"file"},
    description="Files of `lobforge capture`, archives and other recorders, in the folder that lobforge.toml names.",
)
"""Made outside Dagster."""


@dg.asset(group_name="captures", kinds={"json"}, code_version=code_version(KERNEL), deps=[captures])
def capture_index(
    data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[Any]:
    """What the capture files hold: each new one is read once, and the partitions that it reaches are noted."""
    from ml.market.files import arrivals

    found = arrivals.update(data_root, configuration, time_ns())
    newest = max(found.changed.values(), default=0)
    changed = sorted(key for key, at in found.changed.items() if at == newest)
    return dg.MaterializeResult(
        metadata={"partitions": len(found.contents), "changed last": len(changed), "first of these": changed[:5]}
    )


@dg.asset(
    partitions_def=instrument_day,
    group_name="raw",
    kinds={"parquet"},
    io_manager_key="parquet",
    code_version=code_version(KERNEL),
    deps=[captures],
    pool=DAYS,
)
def raw_frames(
    context: dg.AssetExecutionContext, data_root: dg.ResourceParam[DataRoot], configuration: dg.ResourceParam[Config]
) -> dg.MaterializeResult[Parts]:
    """Frames of the day as received, with the file and offset they came from, and the checkpoint the day opens with."""
    from ml.market.days.raw import raw_day
    from ml.market.files import arrivals, index
    from ml.market.files import captures as files
    from ml.market.files.capture_sequence import link

    date, instrument = date_and_instrument(context, configuration)
    chain = link(files.find(configuration.captures), partial(index.load, data_root))
    unlisted = sorted(set(chain.instruments()) - set(configuration.ids))
    contents = arrivals.contents(configuration, (file for _, file in (*chain.files, *chain.unread)))
    metadata = {
        "captures": contents.get(f"{date}|{instrument.id}", "none"),
        "files": len(chain.files),
        "lines quarantined by file": chain.quarantined(),
        "unlisted instruments": unlisted,
    }
    frames = raw_day(chain, instrument, date)
    return dg.MaterializeResult(value=Parts(SCHEMAS["raw_frames"], frames), metadata=metadata)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            name,
            description=text,
            group_name="raw",
            kinds={"parquet"},
            code_version=code_version(KERNEL),
            deps=[raw_frames],
            automation_condition=ON_FRESH_INPUT,
            partitions_def=instrument_day,
        ).with_io_manager_key("parquet")
        for name, text in DECODED.items()
    ],
    pool=DAYS,
    check_specs=[spec for name in DECODED for spec in rule_specs(name)],
)
def events(
    context: dg.AssetExecutionContext,
    raw_frames: Stored,
    data_root: dg.ResourceParam[DataRoot],
    configuration: dg.ResourceParam[Config],
) -> Iterator[dg.MaterializeResult[pl.DataFrame | Parts] | dg.AssetCheckResult]:
    """Raw frames decoded: parsed, ordered by update ids, with every gap on record."""
    from ml.market.days.day import Decoding

    date, instrument = date_and_instrument(context, configuration)
    decoding = Decoding(prefetch(raw_frames.parts()), instrument, date)
    judged = Judged(RULES["book_events"])
    books = Parts(SCHEMAS["book_events"], judged.passing(decoding.book_events()), decoding.tally)
    yield dg.MaterializeResult(asset_key="book_events", value=books)
    yield from verdict_results("book_events", judged.verdicts())
    known = gaps.of_day(data_root, date, instrument.id, decoding.validity)
    shown = {"validity": known_time(data_root, context.partition_key, known, instrument.id)}
    for name in ("trades", "validity", "trade_validity", "quarantine"):
        frame = getattr(decoding, name)
        yield dg.MaterializeResult(asset_key=name, value=frame, metadata=shown.get(name, {}))
        yield from rule_results(name, frame)
