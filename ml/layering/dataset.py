"""The data set of cues: features, the market around each, and what people, truth files or the price say of it.

Here: the stored cues of all days with what belongs to them, and the episodes that they form.
Not here: votes (`ml.layering.labels`), the market around a cue (`ml.layering.context`), models
(`ml.layering.adaptive`).
"""

from datetime import date, timedelta
from itertools import groupby

import numpy as np
import polars as pl

from ml.core.config import Config
from ml.core.errors import DatasetError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot, Partition, partition_of
from ml.core.time import HOUR, SECOND
from ml.layering.context import NEEDED, SIZES, context
from ml.layering.labels import WEAK_NS, price_reversal
from ml.layering.layout import F64
from ml.layering.legacy_rule import LegacyRule, LegacySettings
from ml.layering.tables import CUES, DATASET
from ml.market.book.layout import I64
from ml.storage.commit import manifest, read, require_current
from ml.tables.schemas import LEVELS

APART_NS = 5 * SECOND
"""Cues of an instrument that follow each other within so long belong to one episode."""
RULE_NEEDS_NS = 90 * SECOND
"""How much of the time before a cue the predecessor's rule is given."""
PRICES = tuple(f"{side}_price_{k}" for side in ("bid", "ask") for k in range(1, LEVELS + 1))
READ = tuple(dict.fromkeys((*NEEDED, *PRICES, "trade_volume_buy", "trade_volume_sell")))
SIDE = {"bid": 1, "ask": -1}


def dataset(root: DataRoot, configuration: Config, labels: pl.DataFrame) -> pl.DataFrame:
    """The table `layering_dataset`: every stored cue, in the order of time.

    A cue without a vote has a weak label where the price tells one.

    Args:
        root: stored cues and samples.
        configuration: decimals of the instruments.
        labels: the table `layering_labels`.

    Raises:
        DatasetError: no cues are stored.
        StoreError: older code made some of them.
    """
    entries = manifest(root, CUES.name)
    if not entries:
        raise DatasetError("No cues of layering are stored. Materialize layering_cues for the days that have events.")
    require_current(CUES.name, entries.values())
    days = sorted((partition_of(path) for path in entries), key=lambda one: (one.instrument, one.date))
    frames = list[pl.DataFrame]()
    for name, found in groupby(days, key=lambda day: day.instrument):
        hours = 0.0
        for day in found:
            rows, hours = _day(root, configuration.instrument(name, day.date), day, hours)
            frames.append(rows)
    every = pl.concat(frames).sort("ts", "id")
    every = every.with_columns(episode=episodes(*(every[name].to_numpy() for name in ("instrument", "start", "ts"))))
    voted = labels.select("cue_id", voted="label", voted_tier="tier").filter(pl.col("voted").is_not_null())
    joined = every.join(voted, left_on="id", right_on="cue_id", how="left", maintain_order="left")
    by_people = pl.col("voted").is_not_null()
    return DATASET.conform(
        joined.with_columns(
            label=pl.coalesce("voted", "weak"),
            tier=pl.coalesce("voted_tier", pl.when(pl.col("weak").is_not_null()).then(pl.lit("weak"))),
            label_end=pl.when(by_people | pl.col("weak").is_null())
            .then("ts")
            .otherwise(pl.max_horizontal("ts", pl.col("last_pull") + WEAK_NS)),
        ).select(DATASET.schema.names())
    )


def episodes(instrument: np.ndarray, start: I64, end: I64) -> I64:
    """Number of the episode of each cue i64 (n), for cues in the order of their ends.

    Cues of an instrument whose times touch, or lie less than `APART_NS` apart, are one, on either side of the book.
    """
    number = np.zeros(len(start), np.int64)
    count = 0
    for name in sorted(set(instrument.tolist())):
        reached = None
        for row in sorted(np.flatnonzero(instrument == name).tolist(), key=lambda row: int(start[row])):
            if reached is None or start[row] > reached + APART_NS:
                count += 1
                reached = int(end[row])
            reached = max(reached, int(end[row]))
            number[row] = count - 1
    return number


