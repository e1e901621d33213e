"""Conversion between stored tables and the kernel's arrays.

`book_events` and `trades` become streams, samples become the table `book_samples` and back. Columns are defined in
`ml.tables.schemas`.
"""

import numpy as np
import polars as pl

from ml.market.book.layout import UNKNOWN_UPDATES, BookStream, TradeStream
from ml.market.decode.events import LAST
from ml.tables.schemas import FROM_TRADES, LEVELS, SAMPLE_COLUMNS, SCHEMAS, SIDES

BOOK = ("arrival", "event_ts", "side", "price", "size", "flags")
"""The columns of `book_events` that the kernel takes."""
_ABSENT_AS_ZERO = [
    *(f"{side}_{what}_{k}" for side in SIDES for what in ("price", "size") for k in range(1, LEVELS + 1)),
    *("trade_price_high", "trade_price_low", "last_trade_price"),
]
_BOOK_FLOWS = [name for name in SAMPLE_COLUMNS if name.startswith(("ofi_", "added_", "cancelled_"))]


def book_stream(book_events: pl.DataFrame) -> BookStream:
    """The table `book_events`, sorted as stored, as the kernel's messages."""
    flags = _lent(book_events, "flags", np.uint8)
    end = np.flatnonzero(flags & LAST) + 1
    first = np.concatenate([np.zeros(1, np.int64), end])[:-1]
    return BookStream(
        ts=_lent(book_events, "event_ts")[first],
        arrival=_lent(book_events, "arrival")[first],
        flags=flags[first].astype(np.int64),
        end=end,
        side=_lent(book_events, "side", np.int8),
        price=_lent(book_events, "price"),
        size=_lent(book_events, "size"),
    )


def trade_stream(trades: pl.DataFrame) -> TradeStream:
    """The table `trades`, sorted as stored, as the kernel's trades; those of one frame share its latest time."""
    return TradeStream(
        ts=_lent(trades.select(pl.col("event_ts").max().over("arrival")), "event_ts"),
        arrival=_lent(trades, "arrival"),
        flags=_lent(trades, "flags", np.uint8),
        side=_lent(trades, "side", np.int8),
        price=_lent(trades, "price"),
        size=_lent(trades, "size"),
    )


def samples_frame(samples: np.ndarray) -> pl.DataFrame:
    """The kernel's samples, i64 (n, columns), as the table `book_samples`; what is absent or unknown is null.

    `n_updates` and the flows of the book are null where the book came from snapshots alone.
    """
    frame = pl.DataFrame(samples, schema=dict.fromkeys(SAMPLE_COLUMNS, pl.Int64), orient="row")
    frame = frame.with_columns(
        pl.col(*_ABSENT_AS_ZERO).replace(0, None),
        pl.col("book_age").replace(-1, None),
        pl.col("valid").cast(pl.Boolean),
    )
    known = [pl.when(pl.col("trades_run") > 0).then(pl.col(name)).alias(name) for name in FROM_TRADES]
    frame = frame.with_columns(known)
    seen = pl.when(pl.col("n_updates") != UNKNOWN_UPDATES).then(pl.col(*_BOOK_FLOWS, "n_updates"))
    return frame.with_columns(seen).select(SCHEMAS["book_samples"].names())


def samples_array(frame: pl.DataFrame) -> np.ndarray:
    """The table `book_samples` as the kernel's samples: the inverse of `samples_frame`."""
    filled = frame.select(SAMPLE_COLUMNS).with_columns(
        pl.col({*_ABSENT_AS_ZERO, *FROM_TRADES, *_BOOK_FLOWS}).fill_null(0),
        pl.col("n_updates").fill_null(UNKNOWN_UPDATES),
        pl.col("book_age").fill_null(-1),
        pl.col("valid").cast(pl.Int64),
    )
    return np.ascontiguousarray(filled.to_numpy(), np.int64)


def _lent(frame: pl.DataFrame, column: str, dtype: type = np.int64) -> np.ndarray:
    """A column as an array that cannot be written; where it lies in one piece, its own memory."""
    return np.asarray(frame[column].to_numpy(), dtype)
