"""What the captures hold: raw frames as received, and the events, trades and validity that follow from them.

Here: the tables nearest to the exchange, one partition a UTC date x instrument.
Not here: samples of the book (`assets.samples`).
"""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import polars as pl

from assets.checks import rule_results, rule_specs
from assets.conditions import ON_FRESH_INPUT
from assets.metadata import known_time
from assets.partitions import FETCHED, date_and_instrument, instrument_day
from ml import ledger
from ml.config import Config
from ml.fingerprint import KERNEL, fingerprint
from ml.paths import DataRoot

DECODED = {
    "book_events": "Level changes that were applied, in order, with the book the day opens with; breaks are rows too.",
    "trades": "Prints inside the market, in the order of their arrival.",
    "validity": "When the book was known to be right, and why each stretch ended.",
    "quarantine": "Frames that could not be used, with the reason.",
}


@dg.asset(
    partitions_def=instrument_day, group_name="raw", kinds={"parquet"}, io_manager_key="parquet",
    owners=["team:data"], code_version=fingerprint(KERNEL), deps=FETCHED,
)  # fmt: skip
def raw_frames(
    context: dg.AssetExecutionContext, data_root: dg.ResourceParam[DataRoot], listed: dg.ResourceParam[Config]
) -> dg.MaterializeResult[pl.DataFrame]:
    """Frames of the day as received, with the file and offset they came from, and the checkpoint the day opens with."""
    from ml.market import captures, index
    from ml.market.chain import link
    from ml.market.raw import raw_day

    date, instrument = date_and_instrument(context)
    chain = link(captures.find(listed.captures), partial(index.load, data_root))
    frame = raw_day(chain, instrument, date)
    unlisted = sorted(set(chain.instruments()) - {known.id for known in listed.instruments})
    metadata = {
        "files": len(chain.files),
        "lines set aside by file": chain.set_aside(),
        "unlisted instruments": unlisted,
    }
    return dg.MaterializeResult(value=frame, metadata=metadata)


@dg.multi_asset(
    outs={
        name: dg.AssetOut(
            description=text, group_name="raw", kinds={"parquet"}, io_manager_key="parquet", owners=["team:data"],
            code_version=fingerprint(KERNEL), automation_condition=ON_FRESH_INPUT,
        )
        for name, text in DECODED.items()
    },
    partitions_def=instrument_day,
    check_specs=[spec for name in DECODED for spec in rule_specs(name)],
)  # fmt: skip
def events(
    context: dg.AssetExecutionContext, raw_frames: pl.LazyFrame, data_root: dg.ResourceParam[DataRoot]
) -> Iterator[dg.Output[pl.DataFrame] | dg.AssetCheckResult]:
    """Raw frames decoded: parsed, ordered by update ids, with every gap on record."""
    from ml.market.day import decode_day

    date, instrument = date_and_instrument(context)
    decoded = decode_day(raw_frames.collect(), instrument, date)
    known = ledger.of_day(data_root, date, instrument.id, decoded.validity)
    shown = {"book_events": vars(decoded.tally), "validity": known_time(known, instrument.id)}
    for name in DECODED:
        frame = getattr(decoded, name)
        yield dg.Output(frame, output_name=name, metadata=shown.get(name, {}))
        yield from rule_results(name, frame)
