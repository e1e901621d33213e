"""The gap ledger: when the book and the trades were known, by day, hour and instrument, and every gap as a row.

It reads the stored `validity` tables. How validity is computed belongs to `ml.market.days`, how it is shown to
`cli.gaps` and `ml.plotting.plots`.

A gap runs from the end of a valid interval to the start of the next one of the instrument, across midnight. It has
no end if the book is still unknown at the end of the stored data. The time before the first interval is not a gap,
but lowers the known share of its day.
"""

import polars as pl

from ml.core.errors import StoreError
from ml.core.paths import DataRoot, partition_of
from ml.core.time import DAY_NS, HOUR, SECOND, bounds
from ml.storage.commit import manifest, read
from ml.storage.parquet import Stored
from ml.tables.schemas import SCHEMAS

TABLE = "validity"
OF_TRADES = "trade_validity"
NEVER = {TABLE: "no_snapshot", OF_TRADES: "no_trades_captured"}
"""Reason of a day on which nothing was known, by table."""
NOT_STORED = "not_stored"
"""Reason of a gap that begins where the book was known up to midnight, and the next day is not stored."""
REMEDIES = {
    "off_grid": (
        "the venue made its tick or lot finer than lobforge.toml lists. Add a second [[instrument]] entry with the new "
        "decimals and valid_from = the date of the change, and materialize from that date on"
    ),
    NOT_STORED: "the next day is not stored. Materialize it",
}
"""What to do about gaps of some reasons."""
HEARD = ("arrival", "conn", "recv_ts")
BESIDE = pl.Schema(
    {"instrument": pl.String(), "conn": pl.String(), "start": pl.Int64(), "end": pl.Int64(), "reason": pl.String()}
)


def stored(root: DataRoot, instrument: str | None = None, date: str | None = None, table: str = TABLE) -> pl.DataFrame:
    """All stored intervals of the book, or of trades, of one instrument or date (YYYY-MM-DD) if given.

    Columns: date and instrument, str, then those of `validity`. A partition without intervals has one of length 0.

    Raises:
        StoreError: nothing of it is stored.
    """
    keys = [(path, *partition_of(path)[1:]) for path in sorted(manifest(root, table))]
    found = [
        named(read(root.root / path).collect(), d, i)
        for path, d, i in keys
        if instrument in (None, i) and date in (None, d)
    ]
    if not found:
        of = " of ".join(word for word in (table, instrument or "any instrument", date) if word)
        raise StoreError(f"No {of} is stored. Materialize it first: `lobforge demo`, or the job `ingest`.")
    return pl.concat(found)


def named(validity: pl.DataFrame, date: str, instrument: str) -> pl.DataFrame:
    """A partition's intervals with its keys, as `stored` gives them."""
    if validity.is_empty():
        start, _ = bounds(date)
        empty = {
            "start_ts": start,
            "end_ts": start,
            "start_arrival": -1,
            "end_arrival": -1,
            "end_reason": "no_snapshot",
        }
        validity = pl.DataFrame([empty], schema=SCHEMAS[TABLE])
    return validity.select(pl.lit(date).alias("date"), pl.lit(instrument).alias("instrument"), *SCHEMAS[TABLE].names())


def gaps(validity: pl.DataFrame) -> pl.DataFrame:
    """Every gap, by instrument and time.

    Columns: instrument str; start, end i64 ns UTC; seconds f64; from_id, to_id i64; reason str. `end` and `seconds` are
    null where the book is still unknown; the ids where the gap was not seen by them.
    """
    ordered = validity.sort("instrument", "start_ts", "date", "start_arrival")
    # a day on which nothing was ever known only goes on with the gap that began before, or begins one at its midnight
    first = pl.int_range(pl.len()).over("instrument") == 0
    never = pl.col("end_reason").is_in(NEVER.values()).fill_null(value=False)
    goes_on = pl.col("end_reason").shift(1).over("instrument").is_not_null()
    midnight = pl.when(never & ~first).then(_midnight())
    known = ordered.filter(first | ~never | ~goes_on).with_columns(
        start_ts=pl.coalesce(midnight, "start_ts"), end_ts=pl.coalesce(midnight, "end_ts")
    )
    after = pl.col("start_ts").shift(-1).over("instrument")
    reason = pl.coalesce("end_reason", pl.when(after > pl.col("end_ts")).then(pl.lit(NOT_STORED)))
    return (
        known.select("instrument", "from_id", "to_id", start="end_ts", end=after, reason=reason)
        .filter(pl.col("reason").is_not_null())
        .with_columns(seconds=_seconds(pl.col("end") - pl.col("start")))
        .select("instrument", "start", "end", "seconds", "from_id", "to_id", "reason")
    )


def of_trades(root: DataRoot, instrument: str | None = None) -> pl.DataFrame:
    """The stored intervals in which trades were captured, as `stored` gives them; none where no day has any."""
    try:
        return stored(root, instrument, table=OF_TRADES)
    except StoreError:
        return pl.DataFrame(schema={"date": pl.String, "instrument": pl.String} | dict(SCHEMAS[OF_TRADES]))


