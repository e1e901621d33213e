"""Cues that are stored, and the stored market around one.

Here: the table `layering_cues` of a data root, a cue by its id, the book and the trades over a window of its day.
Not here: how cues are found (`ml.layering.days`), what is told of one (`ml.layering.evidence`).
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import polars as pl

from ml.core.addresses import scan
from ml.core.errors import DatasetError, StoreError
from ml.core.instruments import is_symbol
from ml.core.paths import DataRoot, partition_of
from ml.core.time import SECOND, date_of
from ml.layering.tables import CUES
from ml.market.decode.events import CLEAR, LAST, SNAPSHOT
from ml.storage.parquet import Stored

AROUND_NS = 60 * SECOND
"""What is shown before the first lot and after the last pull."""
_ROWS = ("arrival", "event_ts", "side", "price", "size", "flags")

Book = dict[tuple[int, int], int]
"""Size by side (1 bid, -1 ask) and price, in units of the instrument."""


class Message(NamedTuple):
    """One message of the book: its position in the day, its time (ns UTC), flags of its first row, its levels."""

    arrival: int
    ts: int
    flags: int
    levels: list[tuple[int, int, int]]


class Window(NamedTuple):
    """The stored market of an instrument from `start` to `end` (ns UTC).

    `opening` is the book before the first message, None where it is unknown; `trades` are rows of the table. Nothing is
    stored after `known_until`, ns UTC: `end`, unless the day ends before.
    """

    start: int
    end: int
    known_until: int
    opening: Book | None
    messages: list[Message]
    trades: pl.DataFrame


class Around(NamedTuple):
    """A stored cue, its row of `layering_cues` with `date` and `instrument`, and the market around it."""

    row: dict[str, Any]
    window: Window


def cues(root: DataRoot) -> pl.DataFrame:
    """All stored cues in the order of time: the columns of `layering_cues`, and `instrument`."""
    frames = [
        scan(path).with_columns(instrument=pl.lit(partition_of(path.relative_to(root.root).as_posix()).instrument))
        for path in sorted(root.table(CUES.name).rglob("*.parquet"))
    ]
    empty = pl.LazyFrame(schema=pl.Schema({**CUES.schema, "instrument": pl.String()}))
    return pl.concat([empty, *frames]).collect().sort("ts", "id")


def ids(root: DataRoot) -> list[str]:
    """Ids of all stored cues."""
    files = sorted(root.table(CUES.name).rglob("*.parquet"))
    return [cue_id for path in files for cue_id in scan(path).select("id").collect()["id"]]


def place_of(cue_id: str) -> tuple[str, int]:
    """Instrument and time of decision (ns UTC) in a cue's id.

    Raises:
        DatasetError: it is no id of a cue.
    """
    # from the right: names of venues and symbols may hold dashes
    instrument, ts, side = (["", "", *cue_id.rsplit("-", 2)])[-3:]
    venue, _, symbol = instrument.partition(".")
    if not (
        venue
        and is_symbol(instrument)
        and is_symbol(symbol)
        and ts.isdecimal()
        and len(ts) == 19
        and side in ("bid", "ask")
    ):
        raise DatasetError(
            f"{cue_id!r} is no id of a cue. It must be like binance-usdm.BTCUSDT-1741026249500000000-ask."
        )
    return instrument, int(ts)


def partition(root: DataRoot, cue_id: str) -> tuple[str, str]:
    """UTC date and instrument of the stored partition that holds a cue.

    Raises:
        DatasetError: it is no id of a cue, or no stored partition holds it.
    """
    instrument, ts = place_of(cue_id)
    # a message of midnight is of the day that it closes
    for date in dict.fromkeys((date_of(ts), date_of(ts - 1), date_of(ts - SECOND))):
        path = root.partition(CUES.name, date, instrument)
        if path.exists() and scan(path).filter(pl.col("id") == cue_id).select(pl.len()).collect().item():
            return date, instrument
    raise DatasetError(
        f"no stored cue has the id {cue_id!r}. Materialize layering_cues of {date_of(ts)}|{instrument}, "
        "or take an id from that table."
    )


def around(root: DataRoot, cue_id: str) -> Around:
    """A stored cue, and the market from 60 s before its first lot to 60 s after its last pull.

    Raises:
        DatasetError: there is no such cue.
        StoreError: the day's `book_events` or `trades` are not stored.
    """
    date, instrument = partition(root, cue_id)
    rows = scan(root.partition(CUES.name, date, instrument)).filter(pl.col("id") == cue_id).collect()
    row: dict[str, Any] = rows.row(0, named=True) | {"date": date, "instrument": instrument}
    return Around(row, window(root, date, instrument, row["start"] - AROUND_NS, row["last_pull"] + AROUND_NS))


def window(root: DataRoot, date: str, instrument: str, start: int, end: int) -> Window:
    """The stored market over a window of a day.

    Args:
        root: the data root.
        date: of the partition (UTC).
        instrument: its id.
        start: ns UTC.
        end: ns UTC, included.

    Raises:
        StoreError: the day's `book_events` or `trades` are not stored.
    """
    stored = Stored(root.partition("book_events", date, instrument))
    opening = pl.DataFrame(schema={name: stored.schema[name] for name in _ROWS})
    inside = list[pl.DataFrame]()
    for part in stored.parts(*_ROWS):
        is_inside = (part["event_ts"] >= start).cum_max() if not inside else pl.repeat(True, part.height, eager=True)
        before = part.filter(~is_inside)
        if before.height:
            opening = _newest_levels(pl.concat([opening, before]))
        if before.height < part.height:
            inside.append(part.filter(is_inside))
            if inside[-1]["event_ts"][-1] > end + SECOND:
                break
    rows = pl.concat([opening.clear(), *inside])
    trades = scan(root.partition("trades", date, instrument)).filter(pl.col("event_ts").is_between(start, end))
    messages = [message for message in _messages(rows) if message.ts <= end]
    last = rows["event_ts"].max() if rows.height else start
    known_until = min(end, int(last)) if isinstance(last, int) else start
    return Window(start, end, known_until, _book_of(opening), messages, _collected(trades, date, instrument))


def replay(window: Window) -> Iterator[tuple[Message, Book | None]]:
    """Each message with the book after it, None where the book is unknown; the book is reused by the next."""
    book = None if window.opening is None else dict(window.opening)
    for message in window.messages:
        book = _after(book, message)
        yield message, book


def books_at(window: Window, times: Iterable[int]) -> Iterator[Book | None]:
    """The book at ascending times (ns UTC), a message of that time included; the book is reused by the next."""
    book = None if window.opening is None else dict(window.opening)
    coming = iter(window.messages)
    message = next(coming, None)
    for ts in times:
        while message is not None and message.ts <= ts:
            book = _after(book, message)
            message = next(coming, None)
        yield book


def _after(book: Book | None, message: Message) -> Book | None:
    """The book after a message; a known one is changed in place."""
    if message.flags & SNAPSHOT:
        book = {}
    elif message.flags & CLEAR:
        return None
    if book is not None:
        for side, price, size in message.levels:
            if size:
                book[side, price] = size
            else:
                book.pop((side, price), None)
    return book


def best(book: Book) -> tuple[int | None, int | None]:
    """Best bid and ask, None where a side is empty."""
    bids = [price for side, price in book if side > 0]
    asks = [price for side, price in book if side < 0]
    return max(bids, default=None), min(asks, default=None)


def _newest_levels(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that make the book: from the last one on that discards it, of each level the newest."""
    clears = (rows["flags"] & CLEAR > 0).arg_true()
    rows = rows[int(clears[-1]) :] if len(clears) else rows
    # the row that discards stays first: it says whether a snapshot follows
    return pl.concat([rows[:1], rows[1:].unique(["side", "price"], keep="last", maintain_order=True)])


def _book_of(rows: pl.DataFrame) -> Book | None:
    if rows.is_empty() or (rows["flags"][0] & CLEAR and not rows["flags"][0] & SNAPSHOT):
        return None
    levels = rows.filter(pl.col("side") != 0).select("side", "price", "size").iter_rows()
    newest = {(side, price): size for side, price, size in levels}
    return {level: size for level, size in newest.items() if size}


def _messages(rows: pl.DataFrame) -> Iterator[Message]:
    levels = list[tuple[int, int, int]]()
    first: tuple[int, int, int] | None = None
    for arrival, ts, side, price, size, flags in rows.iter_rows():
        first = first or (arrival, ts, flags)
        if side:
            levels.append((side, price, size))
        if flags & LAST:
            yield Message(*first, levels)
            levels = []
            first = None


def _collected(trades: pl.LazyFrame, date: str, instrument: str) -> pl.DataFrame:
    try:
        return trades.collect()
    except FileNotFoundError as error:
        raise StoreError(f"trades of {date}|{instrument} are not stored. Materialize the asset trades.") from error