def legacy_scores(cues: pl.DataFrame, samples: pl.DataFrame, instrument: Instrument) -> F64:
    """The largest score of the predecessor's rule for each cue f64 (n), on its side, from start to ts.

    The rule sees one view of the 20 best levels a second, as far back as it looks. Every score counts, also one below
    that from which it collects; it is 0 where the group fails one of the rule's conditions.
    """
    best = np.zeros(cues.height)
    rule = LegacyRule(instrument, LegacySettings(depth=LEVELS, collect=0.0))
    spans = [(SIDE[side], start, ts) for side, start, ts in cues.select("side", "start", "ts").iter_rows()]
    ts = samples["ts"].to_numpy()
    near = np.zeros(len(ts), bool)
    for _, start, end in spans:
        near |= (ts > start - RULE_NEEDS_NS) & (ts <= end + SECOND)
    columns = ["ts", *PRICES, *SIZES, "trade_volume_buy", "trade_volume_sell"]
    for row in samples.filter(pl.Series(near) & pl.col("valid")).select(columns).iter_rows():
        now, prices, sizes = row[0], row[1 : 1 + 2 * LEVELS], row[1 + 2 * LEVELS : 1 + 4 * LEVELS]
        for side, volume in zip((1, -1), row[-2:], strict=True):
            if volume:
                rule.trade(now, side, volume)
        view = {
            side: {p: q for p, q in zip(prices[at], sizes[at], strict=True) if p is not None and q}
            for side, at in ((1, slice(LEVELS)), (-1, slice(LEVELS, None)))
        }
        for alert in rule.update(now, view):
            for k, (side, start, end) in enumerate(spans):
                if side == alert.side and start <= alert.ts <= end + SECOND:
                    best[k] = max(best[k], alert.score)
    return best


def _day(root: DataRoot, instrument: Instrument, day: Partition, hours: float) -> tuple[pl.DataFrame, float]:
    """The cues of a stored day, and the hours over which the book was known up to its end."""
    cues = read(root.partition(CUES.name, day.date, instrument.id)).collect()
    today = _samples(root, instrument.id, day.date)
    before = (date.fromisoformat(day.date) - timedelta(1)).isoformat()
    is_stored = root.partition("book_samples", before, instrument.id).exists()
    samples = pl.concat([_samples(root, instrument.id, before), today]) if cues.height and is_stored else today
    whole = hours + float(today["valid"].sum()) * SECOND / HOUR
    around = context(cues["ts"].to_numpy(), samples, instrument)
    mids = samples.filter("valid").select("ts", mid=(pl.col("bid_price_1") + pl.col("ask_price_1")) / 2)
    known = today.select("ts", hours=hours + pl.col("valid").cum_sum() * (SECOND / HOUR))
    at = cues.select("ts").join_asof(known, on="ts")["hours"].fill_null(hours)
    decided = cues.select("ts").join_asof(mids, on="ts", tolerance=SECOND)["mid"]
    volume = cues["volume"] / 10**instrument.size_decimals
    rows = pl.concat([cues.drop("reason", "prices", "volume"), around], how="horizontal").with_columns(
        instrument=pl.lit(instrument.id),
        volume=volume,
        notional=volume * decided / 10**instrument.price_decimals * instrument.contract_size,
        legacy_score=legacy_scores(cues, samples, instrument),
        hours=at,
        weak=pl.Series(_weak(cues, mids), dtype=pl.Int8()),
    )
    kept = [name for name in DATASET.schema.names() if name in rows.columns]
    return rows.select(*kept, "weak"), whole


def _samples(root: DataRoot, instrument_id: str, date_: str) -> pl.DataFrame:
    return read(root.partition("book_samples", date_, instrument_id)).select(READ).collect()


def _weak(cues: pl.DataFrame, mids: pl.DataFrame) -> list[int | None]:
    """Labels by what the price did within 30 s of the last pull, None where it is not known or hardly moved."""
    pulled = cues.select(ts="last_pull", row=pl.int_range(pl.len()), side="side").sort("ts")
    priced = (
        pulled.join_asof(mids.rename({"mid": "at_pull"}), on="ts", tolerance=SECOND)
        .with_columns(pl.col("ts") + WEAK_NS)
        .join_asof(mids.rename({"mid": "later"}), on="ts", tolerance=SECOND)
        .sort("row")
    )
    return [
        None if at_pull is None or later is None else price_reversal(SIDE[side], at_pull, later)
        for side, at_pull, later in priced.select("side", "at_pull", "later").iter_rows()
    ]