def coverage(validity: pl.DataFrame) -> pl.DataFrame:
    """How much of each UTC day the book was known, or trades were.

    Columns: date, instrument str; known_seconds f64; share f64 of the day's 86 400 s; gaps i64 that began on it.
    """
    began = gaps(validity).group_by("instrument", date=_date_of("start")).agg(gaps=pl.len().cast(pl.Int64))
    length = (pl.col("end_ts") - pl.col("start_ts")).sum()
    return (
        validity.group_by("date", "instrument")
        .agg(known_seconds=_seconds(length), share=length / DAY_NS)
        .join(began, on=["date", "instrument"], how="left")
        .with_columns(pl.col("gaps").fill_null(0))
        .sort("date", "instrument")
    )


def hours(validity: pl.DataFrame) -> pl.DataFrame:
    """How much of each UTC hour the book was known.

    Columns: date, instrument str; hour i64, 0 to 23; share f64 of its 3 600 s.
    """
    grid = validity.join(pl.DataFrame({"hour": range(24)}), how="cross")
    begin = _midnight() + pl.col("hour") * HOUR
    overlap = pl.min_horizontal("end_ts", begin + HOUR) - pl.max_horizontal("start_ts", begin)
    return (
        grid.group_by("date", "instrument", "hour")
        .agg(share=overlap.clip(lower_bound=0).sum() / HOUR)
        .sort("date", "instrument", "hour")
    )


def beside(root: DataRoot, instrument: str | None = None) -> pl.DataFrame:
    """What captures lost on connections that carry no books, as noted in the stored raw frames, by instrument and time.

    Columns: instrument, conn str; start, end i64 ns UTC by our clock, at which the connection was heard last before the
    loss and first after it, null where it was not heard again that day; reason str.
    """
    found = [pl.DataFrame(schema=BESIDE)]
    for path in sorted(manifest(root, "raw_frames")):
        name = partition_of(path).instrument
        if instrument in (None, name):
            found.append(_beside(Stored(root.root / path), name))
    return pl.concat(found)


def within(found: pl.DataFrame, first: str | None, last: str | None) -> pl.DataFrame:
    """The gaps that touch the dates from `first` to `last` (YYYY-MM-DD, both included, None for no bound)."""
    begins = pl.lit(True) if last is None else pl.col("start") < bounds(last)[1]
    ends = pl.lit(True) if first is None else pl.col("end").is_null() | (pl.col("end") > bounds(first)[0])
    return found.filter(begins, ends)


def of_day(root: DataRoot, date: str, instrument: str, validity: pl.DataFrame) -> pl.DataFrame:
    """The intervals of a date: those just made of one instrument, and those stored of the others."""
    try:
        others = stored(root, date=date).filter(pl.col("instrument") != instrument)
    except StoreError:
        others = pl.DataFrame(schema=named(validity, date, instrument).schema)
    return pl.concat([others, named(validity, date, instrument)])


def _said(key: str) -> pl.Expr:
    """A member of the JSON that a raw frame's payload is."""
    return pl.col("payload").cast(pl.String).str.json_path_match(f"$.{key}")


def _beside(frames: Stored, instrument: str) -> pl.DataFrame:
    """Of one stored day; frames are read only where losses may be among them, and payloads of these alone."""
    noted = [pl.DataFrame(schema={"arrival": pl.Int64, "conn": pl.String, "reason": pl.String})]
    for part in frames.parts_that_may_hold("kind", "loss"):
        losses = part.filter(pl.col("kind") == "loss").filter(_said("books") == "false")
        noted.append(losses.select("arrival", "conn", reason=_said("loss")))
    lost = pl.concat(noted)
    if lost.is_empty():
        return pl.DataFrame(schema=BESIDE)
    heard = pl.concat(part.filter(pl.col("conn").is_in(lost["conn"].to_list())) for part in frames.parts(*HEARD))
    around = heard.sort("arrival").with_columns(
        start=pl.coalesce(pl.col("recv_ts").shift(1).over("conn"), "recv_ts"),
        end=pl.col("recv_ts").shift(-1).over("conn"),
    )
    rows = lost.join(around, on=["arrival", "conn"]).sort("start", "conn")
    return rows.select(pl.lit(instrument).alias("instrument"), "conn", "start", "end", "reason")


def _seconds(ns: pl.Expr) -> pl.Expr:
    """Seconds, exact to the ns: Polars divides by multiplying with the inverse, and rounding takes the noise away."""
    return (ns / SECOND).round(9)


def _midnight() -> pl.Expr:
    """The first ns of the row's date."""
    return pl.col("date").str.to_datetime("%Y-%m-%d").dt.epoch("ns")


def _date_of(column: str) -> pl.Expr:
    return pl.from_epoch(pl.col(column), "ns").dt.strftime("%Y-%m-%d")
