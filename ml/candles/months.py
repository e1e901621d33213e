"""An instrument's candles of a month or any interval, with as many before and after as features and targets reach.

Here: from the stored days, ours and the venue's, to candles of one length.
Not here: what is computed of them (`ml.features.candle`, `ml.labels.targets`), storing candles (`ml.candles.rest`).

A candle from trades counts where it is known, else the venue's own of the same length, else it is not known. A candle
belongs to the month in which it opens; it is stamped with its close.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl

from ml.candles.from_trades import TIMEFRAMES, resample
from ml.candles.rest import read_day
from ml.core.errors import SettingsError
from ml.core.instruments import Instrument
from ml.core.paths import DataRoot
from ml.storage import commit
from ml.tables.schemas import SCHEMAS

OfDate = Callable[[str], Instrument]
_PRICES = ("open", "high", "low", "close")
_SIZES = ("volume", "buy_volume")


def bounds(month: str) -> tuple[int, int]:
    """First and one past the last ns of a month (YYYY-MM), UTC.

    Raises:
        SettingsError: it is no month.
    """
    try:
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise SettingsError(f"{month!r} is not a month. Write it as 2025-03.") from error
    following = (start + timedelta(31)).replace(day=1)
    return int(start.timestamp()) * 10**9, int(following.timestamp()) * 10**9


def inside(month: str) -> pl.Expr:
    """Whether a row of a table with the column `ts` belongs to a month (YYYY-MM)."""
    start, end = bounds(month)
    return (pl.col("ts") > start) & (pl.col("ts") <= end)


def read(
    root: DataRoot,
    instrument: Instrument,
    month: str,
    timeframe: str,
    before: int = 0,
    after: int = 0,
    of_date: OfDate | None = None,
) -> pl.DataFrame:
    """Every candle of a month in the columns of the table `candles`; those of which nothing is stored are left out.

    Args:
        root: where `candles` and `rest_candles` lie.
        instrument: of which.
        month: YYYY-MM.
        timeframe: one of `ml.candles.from_trades.TIMEFRAMES`.
        before: candles of that length to be added before the month.
        after: and after it.
        of_date: what the instrument was on a date, in whose units the candles of that date are stored; None if it
            never changed.

    Raises:
        SettingsError: the month is none.
    """
    step = TIMEFRAMES[timeframe]
    start, end = bounds(month)
    return between(root, instrument, start - before * step, end + after * step, timeframe, of_date)


def between(
    root: DataRoot, instrument: Instrument, start: int, end: int, timeframe: str, of_date: OfDate | None = None
) -> pl.DataFrame:
    """Every candle that opens at `start` (ns UTC) or later and closes by `end`, where something of it is stored.

    Prices and sizes are in units of the instrument, also those of dates on which it had fewer decimals.
    """
    dates = _dates(start, end)
    stored = {date: _day(root, instrument, date, timeframe) for date in dates}
    days = [
        rows if of_date is None or rows.is_empty() else _scaled(rows, of_date(date), instrument)
        for date, rows in stored.items()
    ]
    wanted = (pl.col("ts") > start) & (pl.col("ts") <= end)
    return pl.concat([day.filter(wanted) for day in days])


def _dates(start: int, end: int) -> list[str]:
    first, last = (datetime.fromtimestamp(ns // 10**9, UTC).date() for ns in (start, end - 1))
    return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def _scaled(rows: pl.DataFrame, of: Instrument, to: Instrument) -> pl.DataFrame:
    """Candles in the units of another entry of their instrument, which has as many decimals or more."""
    price = to.price_decimals - of.price_decimals
    size = to.size_decimals - of.size_decimals
    return rows.with_columns(
        pl.col(_PRICES) * 10**price, pl.col(_SIZES) * 10**size, pl.col("notional") * 10 ** (price + size)
    )


def _day(root: DataRoot, instrument: Instrument, date: str, timeframe: str) -> pl.DataFrame:
    """The candles of a UTC date: ours where they are known, else the venue's."""
    empty = pl.DataFrame(schema=SCHEMAS["candles"])
    path = root.partition("candles", date, instrument.id)
    ours = resample(commit.read(path).collect(), [timeframe])[timeframe] if path.exists() else empty
    theirs = read_day(root, date, instrument, timeframe).select(SCHEMAS["candles"].names())
    stored = theirs.join(ours.filter(pl.col("reason").is_null()), on="ts", how="anti")
    known = pl.concat([ours.filter(pl.col("reason").is_null()), stored.filter(pl.col("reason").is_null())])
    unknown = pl.concat([ours, theirs]).unique("ts", keep="first", maintain_order=True)
    return pl.concat([known, unknown.join(known, on="ts", how="anti")]).sort("ts")
